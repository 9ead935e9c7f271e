"""Tasks: where records come from, what they expect, and what a text answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segviz.evaluation import Task, read_tasks
from segviz.evaluation.answers import expected, is_right, predicted, with_answer


def instruction(answer: str, text: str = "Which? answer1: a answer2: b", **more) -> dict:
    output = f"the correct answer is {answer}"
    return {"instruction": text, "input": "", "output": output, "answer": answer, **more}


def chat(said, **more) -> dict:
    question = {"role": "user", "content": "Who leads Anna?"}
    turns = [question, {"role": "assistant", "content": said}]
    return {"messages": turns, **more}


# What a record expects, and what a text says


@pytest.mark.parametrize(
    ("record", "word"),
    [
        (instruction("answer2"), "answer2"),
        ({"instruction": "Say yes.", "output": " Yes.\n"}, "Yes."),
        (chat(" Ben"), "Ben"),
        (chat("So it is Ben.", answer="Ben"), "Ben"),
        (chat([{"type": "text", "text": "Be"}, {"type": "text", "text": "n"}]), "Ben"),
    ],
)
def test_expected(record, word) -> None:
    assert expected(record) == word


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (instruction("answer1"), "the correct answer is C"),
        ({"instruction": "Say yes.", "output": "Yes"}, "C"),
        (
            {
                "instruction": "?",
                "output": "a1 or a10? a1. Not a10, xa1 or a1x",
                "answer": "a1",
            },
            "a1 or a10? C. Not a10, xa1 or a1x",
        ),
    ],
)
def test_another_choice_in_the_place_of_the_answer(record, said) -> None:
    changed = with_answer(record, "C")
    assert changed["output"] == said
    assert changed["instruction"] == record["instruction"]
    assert with_answer(record, expected(record)) == record


def test_another_choice_in_a_chat() -> None:
    record = chat("Ben, I think.", answer="Ben", choices=["Ben", "Carl"])
    changed = with_answer(record, "Carl")
    assert changed["messages"] == chat("Carl, I think.")["messages"]
    assert with_answer(chat("Ben"), "Carl") == chat("Carl")
    assert record["messages"][-1]["content"] == "Ben, I think.", "the record itself has not changed"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("the correct answer is answer2", "answer2"),
        (" answer2\nanswer1", "answer2"),
        ("answer10 or answer1", "answer10"),
        ("Answer2, answer1.", "answer1"),
        ("answer12", None),
        ("my_answer1", None),
        ("", None),
    ],
)
def test_the_first_choice_that_a_text_names(text, word) -> None:
    choices = ["answer1", "answer2", "answer10"]
    assert predicted(instruction("answer1"), text, choices) == word
    assert is_right(instruction("answer2"), word) == (word == "answer2")


def test_choices_of_signs() -> None:
    record = {"instruction": "1 + 1?", "output": "it is (b)", "answer": "(b)"}
    assert predicted(record, "x (b).", ["(a)", "(b)", "c++"]) == "(b)"
    assert predicted(record, "c++ (b)", ["(a)", "(b)", "c++"]) == "c++"


def test_choices_that_begin_alike() -> None:
    record = {"instruction": "Where?", "output": "in New York", "answer": "New York"}
    assert predicted(record, "New York, New", ["New", "New York"]) == "New York"
    assert predicted(record, "New Yorkers", ["New", "New York"]) == "New"


def test_scripts_without_spaces() -> None:
    record = {"instruction": "?", "output": "答案是对", "answer": "对"}
    assert predicted(record, "答案是错。", ["对", "错"]) == "错"
    assert with_answer(record, "错")["output"] == "答案是错"
    mixed = {"instruction": "?", "output": "答案是answer1", "answer": "answer1"}
    assert predicted(mixed, "答案是answer2。", ["answer1", "answer2"]) == "answer2"
    cyrillic = {"instruction": "?", "output": "да", "answer": "да"}
    assert predicted(cyrillic, "дата: нет", ["да", "нет"]) == "нет"


def test_a_text_is_compared_as_a_whole_without_a_word_that_decides() -> None:
    assert predicted(chat("Ben"), " Ben\n", ["Ben", "Carl"]) == "Ben"
    assert is_right(chat(" Ben "), "Ben")
    assert not is_right(chat("Ben"), predicted(chat("Ben"), "Ben, I think", ["Ben", "Carl"]))
    free = {"instruction": "How many?", "output": "There are 3.", "answer": "3"}
    assert is_right(free, predicted(free, "3", None))
    assert is_right(free, predicted(free, "There are 3.", None))
    assert not is_right(free, predicted(free, "30", None))


def test_an_answer_without_its_word() -> None:
    with pytest.raises(ValueError, match="'true!' does not hold the word 'false'"):
        with_answer({"instruction": "?", "output": "true!", "answer": "false"}, "true")


# Choices


def test_choices_come_from_the_records_or_the_task_or_the_answers() -> None:
    records = [chat("Ben"), chat("Anna"), chat("Ben")]
    assert Task("t", records).choices == ("Anna", "Ben")
    assert Task("t", records, choices=["Ben", "Anna", "Carl"]).choices == ("Ben", "Anna", "Carl")
    named = Task("t", [chat("Ben", choices=["Ben", "Fay"]), chat("Gus", choices=["Gus", "Ben"])])
    assert named.choices == ("Ben", "Fay", "Gus")
    assert [named.offered(record) for record in named.records] == [("Ben", "Fay"), ("Gus", "Ben")]
    many = [chat(f"name{i}") for i in range(65)]
    assert Task("t", many).choices is None
    assert len(Task("t", many[:64]).choices) == 64
    assert Task("t", [chat("Ben")]).choices is None, "a single answer is no choice"


def test_choices_of_the_papers_tasks() -> None:
    records = [instruction("answer1"), instruction("answer1", "? answer1 answer2 answer3 answer4")]
    task = Task("ARC-c", records)
    assert task.choices == ("answer1", "answer2", "answer3", "answer4", "answer5")
    assert [len(task.offered(record)) for record in task.records] == [2, 4]
    other = Task("arc-c", [chat("Yes"), chat("No")])
    assert other.choices == ("No", "Yes"), "a task of that name with answers of its own"
    assert Task("boolq", [instruction("true", "Is it so?")]).choices == ("true", "false")


def test_the_first_records_keep_the_choices_of_all() -> None:
    records = [chat("Ben"), chat("Anna"), chat("Carl")]
    (task,) = read_tasks({"t": records}, limit=1)
    assert (len(task.records), task.choices) == (1, ("Anna", "Ben", "Carl"))
    many = {"t": [chat(f"name{i}") for i in range(65)]}
    assert read_tasks(many, limit=3)[0].choices is None


# Sources


def write(path: Path, records) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = map(json.dumps, records)
    path.write_text("\n".join(lines) if path.suffix == ".jsonl" else f"[{', '.join(lines)}]")
    return path


def names(tasks) -> list[str]:
    return [task.name for task in read_tasks(tasks)]


def test_files_and_folders(tmp_path, monkeypatch) -> None:
    two = [instruction("answer1"), instruction("answer2")]
    chains = write(tmp_path / "own" / "chains.jsonl", [chat("Ben"), chat("Anna")])
    write(tmp_path / "dataset" / "ARC-Easy" / "test.json", two)
    write(tmp_path / "dataset" / "obqa" / "test.jsonl", two)
    write(tmp_path / "dataset" / "ARC-Easy" / "train.json", two * 3)
    (tmp_path / "dataset" / "empty").mkdir()
    dataset = tmp_path / "dataset"
    assert names(chains) == ["chains"]
    assert names({"mine": str(chains)}) == ["mine"]
    assert names(dataset) == names([dataset]) == ["ARC-Easy", "obqa"]
    assert names([str(dataset / "obqa"), chains]) == ["obqa", "chains"]
    assert names(dataset / "ARC-Easy" / "test.json") == ["ARC-Easy"]
    assert names({"all": dataset}) == ["all/ARC-Easy", "all/obqa"]
    assert [len(task.records) for task in read_tasks(dataset)] == [2, 2]
    monkeypatch.chdir(dataset / "obqa")
    assert names(".") == ["obqa"]
    monkeypatch.chdir(dataset)
    assert names(["obqa"]) == ["obqa"], "a folder that is there goes before the hub"
    with pytest.raises(FileNotFoundError, match=r"holds neither test\.json nor folders"):
        read_tasks(dataset / "empty")


def test_records_and_tasks() -> None:
    records = [chat("Ben"), chat("Anna")]
    assert names(records) == ["records"]
    assert names([record["messages"] for record in records]) == ["records"]
    assert names([Task("a", records), Task("b", records)]) == ["a", "b"]
    assert names({"c": Task("a", records)}) == ["c"]
    assert names(Task("a", records)) == ["a"]


@pytest.mark.parametrize(
    ("tasks", "sentence"),
    [
        ({}, "there is no task"),
        ([], "there is no task"),
        ("hellaswagg", r"no task or file 'hellaswagg'; did you mean hellaswag"),
        ({"mine": "bolq"}, "did you mean boolq"),
        ("chess", r"no task or file 'chess'\. Allowed are boolq, piqa"),
        ({"empty": []}, "'empty': there are no records"),
        ({"t": [chat("Ben"), {"instruction": "Say yes."}]}, "'t': record 2 has no output"),
        (
            {"t": [chat("Ben", choices=["Ben", "A"]), chat("Gus", choices=["Ben", "A"])]},
            "'t': record 2 has the answer 'Gus', which is none of the choices Ben, A",
        ),
        ({"t": [chat("", tool_calls=[])]}, "'t': record 1"),
        ([Task("a", [chat("Ben")])] * 2, "two tasks are named 'a'"),
        ({"": [chat("Ben")]}, "a name is a string, not empty"),
    ],
)
def test_bad_tasks(tasks, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_tasks(tasks)


@pytest.mark.parametrize("choices", ["Ben", ["Ben", ""], [1, 2]])
def test_bad_choices(choices) -> None:
    with pytest.raises(ValueError, match="choices=.*; they are a list of strings, none empty"):
        Task("t", [chat("Ben")], choices)


def test_bad_sources(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.json' does not exist"):
        read_tasks("missing.json")
    with pytest.raises(FileNotFoundError, match="boolq' does not exist"):
        read_tasks(tmp_path / "boolq")
    with pytest.raises(TypeError, match="tasks are a mapping"):
        read_tasks(3)
    for limit in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match=f"limit={limit!r}; allowed are 1 or more"):
            read_tasks({"t": [chat("Ben")]}, limit)
    calls = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f"}}]}
    with pytest.raises(ValueError, match="'t': record 1: the last assistant turn says nothing"):
        read_tasks({"t": [[{"role": "user", "content": "Hi"}, calls]]})
