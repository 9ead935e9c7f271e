"""Readers of the paper's eight tasks: rows of the data sets on the hub to instruction records.

The columns are those of the data sets' cards on huggingface.co, under the names in :data:`READERS`.
Splits are those with public labels that the LLM-Adapters evaluation (arXiv 2304.01933) counts.
Two data sets are scripts there, which `datasets` no longer runs: PIQA is read from the Parquet
files that the hub made of it, Social IQa from a copy in Parquet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """What a row asks.

    Args:
        task: what to do, one sentence.
        parts: texts that are given, by name.
        options: the texts to choose from.
        right: index of the right one.
    """

    task: str
    parts: Mapping[str, str]
    options: Sequence[str]
    right: int


@dataclass(frozen=True)
class Reader:
    """Where a task is found, and how its rows are read.

    Args:
        path: name on the hub.
        split: what is evaluated.
        words: the answer words of the instruction format, in the order of the options; a row may
            offer fewer.
        read: makes a question of a row.
        options: more arguments of ``datasets.load_dataset``.
    """

    path: str
    split: str
    words: tuple[str, ...]
    read: Callable[[Row], Question]
    options: Mapping[str, Any] = field(default_factory=dict)


def instruction_records(name: str, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows of one of the eight data sets as instruction records.

    >>> row = {"question": "is ice water", "passage": "Ice is frozen water.", "answer": True}
    >>> record = instruction_records("boolq", [row])[0]
    >>> print(record["instruction"])
    Read the passage and decide whether the statement behind the question holds.
    <BLANKLINE>
    Passage: Ice is frozen water.
    Question: is ice water?
    <BLANKLINE>
    Answer format: true/false
    >>> record["output"], record["answer"], record["choices"]
    ('the correct answer is true', 'true', ['true', 'false'])

    Args:
        name: a key of :data:`READERS`.
        rows: with the columns of the data set on the hub.

    Raises:
        ValueError: a row with other columns, or without a right answer; the sentence names it.
    """
    reader = READERS[name]
    return [_record(name, reader, number, row) for number, row in enumerate(rows, start=1)]


def _record(name: str, reader: Reader, number: int, row: Row) -> dict[str, Any]:
    try:
        question = reader.read(row)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"row {number} of {name} cannot be read ({type(error).__name__}: {error}); its columns "
            f"are {', '.join(row)}. Allowed are rows of {reader.path!r} on the hub"
        ) from error
    if not 0 <= question.right < len(question.options) <= len(reader.words):
        raise ValueError(
            f"row {number} of {name} has no right answer among its {len(question.options)} options "
            "(test splits hide theirs): use a split with labels"
        )
    words = reader.words[: len(question.options)]
    lines = [f"{title}: {text.strip()}" for title, text in question.parts.items() if text.strip()]
    if words != ("true", "false"):
        lines += [""] * bool(lines)
        lines += [
            f"{word}: {text.strip()}" for word, text in zip(words, question.options, strict=True)
        ]
    body = "\n".join(lines)
    answer = words[question.right]
    return {
        "instruction": f"{question.task}\n\n{body}\n\nAnswer format: {'/'.join(words)}",
        "input": "",
        "output": f"the correct answer is {answer}",
        "answer": answer,
        "choices": list(words),
    }


def _boolq(row: Row) -> Question:
    question = row["question"].strip().removesuffix("?") + "?"
    return Question(
        "Read the passage and decide whether the statement behind the question holds.",
        {"Passage": row["passage"], "Question": question},
        ("true", "false"),
        # Not `not`: a row without its label is no false one.
        {True: 0, False: 1}[row["answer"]],
    )


def _piqa(row: Row) -> Question:
    return Question(
        "Decide which of the two solutions reaches the goal.",
        {"Goal": row["goal"]},
        (row["sol1"], row["sol2"]),
        int(row["label"]),
    )


def _social_i_qa(row: Row) -> Question:
    return Question(
        "Read about the people and pick the answer that fits best.",
        {"Context": row["context"], "Question": row["question"]},
        (row["answerA"], row["answerB"], row["answerC"]),
        int(row["label"]) - 1,
    )


def _hellaswag(row: Row) -> Question:
    return Question(
        "Pick the ending that continues the text best.",
        {"Topic": row["activity_label"], "Text": _plain(row["ctx"])},
        [_plain(ending) for ending in row["endings"]],
        int(row["label"]),
    )


