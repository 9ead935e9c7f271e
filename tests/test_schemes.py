"""Schemes: instructions to the letter, and where their segments are."""

from __future__ import annotations

import pytest
import templates
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

import segviz as sv
from segviz.prompts import SCHEMES, instruction_prompt, text_prompt

QUESTION = "Is the letter read on Sunday?\n\nAnswer format: true/false"
CONTEXT = "The baker reads it on Sunday. 😀"

# As commomsense_evaluate.py of LLM-Adapters prints them.
COMMONSENSE = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request. \n\n                ### Instruction:\n                Who leads?\n\n"
    "                ### Response:\n                "
)
COMMONSENSE_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.\n\n"
    "                ### Instruction:\n                Who leads?\n\n"
    "                ### Input:\n                Ben leads.\n\n"
    "                ### Response:\n                "
)
ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\nWho leads?\n\n### Response:\n"
)
ALPACA_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\nWho leads?\n\n### Input:\nBen leads.\n\n### Response:\n"
)


def byte_tokenizer(*, separator: bool) -> PreTrainedTokenizerFast:
    """A byte-level BPE to which `` ###`` is one token, or four."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    corpus = [*templates.CORPUS, *([" ###   "] * 500 if separator else [])]
    backend.train_from_iterator(corpus, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    assert ("Ġ###" in made.get_vocab()) == separator
    return made


@pytest.fixture(params=[True, False], ids=["one-token", "several-tokens"])
def tokenizer(request) -> PreTrainedTokenizerFast:
    return byte_tokenizer(separator=request.param)


@pytest.mark.parametrize(
    ("scheme", "context", "expected"),
    [
        ("commonsense", "", COMMONSENSE),
        ("commonsense", "Ben leads.", COMMONSENSE_WITH_INPUT),
        ("alpaca", "", ALPACA),
        ("alpaca", "Ben leads.", ALPACA_WITH_INPUT),
    ],
)
def test_layouts_to_the_letter(tokenizer, scheme, context, expected) -> None:
    prompt = instruction_prompt(
        tokenizer, {"instruction": "Who leads?", "input": context, "output": "Ben"}, scheme
    )
    assert prompt.text == expected
    assert tokenizer.decode(prompt.token_ids) == expected
    if not context:
        for same in ("Who leads?", {"instruction": "Who leads?", "input": None}):
            assert instruction_prompt(tokenizer, same, scheme) == prompt


@pytest.mark.parametrize("context", ["", CONTEXT])
def test_commonsense_is_cut_at_the_separator(tokenizer, context) -> None:
    record = {"instruction": QUESTION, "input": context}
    prompt = instruction_prompt(tokenizer, record, "commonsense")
    same = text_prompt(tokenizer, prompt.text, " ###")
    assert (prompt.token_ids, prompt.segmentation) == (same.token_ids, same.segmentation)
    assert (prompt.kind, prompt.split) == ("text", " ###")
    ids = prompt.token_ids
    parts = [tokenizer.decode(ids[s.start : s.stop]) for s in prompt.segmentation.segments]
    assert "".join(parts) == prompt.text
    assert len(parts) == (4 if context else 3)
    # Each ends behind a separator, and holds no other.
    assert [part.index(" ###") + 4 - len(part) for part in parts[:-1]] == [0] * (len(parts) - 1)
    assert parts[-1] == " Response:\n" + " " * 16
    assert {one.attention for one in prompt.segmentation.segments} == {"bidirectional"}


@pytest.mark.parametrize("context", ["", CONTEXT])
def test_alpaca_has_system_user_and_assistant(tokenizer, context) -> None:
    record = {"instruction": QUESTION, "input": context}
    prompt = instruction_prompt(tokenizer, record, "alpaca")
    ids, segments = prompt.token_ids, prompt.segmentation.segments
    assert [(one.name, one.attention) for one in segments] == [
        ("system", "bidirectional"),
        ("user", "bidirectional"),
        ("assistant", "causal"),
    ]
    system, user, assistant = (tokenizer.decode(ids[one.start : one.stop]) for one in segments)
    assert system + "###" == prompt.text[: len(system) + 3]
    assert "###" not in system
    assert user.startswith("### Instruction:\n" + QUESTION)
    assert user.endswith((context or QUESTION) + "\n\n")
    assert assistant == "### Response:\n"


def test_headers_within_an_instruction(tokenizer) -> None:
    """Alpaca segments stand where they were written; the separator cuts wherever it stands."""
    text = "What does ### Response:\n stand for, and ### Instruction:\n?"
    alpaca = instruction_prompt(tokenizer, text, "alpaca")
    assert [one.name for one in alpaca.segmentation.segments] == ["system", "user", "assistant"]
    ids, user = alpaca.token_ids, alpaca.segmentation.segments[1]
    assert text in tokenizer.decode(ids[user.start : user.stop])
    assert len(instruction_prompt(tokenizer, text, "commonsense").segmentation.segments) == 5


def test_the_bos_token_is_a_causal_segment() -> None:
    model = sv.load()
    for scheme in SCHEMES:
        prompt = model.prompt("Who leads Anna?", scheme=scheme)
        first = prompt.segmentation.segments[0]
        assert (first.length, first.name, first.attention) == (1, "bos", "causal"), scheme
        assert prompt.token_ids.count(model.tokenizer.bos_token_id) == 1, scheme


def test_chat_goes_through_the_template() -> None:
    model = sv.load()
    record = {"instruction": "Who leads Anna?", "input": "Ben leads Anna.", "answer": "Ben"}
    content = "Who leads Anna?\n\nBen leads Anna."
    assert model.prompt(record, scheme="chat") == model.chat([{"role": "user", "content": content}])
    alone = model.chat([{"role": "user", "content": "Who leads Anna?"}])
    assert model.prompt("Who leads Anna?", scheme="chat") == alone
    assert model.prompt("Who leads Anna?").segmentation != alone.segmentation


def test_without_a_scheme_the_text_stays() -> None:
    model = sv.load()
    model.scheme = "alpaca"
    assert model.prompt("Who leads?").text == "Who leads?"


def test_an_instruction_is_written_in_the_scheme_of_the_adapter() -> None:
    model = sv.load()
    model.scheme = "alpaca"
    record = {"instruction": "Who leads?", "input": "Ben leads."}
    expected = model.prompt(record, scheme="alpaca")
    assert model.prompt(record) == expected != model.prompt(record, scheme="chat")
    assert model.trace(record).token_ids == expected.token_ids


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sessions_keep_them(scheme, tmp_path) -> None:
    model = sv.load()
    prompt = model.prompt({"instruction": "Who leads?", "input": "Ben leads."}, scheme=scheme)
    edited = prompt.segmentation.split(9)
    session = sv.Session(model, prompt, max_new_tokens=0)
    session.segmentation = edited
    session.save(tmp_path / "session.json")
    session.close()
    opened = sv.open_session(tmp_path / "session.json", model)
    assert (opened.prompt.token_ids, opened.segmentation) == (prompt.token_ids, edited)
    assert opened.template == prompt.segmentation
    opened.close()


@pytest.mark.parametrize(
    ("instruction", "scheme", "error", "sentence"),
    [
        ("Hi", "comonsense", ValueError, "'comonsense' is unknown.*did you mean 'commonsense'"),
        ("Hi", "xyz", ValueError, "allowed are 'chat', 'commonsense', 'alpaca'$"),
        ("Hi", None, ValueError, "scheme=None is unknown"),
        ("", "alpaca", ValueError, "the instruction '' is empty"),
        (" \n", "commonsense", ValueError, "is empty"),
        ({"instruction": ""}, "chat", ValueError, "is empty"),
        ({}, "alpaca", ValueError, "no 'instruction' among no keys"),
        ({"question": "Hi", "output": "x"}, "alpaca", ValueError, "among 'question', 'output'"),
        ({"instructions": "Hi"}, "alpaca", ValueError, "'instructions'.*mean 'instruction'"),
        ({"instruction": "Hi", "Input": "x"}, "alpaca", ValueError, "'Input'.*mean 'input'"),
        ({"instruction": "Hi", "inputs": "x"}, "alpaca", ValueError, "'inputs'.*mean 'input'"),
        ({"instruction": 3}, "alpaca", TypeError, "'instruction' is a text, not 3"),
        ({"instruction": "Hi", "input": ["x"]}, "chat", TypeError, r"'input' is a text, not \["),
        (["Hi"], "alpaca", TypeError, "an instruction is a text, or a mapping"),
    ],
)
def test_what_is_refused(tokenizer, instruction, scheme, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        instruction_prompt(tokenizer, instruction, scheme)


def test_a_scheme_and_a_delimiter() -> None:
    with pytest.raises(ValueError, match="split='x' and scheme='alpaca' both say where"):
        sv.load().prompt("Hi", split="x", scheme="alpaca")


def test_other_columns_of_a_record_are_left_alone(tokenizer) -> None:
    record = {"instruction": "Hi", "output": "Ho", "answer": "Ho", "choices": ["Ho"], "id": 3}
    assert instruction_prompt(tokenizer, record, "alpaca") == instruction_prompt(
        tokenizer, "Hi", "alpaca"
    )
