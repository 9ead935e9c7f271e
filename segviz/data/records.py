"""Records: what somebody asks and what the answer is, from a list or a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]
"""A chat, ``{"messages": […]}``, or an instruction, ``{"instruction": …, "output": …}``."""

ROLES = ("system", "developer", "user", "assistant", "tool", "ipython")

_FORMS = (
    'a record is a chat, {"messages": [{"role": …, "content": …}, …]} or the bare list, that ends '
    'with an assistant turn, or {"instruction": …, "input": … (optional), "output": …}'
)


def read_records(source: str | Path | Iterable[Any]) -> list[Record]:
    """Read and check records.

    >>> chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    >>> records = read_records([chat, {"instruction": "Say yes.", "output": "Yes"}])
    >>> [sorted(record) for record in records]
    [['messages'], ['instruction', 'output']]

    Args:
        source: a list (or any iterable) of records; or the path of a JSON file that holds such a
            list, or of a JSONL file that holds one record per line.

    Returns:
        mappings of two forms. A chat has ``messages``; a bare list of messages becomes one. An
        instruction has ``instruction`` and ``output``, both not empty, and maybe ``input``. Either
        may have ``answer``, the word that decides, and ``choices``, the answers there are. Other
        fields stay, and mean nothing here.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file of another form, no record at all, or a bad record: the sentence gives
            its number, from 1 on, or its line.
    """
    if isinstance(source, str | Path):
        rows, where = _read(Path(source).expanduser()), f" of {str(source)!r}"
    elif isinstance(source, Mapping) or not isinstance(source, Iterable):
        raise TypeError(
            f"records are a list, or the path of a .json or .jsonl file; not {_short(source)}"
        )
    else:
        rows, where = ((f"record {i}", row) for i, row in enumerate(source, start=1)), ""
    records = [_checked(row, f"{place}{where}") for place, row in rows]
    if not records:
        raise ValueError(f"there are no records{where}; give at least one: {_FORMS}")
    return records


def data_hash(records: Iterable[Record]) -> str:
    """A hash of what records say, whatever the order of their fields.

    >>> data_hash([{"a": 1, "b": "é"}]) == data_hash([{"b": "é", "a": 1}])
    True
    >>> data_hash([{"a": 1}, {"a": 2}]) == data_hash([{"a": 2}, {"a": 1}])
    False

    Returns:
        SHA-256, in hexadecimal.
    """
    digest = hashlib.sha256()
    for record in records:
        line = json.dumps(
            record, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str
        )
        digest.update(f"{line}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _read(path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a file, each with its place."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"{str(path)!r} {what}; records come from a .json file (a list) or a .jsonl file (one "
            "record per line)"
        )
    if path.suffix not in (".json", ".jsonl"):
        raise ValueError(
            f"{str(path)!r} ends with {path.suffix!r}; records come from a .json file (a list) or "
            "a .jsonl file (one record per line)"
        )
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        rows = _parsed(text, str(path))
        if not isinstance(rows, list):
            raise ValueError(f"{str(path)!r} holds {_short(rows)}; a list of records is needed")
        yield from ((f"record {i}", row) for i, row in enumerate(rows, start=1))
        return
    # Not splitlines, which also cuts at line separators within a string.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = f"line {number}"
            yield place, _parsed(line, f"{place} of {str(path)!r}")


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is no JSON: {error}") from error


def _checked(row: Any, where: str) -> Record:
    if isinstance(row, Sequence) and not isinstance(row, str):
        row = {"messages": list(row)}
    if not isinstance(row, Mapping):
        raise ValueError(f"{where} is {_short(row)}; {_FORMS}")  # noqa: TRY004 (data, no argument)
    record = dict(row)
    if "messages" in record:
        _check_chat(record["messages"], where)
    elif "instruction" in record:
        _check_instruction(record, where)
    else:
        fields = ", ".join(map(str, record)) or "nothing"
        raise ValueError(f"{where} has the fields {fields}; {_FORMS}")
    _check_choices(record, where)
    return record


def _check_chat(messages: Any, where: str) -> None:
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise ValueError(f"{where} has the messages {_short(messages)}; {_FORMS}")
    for number, message in enumerate(messages, start=1):
        here = f"{where}, message {number},"
        if not isinstance(message, Mapping):
            raise ValueError(f'{here} is {_short(message)}; a message is {{"role", "content"}}')  # noqa: TRY004
        if message.get("role") not in ROLES:
            raise ValueError(
                f"{here} has the role {message.get('role')!r}; allowed are {', '.join(ROLES)}"
            )
        if not isinstance(message.get("content"), str | list) and not message.get("tool_calls"):
            raise ValueError(
                f"{here} has the content {_short(message.get('content'))}; a content is a string"
            )
    last = messages[-1]
    if last["role"] != "assistant":
        raise ValueError(
            f"{where} ends with the role {last['role']!r}; there is nothing to learn without an "
            "answer: end it with an assistant turn"
        )
    content = last.get("content")
    said = content.strip() if isinstance(content, str) else content
    if not (said or last.get("tool_calls")):
        raise ValueError(f"{where} ends with an empty assistant turn; give it an answer")
    if len(messages) == 1:
        raise ValueError(f"{where} is an answer to nothing; put a user turn before it")


def _check_instruction(record: Record, where: str) -> None:
    for field in ("instruction", "output"):
        text = record.get(field)
        if not isinstance(text, str) or not text.strip():
            given = f"the {field} {_short(text)}" if field in record else f"no {field}"
            raise ValueError(f"{where} has {given}; it is a string that is not empty")
    context = record.get("input") or ""
    if not isinstance(context, str):
        raise ValueError(f"{where} has the input {_short(context)}; it is a string")  # noqa: TRY004


def _check_choices(record: Record, where: str) -> None:
    answer, choices = record.get("answer"), record.get("choices")
    if answer is not None and not isinstance(answer, str):
        raise ValueError(f"{where} has the answer {_short(answer)}; it is a string")
    if choices is None:
        return
    strings = isinstance(choices, Sequence) and not isinstance(choices, str)
    if not strings or not choices or not all(isinstance(choice, str) for choice in choices):
        raise ValueError(f"{where} has the choices {_short(choices)}; they are a list of strings")
    if answer is not None and answer not in choices:
        raise ValueError(f"{where} has the answer {answer!r}, which is none of {_short(choices)}")


def _short(value: Any) -> str:
    """A value as people may read it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004 (a line of a terminal)
