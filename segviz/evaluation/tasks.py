"""Tasks: named records, from lists, files, folders, or the paper's eight data sets."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segviz.data import Record, read_records
from segviz.evaluation.answers import expected
from segviz.evaluation.readers import READERS, download, known

MOST_CHOICES = 64
"""How many different answers may be taken for the choices of a task."""

_FILES = ("test.json", "test.jsonl")
_UNNAMED = ("test", "validation", "dev", "data")


@dataclass(frozen=True)
class Task:
    """Records that are counted together.

    >>> chat = [{"role": "user", "content": "Who leads Anna?"},
    ...         {"role": "assistant", "content": "Ben"}]
    >>> task = Task("chains", [chat], choices=["Ben", "Carl"])
    >>> len(task.records), task.choices
    (1, ('Ben', 'Carl'))

    Args:
        name: for tables.
        records: what :func:`segviz.data.read_records` takes, a list or a path; then a list.
        choices: the answers there are. By default those that the records themselves name, those of
            the paper's task of this name, or all answers that occur, if these are at most 64.

    Raises:
        ValueError: bad records, or an answer that is not among its choices; the sentence names it.
    """

    name: str
    records: Any
    choices: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"a task has the name {self.name!r}; a name is a string, not empty")
        try:
            records = read_records(self.records)
        except ValueError as error:
            raise ValueError(f"task {self.name!r}: {error}") from error
        answers = [self._expected(number, record) for number, record in enumerate(records)]
        choices = self.choices or _choices(self.name, records, answers)
        if isinstance(choices, str) or not all(
            isinstance(x, str) and x.strip() for x in choices or ()
        ):
            raise ValueError(
                f"task {self.name!r}: choices={choices!r}; they are a list of strings, none empty"
            )
        object.__setattr__(self, "records", records)
        object.__setattr__(self, "choices", None if choices is None else tuple(choices))
        for number, (record, answer) in enumerate(zip(records, answers, strict=True)):
            offered = self.offered(record)
            if offered is not None and answer not in offered:
                raise ValueError(
                    f"task {self.name!r}: record {number + 1} has the answer {answer!r}, which is "
                    f"none of the choices {', '.join(offered)}"
                )

    def offered(self, record: Record) -> tuple[str, ...] | None:
        """The choices of one record; None where there are none.

        >>> chat = [{"role": "user", "content": "Who leads Anna?"},
        ...         {"role": "assistant", "content": "Ben"}]
        >>> task = Task("chains", [chat], choices=["Ben", "Carl"])
        >>> task.offered(task.records[0])
        ('Ben', 'Carl')

        They are the record's own (``choices``), or the task's. In the paper's tasks only those that
        the instruction names.
        """
        if record.get("choices"):
            return tuple(record["choices"])
        if self.choices is not None and known(self.name) and "instruction" in record:
            # A question with four options is read under the words of all five.
            text = f"{record['instruction']}\n{record.get('input') or ''}"
            named = tuple(choice for choice in self.choices if choice in text)
            if expected(record) in named:
                return named
        return None if self.choices is None else tuple(self.choices)

    def first(self, count: int) -> Task:
        """The task's first records, under the choices of all of them.

        >>> chats = [[{"role": "user", "content": "Who?"}, {"role": "assistant", "content": name}]
        ...          for name in ("Ben", "Carl")]
        >>> first = Task("names", chats).first(1)
        >>> len(first.records), first.choices
        (1, ('Ben', 'Carl'))
        """
        some = copy(self)
        object.__setattr__(some, "records", self.records[:count])
        return some

    def _expected(self, number: int, record: Record) -> str:
        try:
            return expected(record)
        except ValueError as error:
            raise ValueError(f"task {self.name!r}: record {number + 1}: {error}") from error


def read_tasks(tasks: Any, limit: int | None = None) -> list[Task]:
    """Tasks from whatever stands for them.

    >>> chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    >>> [task.name for task in read_tasks({"greetings": [chat, chat]})]
    ['greetings']

    Args:
        tasks: a mapping from names to sources, or one source or several of them in a list. A
            source is a :class:`Task`; a list of records; the path of a JSON or JSONL file; the path
            of a folder that holds ``test.json``, or folders that do; or the name of one of the
            paper's eight tasks, which is read from the hub.
        limit: how many records of each task, from the first on.

    Raises:
        ValueError: no task, an unknown name, two tasks of one name, or bad records.
        FileNotFoundError: no such file.
        ConnectionError: a data set of the hub that cannot be had.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit={limit!r}; allowed are 1 or more records of each task, and None")
    if isinstance(tasks, Mapping):
        found = [one for name, source in tasks.items() for one in _read(source, str(name))]
    elif isinstance(tasks, Task | str | Path):
        found = _read(tasks)
    elif not isinstance(tasks, Iterable):
        raise TypeError(
            f"tasks are a mapping from names to records or paths, or a list of names, not {tasks!r}"
        )
    else:
        sources = list(tasks)
        if all(isinstance(source, Task | str | Path) for source in sources):
            found = [one for source in sources for one in _read(source)]
        else:
            found = _read(sources, "records")
    if not found:
        raise ValueError(f"there is no task; give a name, a path or records. {_allowed()}")
    names = [task.name for task in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(
            f"two tasks are named {twice[0]!r}; give them names: tasks={{'name': source, …}}"
        )
    return found if limit is None else [task.first(limit) for task in found]


def _read(source: Any, name: str | None = None) -> list[Task]:
    if isinstance(source, Task):
        return [source if name is None else replace(source, name=name)]
    if not isinstance(source, str | Path):
        return [Task("records" if name is None else name, source)]
    path = Path(source)
    if path.is_dir():
        return _folder(path, name)
    which = None if path.is_file() or isinstance(source, Path) else known(source)
    if which is None and (path.is_file() or path.suffix or path.name != source):
        return [Task(name or (path.parent.name if path.stem in _UNNAMED else path.stem), source)]
    if which is None:
        close = difflib.get_close_matches(str(source).lower(), READERS, n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(close)}?" if close else "."
        raise ValueError(f"there is no task or file {source!r}{hint} {_allowed()}")
    return [Task(name or which, download(which))]


def _folder(folder: Path, name: str | None) -> list[Task]:
    def file_in(one: Path) -> Path | None:
        return next((one / file for file in _FILES if (one / file).is_file()), None)

    own = file_in(folder)
    if own is not None:
        return [Task(name or folder.resolve().name, own)]
    files = {one.name: file_in(one) for one in sorted(folder.iterdir()) if one.is_dir()}
    tasks = [Task(one, file) for one, file in files.items() if file is not None]
    if not tasks:
        raise FileNotFoundError(
            f"the folder {str(folder)!r} holds neither test.json nor folders with one; put each "
            "task's records into <task>/test.json, or give the path of a file"
        )
    if name is not None and len(tasks) > 1:
        tasks = [replace(task, name=f"{name}/{task.name}") for task in tasks]
    return tasks


def _choices(
    name: str, records: Sequence[Record], answers: Sequence[str]
) -> tuple[str, ...] | None:
    """The choices of a task whose user names none."""
    named = dict.fromkeys(choice for record in records for choice in record.get("choices") or ())
    if named and set(answers) <= set(named):
        return tuple(named)
    which = known(name)
    if which is not None and set(answers) <= set(READERS[which].words):
        return READERS[which].words
    different = sorted(set(answers))
    return tuple(different) if 1 < len(different) <= MOST_CHOICES else None


def _allowed() -> str:
    return (
        f"Allowed are {', '.join(READERS)}, paths of .json and .jsonl files and of folders, and "
        "mappings from a name to a list of records"
    )
