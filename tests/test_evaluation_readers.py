"""The paper's eight tasks: rows in the columns of the data sets on the hub become records."""

from __future__ import annotations

import sys

import pytest

from segviz.evaluation import read_tasks
from segviz.evaluation.readers import READERS, instruction_records, known

datasets = pytest.importorskip("datasets", reason="datasets is an optional dependency")

# Columns, right answers, and a part of each instruction in lower case.
ROWS = {
    "boolq": (
        {"question": ["is ice hot", "is ice cold?"], "passage": ["Ice."] * 2},
        {"answer": [False, True]},
        ["false", "true"],
        ["question: is ice hot?", "question: is ice cold?"],
    ),
    "piqa": (
        {"goal": ["Boil an egg"] * 2, "sol1": ["Use ice"] * 2, "sol2": ["Use hot water"] * 2},
        {"label": [1, 0]},
        ["solution2", "solution1"],
        ["solution1: use ice\nsolution2: use hot water"] * 2,
    ),
    "social_i_qa": (
        {
            "context": ["Kim won."] * 2,
            "question": ["How does Kim feel?"] * 2,
            "answerA": ["sad"] * 2,
            "answerB": ["glad"] * 2,
            "answerC": ["cold"] * 2,
        },
        {"label": ["2", "3"]},
        ["answer2", "answer3"],
        ["answer1: sad\nanswer2: glad\nanswer3: cold"] * 2,
    ),
    "hellaswag": (
        {
            "ind": [4, 5],
            "activity_label": ["Baking"] * 2,
            "ctx_a": ["A man"] * 2,
            "ctx_b": ["he"] * 2,
            "ctx": ["[header] Bake [title] A man  bakes. he"] * 2,
            "endings": [["eats.", "[step] sings.", "flies.", "sinks."]] * 2,
        },
        {"label": ["0", "3"]},
        ["ending1", "ending4"],
        ["text: bake a man bakes. he\n\nending1: eats.\nending2: sings.\nending3"] * 2,
    ),
    "winogrande": (
        {"sentence": ["Al beat Bo, so _ lost."] * 2, "option1": ["Al"] * 2, "option2": ["Bo"] * 2},
        {"answer": ["2", "1"]},
        ["option2", "option1"],
        ["so _ lost.\n\noption1: al\noption2: bo"] * 2,
    ),
    "arc-easy": (
        {
            "id": ["x", "y"],
            "question": ["What is ice?"] * 2,
            "choices": [
                {"text": ["fire", "water", "air", "earth"], "label": ["A", "B", "C", "D"]},
                {"text": ["fire", "water", "air"], "label": ["1", "2", "3"]},
            ],
        },
        {"answerKey": ["D", "2"]},
        ["answer4", "answer2"],
        ["answer4: earth\n\nanswer format: answer1/answer2/answer3/answer4", "answer3: air\n\n"],
    ),
    "openbookqa": (
        {
            "id": ["x", "y"],
            "question_stem": ["Ice is"] * 2,
            "choices": [
                {"text": ["hot", "cold", "wet", "dry"], "label": ["A", "B", "C", "D"]},
            ]
            * 2,
        },
        {"answerKey": ["B", "A"]},
        ["answer2", "answer1"],
        ["question: ice is\n\nanswer1: hot\nanswer2: cold"] * 2,
    ),
}
ROWS["arc-challenge"] = ROWS["arc-easy"]


def test_all_eight_have_a_reader() -> None:
    assert set(ROWS) == set(READERS)


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_the_hub(name, monkeypatch) -> None:
    columns, labels, answers, texts = ROWS[name]
    asked = []

    def load_dataset(path, name=None, *, split, revision=None):
        asked.append((path, name, split, revision))
        return datasets.Dataset.from_dict(columns | labels)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    (task,) = read_tasks([name.upper()])
    assert task.name == name
    assert asked[0][0] == READERS[name].path
    assert [record["answer"] for record in task.records] == answers
    for record, text in zip(task.records, texts, strict=True):
        assert record["output"] == f"the correct answer is {record['answer']}"
        assert text in record["instruction"].lower()
        assert record["answer"] in record["choices"]
        assert set(record["choices"]) <= set(READERS[name].words)
        assert record["instruction"].endswith("/".join(record["choices"]))


@pytest.mark.parametrize("name", ROWS)
def test_rows_without_a_right_answer(name) -> None:
    columns, labels, *_ = ROWS[name]
    rows = datasets.Dataset.from_dict(columns).to_list()
    with pytest.raises(ValueError, match=f"row 1 of {name} cannot be read .*Allowed are rows of"):
        instruction_records(name, rows)
    (label,) = labels
    for hidden in ("", -1, None):
        with pytest.raises(ValueError, match=f"row 2 of {name}"):
            instruction_records(
                name, [rows[0] | {label: labels[label][0]}, {**rows[1], label: hidden}]
            )


def test_spellings() -> None:
    for name in ("BoolQ", "PIQA", "SIQA", "social-i-qa", "HellaSwag", "WinoGrande", "OBQA"):
        assert known(name) in READERS
    assert known("arc_easy") == known("ARC-e") == "arc-easy"
    assert known("arc-c") == known("ARC_Challenge") == "arc-challenge"
    assert known("arc") is None


def test_no_network(monkeypatch) -> None:
    def load_dataset(*_args, **_options):
        raise OSError("offline")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(ConnectionError, match=r"offline.*give the path: tasks=\{'boolq': '"):
        read_tasks("BoolQ")


def test_no_datasets(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'segviz-attention\[tasks\]'"):
        read_tasks(["piqa"])