def _winogrande(row: Row) -> Question:
    return Question(
        "Pick the option that belongs in the gap _ of the sentence.",
        {"Sentence": row["sentence"]},
        (row["option1"], row["option2"]),
        int(row["answer"]) - 1,
    )


def _science(column: str) -> Callable[[Row], Question]:
    """ARC and OpenBookQA: labelled choices under a key."""

    def read(row: Row) -> Question:
        # Most label their options A to E, some rows of ARC 1 to 5.
        return Question(
            "Pick the right answer to the question.",
            {"Question": row[column]},
            row["choices"]["text"],
            list(row["choices"]["label"]).index(row["answerKey"]),
        )

    return read


def _plain(text: str) -> str:
    """Text without the marks that HellaSwag's instructions from WikiHow carry."""
    return re.sub(r"\s+", " ", re.sub(r"\[[a-z_]+\]", " ", text)).strip()


def _numbered(word: str, count: int) -> tuple[str, ...]:
    return tuple(f"{word}{number}" for number in range(1, count + 1))


READERS: Mapping[str, Reader] = {
    "boolq": Reader("google/boolq", "validation", ("true", "false"), _boolq),
    "piqa": Reader(
        "ybisk/piqa",
        "validation",
        _numbered("solution", 2),
        _piqa,
        {"revision": "refs/convert/parquet"},
    ),
    "social_i_qa": Reader("lighteval/siqa", "validation", _numbered("answer", 3), _social_i_qa),
    "hellaswag": Reader("Rowan/hellaswag", "validation", _numbered("ending", 4), _hellaswag),
    "winogrande": Reader(
        "allenai/winogrande",
        "validation",
        _numbered("option", 2),
        _winogrande,
        {"name": "winogrande_xl"},
    ),
    "arc-easy": Reader(
        "allenai/ai2_arc",
        "test",
        _numbered("answer", 5),
        _science("question"),
        {"name": "ARC-Easy"},
    ),
    "arc-challenge": Reader(
        "allenai/ai2_arc",
        "test",
        _numbered("answer", 5),
        _science("question"),
        {"name": "ARC-Challenge"},
    ),
    "openbookqa": Reader(
        "allenai/openbookqa",
        "test",
        _numbered("answer", 4),
        _science("question_stem"),
        {"name": "main"},
    ),
}
"""The paper's eight tasks, by name."""

_SPELLINGS = {
    "siqa": "social_i_qa",
    "socialiqa": "social_i_qa",
    "arce": "arc-easy",
    "arcc": "arc-challenge",
    "obqa": "openbookqa",
}


def known(name: str) -> str | None:
    """Which of the eight tasks a name means, in whatever spelling; None: none of them.

    >>> known("ARC-Challenge"), known("SIQA"), known("boolq"), known("chains")
    ('arc-challenge', 'social_i_qa', 'boolq', None)
    """
    short = re.sub(r"[\W_]", "", name).lower()
    same = {re.sub(r"[\W_]", "", one): one for one in READERS}
    return (same | _SPELLINGS).get(short)


def download(name: str) -> list[dict[str, Any]]:
    """The records of one of the eight tasks, from the hub or `datasets`' cache of it.

    Args:
        name: a key of :data:`READERS`.

    Raises:
        ImportError: `datasets` is not installed.
        ConnectionError: the data set could not be had; the sentence says what else can be done.
    """
    try:
        import datasets  # noqa: PLC0415 (an optional dependency)
    except ImportError as error:
        raise ImportError(
            f"{name} comes from the hub through datasets, which is not installed: "
            "pip install 'segviz-attention[tasks]', or give the path of a JSON file"
        ) from error
    reader = READERS[name]
    try:
        rows = datasets.load_dataset(reader.path, split=reader.split, **reader.options)
    except Exception as error:
        # Offline, blocked, moved: `datasets` and its clients raise a dozen kinds.
        raise ConnectionError(
            f"{name} could not be loaded from {reader.path!r} on the hub ({type(error).__name__}: "
            f"{error}). Without a network, fetch its test.json in the instruction format elsewhere "
            f"and give the path: tasks={{{name!r}: 'dataset/{name}/test.json'}}"
        ) from error
    return instruction_records(name, rows)  # type: ignore[arg-type]
