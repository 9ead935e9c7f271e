"""Records, what an encoder makes of them, and batches."""

from __future__ import annotations

import json

import encoded
import numpy as np
import pytest
import reference
import templates
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from segviz.data import IGNORED, Collator, Encoded, Encoder, data_hash, read_records
from segviz.prompts import chat_prompt, text_prompt


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


CHAT = [
    turn("system", "You are kind."),
    turn("user", "Who reads the letter?"),
    turn("assistant", "The baker."),
    turn("user", "Who writes it?"),
    turn("assistant", "The captain reads it, too."),
]
QUESTION = {"instruction": "Who reads?", "input": "The baker reads it.", "output": "the baker"}


def answers(tokenizer, one: Encoded) -> list[str]:
    """The runs of scored tokens, as text."""
    edges = np.flatnonzero(np.diff([0, *one.scored.astype(int), 0]))
    ids = one.token_ids
    return [
        tokenizer.decode(ids[start:stop])
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    ]


# Encoding


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llama3", ["The baker.<|eot_id|>", "The captain reads it, too.<|eot_id|>"]),
        ("llama31", ["The baker.<|eot_id|>", "The captain reads it, too.<|eot_id|>"]),
        ("qwen25", ["The baker.<|im_end|>", "The captain reads it, too.<|im_end|>"]),
        (
            "qwen3",
            [
                "The baker.<|im_end|>",
                "<think>\n\n</think>\n\nThe captain reads it, too.<|im_end|>",
            ],
        ),
        ("phi3", ["The baker.<|end|>", "The captain reads it, too.<|end|>"]),
        ("plain", [" The baker.", " The captain reads it, too."]),
    ],
)
def test_answers_are_scored_through_the_end_of_their_turn(name, expected) -> None:
    tokenizer = templates.tokenizer(name)
    one = Encoder(tokenizer)({"messages": CHAT})
    assert answers(tokenizer, one) == expected
    assert one.scored[-1]
    last = Encoder(tokenizer, answers="last")({"messages": CHAT})
    assert answers(tokenizer, last) == expected[1:]
    assert last.token_ids == one.token_ids


@pytest.mark.parametrize("name", [name for name in templates.NAMES if name != "unclosed"])
def test_the_prompt_is_what_inference_would_see(name) -> None:
    tokenizer = templates.tokenizer(name)
    encoder = Encoder(tokenizer)
    one, prompt = encoder({"messages": CHAT}), encoder.prompt({"messages": CHAT})
    seen = chat_prompt(tokenizer, CHAT[:-1])
    assert one.token_ids[: one.prompt_length] == prompt.token_ids == seen.token_ids
    assert prompt.segmentation == seen.segmentation
    blocks = seen.segmentation.block_ids()
    np.testing.assert_array_equal(one.block_ids[: one.prompt_length], blocks)
    assert (one.block_ids[one.prompt_length :] == -1).all()


def test_a_whole_chat_is_what_the_template_writes() -> None:
    tokenizer = templates.tokenizer("llama3")
    ids = tokenizer.apply_chat_template(CHAT, return_dict=True)["input_ids"]
    assert Encoder(tokenizer)({"messages": CHAT}).token_ids == tuple(ids)


def test_a_generation_prompt_that_does_not_begin_the_answer() -> None:
    encoder = Encoder(templates.tokenizer("unclosed"))
    with pytest.raises(ValueError, match=r"in another way than the prompt .* ends with '.*<think>"):
        encoder({"messages": CHAT})


@pytest.mark.parametrize("contents", ["Yes", "Yes\n", "Yes. "])
def test_where_a_template_closes_no_turn_the_end_of_sequence_does(contents) -> None:
    family = templates.Family(templates.PLAIN.replace("| trim", ""), eos="<|eos|>")
    tokenizer = templates.build(family)
    chat = [turn("user", "Hi"), turn("assistant", contents)]
    one = Encoder(tokenizer)({"messages": chat})
    assert one.token_ids[-1] == tokenizer.eos_token_id
    assert tokenizer.eos_token_id not in one.token_ids[:-1]
    # White space that shares its token with a full stop cannot be taken off.
    assert answers(tokenizer, one)[0].replace("\n", "") in (" Yes<|eos|>", " Yes.<|eos|>")


def test_a_turn_that_a_tool_call_ends() -> None:
    tokenizer = templates.tokenizer("qwen25")
    call = {"function": {"name": "read", "arguments": {}}}
    chat = [turn("user", "Hi"), turn("assistant", "Well") | {"tool_calls": [call]}]
    one = Encoder(tokenizer)({"messages": chat})
    assert answers(tokenizer, one)[0].endswith("</tool_call><|im_end|>")


def test_tools_are_written_into_the_prompt() -> None:
    tokenizer = templates.tokenizer("qwen25")
    tools = [{"type": "function", "function": {"name": "baker", "parameters": {}}}]
    prompt = Encoder(tokenizer).prompt({"messages": CHAT, "tools": tools})
    assert '"baker"' in prompt.text
    assert prompt.token_ids == chat_prompt(tokenizer, CHAT[:-1], tools=tools).token_ids


def test_contents_in_parts() -> None:
    encoder = Encoder(templates.tokenizer("qwen25"))
    parts = [
        {**message, "content": [{"type": "text", "text": message["content"]}]} for message in CHAT
    ]
    one, other = encoder({"messages": parts}), encoder({"messages": CHAT})
    assert one.token_ids == other.token_ids


@pytest.mark.parametrize("scheme", ["commonsense", "alpaca"])
def test_an_instruction_in_a_scheme(scheme) -> None:
    tokenizer = templates.build(templates.Family("", bos="<|bos|>", eos="<|eos|>"))
    encoder = Encoder(tokenizer, scheme)
    one, prompt = encoder(QUESTION), encoder.prompt(QUESTION)
    assert one.token_ids[: one.prompt_length] == prompt.token_ids
    assert answers(tokenizer, one) == ["the baker<|eos|>"]
    if scheme == "commonsense":
        seen = text_prompt(tokenizer, prompt.text, " ###")
        assert (prompt.token_ids, prompt.segmentation) == (seen.token_ids, seen.segmentation)
        assert one.block_ids[one.prompt_length - 1] != -1


def test_an_output_does_not_change_the_prompt_it_stands_behind() -> None:
    """Written as one text, the prompt's last space would be a part of the output's first token."""
    words = {"<unk>": 0, "a": 1, " ": 2, " a": 3, "</s>": 4, "#": 5, "\n": 6}
    backend = Tokenizer(models.BPE(words, [(" ", "a")], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Sequence([])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    encoder = Encoder(tokenizer, "commonsense")
    one = encoder({"instruction": "a", "output": "a"})
    prompt = encoder.prompt({"instruction": "a"})
    assert prompt.token_ids[-1] == 2
    assert one.token_ids == (*prompt.token_ids, 1, 4)
    assert tokenizer(prompt.text + "a")["input_ids"][-1] == 3


def test_an_instruction_as_a_chat() -> None:
    encoder = Encoder(templates.tokenizer("qwen25"))
    content = f"{QUESTION['instruction']}\n\n{QUESTION['input']}"
    chat = [turn("user", content), turn("assistant", QUESTION["output"])]
    one, other = encoder(QUESTION), encoder({"messages": chat})
    assert one.token_ids == other.token_ids
    np.testing.assert_array_equal(one.scored, other.scored)


def test_a_preset_cuts_the_prompt_and_not_the_answer() -> None:
    tokenizer = templates.tokenizer("qwen25")
    one = Encoder(tokenizer, preset="system+user", answers="last")({"messages": CHAT})
    two = Encoder(tokenizer, answers="last")({"messages": CHAT})
    assert one.token_ids == two.token_ids
    assert len(set(two.block_ids)) == len(set(one.block_ids)) + 1
    causal = Encoder(tokenizer, preset="causal")({"messages": CHAT})
    assert (causal.block_ids == -1).all()


def test_an_earlier_answer_inside_a_bidirectional_segment() -> None:
    with pytest.raises(
        ValueError, match=r"scored and stands in a bidirectional .*answers=\"last\""
    ):
        Encoder(templates.tokenizer("qwen25"), preset="prefix-LM")({"messages": CHAT})


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({"scheme": "alpacca"}, "scheme='alpacca' is unknown.*did you mean 'alpaca'"),
        ({"preset": "prefix"}, "preset='prefix' is unknown"),
        ({"answers": "first"}, "answers='first' is unknown; allowed are 'all', 'last'"),
    ],
)
def test_encoders_of_unknown_names(argument, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        Encoder(templates.tokenizer("qwen25"), **argument)


def test_what_is_encoded_fits_together() -> None:
    with pytest.raises(ValueError, match="3 token ids, 2 block ids and 3 scored flags"):
        Encoded((1, 2, 3), np.zeros(2), np.zeros(3, bool), 1)


# Records


def test_records_of_files(tmp_path) -> None:
    rows = [CHAT, {"messages": CHAT, "id": 3}, QUESTION | {"answer": "x", "choices": ["x", "y"]}]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    lines = "\r\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8-sig")
    expected = [{"messages": CHAT}, *rows[1:]]
    assert read_records(rows) == expected
    assert read_records(iter(rows)) == expected
    assert read_records(str(tmp_path / "a.json")) == expected
    assert read_records(tmp_path / "a.jsonl") == expected
    assert data_hash(read_records(tmp_path / "a.jsonl")) == data_hash(expected)


def test_a_line_separator_within_a_string_ends_no_record(tmp_path) -> None:
    row = QUESTION | {"output": "one\u2028two\x85three"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    assert read_records(tmp_path / "a.jsonl") == [row]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (3, "record 2 is 3; a record is a chat"),
        ("Hi", "record 2 is 'Hi'; a record is a chat"),
        ({"text": "Hi"}, "record 2 has the fields text; a record is"),
        ({"instruction": "Hi"}, "record 2 has no output; it is a string that is not empty"),
        ({"instruction": "Hi", "output": " "}, "record 2 has the output ' '"),
        ({"instruction": "", "output": "x"}, "record 2 has the instruction ''"),
        (QUESTION | {"input": 3}, "record 2 has the input 3; it is a string"),
        (QUESTION | {"answer": 1}, "record 2 has the answer 1; it is a string"),
        (QUESTION | {"choices": "ab"}, "record 2 has the choices 'ab'; they are a list"),
        (QUESTION | {"choices": ["a"], "answer": "b"}, "answer 'b', which is none of"),
        ([], "record 2 has the messages [];"),
        (CHAT[:-1], "record 2 ends with the role 'user'; .* end it with an assistant turn"),
        (CHAT[2:3], "record 2 is an answer to nothing"),
        ([CHAT[1], turn("assistant", " ")], "record 2 ends with an empty assistant turn"),
        ([turn("bot", "Hi"), CHAT[2]], "record 2, message 1, has the role 'bot'; allowed are"),
        ([turn("user", None), CHAT[2]], "record 2, message 1, has the content None"),
        (["Hi", CHAT[2]], "record 2, message 1, is 'Hi'; a message is"),
    ],
)
def test_bad_records_are_named(tmp_path, row, sentence) -> None:
    pattern = sentence.replace("[", r"\[").replace("]", r"\]")
    with pytest.raises(ValueError, match=pattern):
        read_records([QUESTION, row])
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(QUESTION)}\n{json.dumps(row)}\n")
    with pytest.raises(ValueError, match=r"^line 2 of '.*a\.jsonl'"):
        read_records(path)


def test_sources_that_hold_no_records(tmp_path) -> None:
    for name, text, sentence in [
        ("a.json", "{}", "holds {}; a list of records is needed"),
        ("b.json", "[", "is no JSON"),
        ("c.jsonl", '{"a": 1}\n{', "line 1 of .* has the fields a"),
        ("d.jsonl", "\n", "there are no records of '.*d.jsonl'"),
        ("e.csv", "", "ends with '.csv'"),
    ]:
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=sentence):
            read_records(tmp_path / name)
    with pytest.raises(ValueError, match="there are no records; give at least one"):
        read_records([])
    with pytest.raises(FileNotFoundError, match="nowhere.json' does not exist"):
        read_records("nowhere.json")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read_records(tmp_path)
    with pytest.raises(TypeError, match="records are a list"):
        read_records(CHAT[0])


# Batches


def sides(records, side):
    """Where each record stands in a batch."""
    longest = max(len(one.token_ids) for one in records)
    for row, one in enumerate(records):
        start = longest - len(one.token_ids) if side == "left" else 0
        yield row, one, slice(start, start + len(one.token_ids))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("mask", ["segment", "causal"])
def test_a_batch_is_its_records_beside_each_other(side, mask) -> None:
    config = reference.make("llama").config
    records = encoded.records(6, seed=3)
    batch = Collator(config, 2, mask, side)(records)
    kept = batch["logits_to_keep"]
    length = batch["input_ids"].shape[1]
    assert batch["labels"].shape == (6, kept)
    for row, one, span in sides(records, side):
        real = np.zeros(length, bool)
        real[span] = True
        ids = batch["input_ids"][row].numpy()
        assert ids[real].tolist() == list(one.token_ids)
        assert (ids[~real] == 2).all()
        assert batch["position_ids"][row].numpy()[real].tolist() == list(range(real.sum()))
        segments = encoded.segmentation(one) if mask == "segment" else None
        expected = np.eye(length, dtype=bool)
        expected[span, span] = reference.dense_mask(segments, int(real.sum()))
        if side == "right":  # behind a record, padding may look back: nobody looks at it
            expected[~real] = batch["attention_mask"][row, 0].numpy()[~real]
        np.testing.assert_array_equal(batch["attention_mask"][row, 0].numpy(), expected)
        labels = np.full(length + 1, IGNORED)
        for position in np.flatnonzero(one.scored):
            labels[span.start + position - 1] = one.token_ids[position]
        np.testing.assert_array_equal(batch["labels"][row].numpy(), labels[:-1][-kept:])
    assert (batch["labels"][:, 0] == IGNORED).all(), "Trainer leaves the first column out"
    assert (batch["labels"] != IGNORED).sum() == sum(one.scored.sum() for one in records)


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_answer_behind_a_single_token(side) -> None:
    """What the first position predicts is counted and scored, too."""
    hf_model = reference.make("qwen2")
    ids = (5, 6, 7)
    one = Encoded(ids, np.full(3, -1), np.array([False, True, True]), 1)
    batch = Collator(hf_model.config, 2, "segment", side)([one, one])
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = hf_model(**batch).logits
        expected = hf_model(torch.tensor([ids])).logits[0]
    assert logits.shape[:2] == labels.shape
    assert (labels[:, 0] == IGNORED).all()
    assert labels[labels != IGNORED].tolist() == [6, 7, 6, 7]
    torch.testing.assert_close(logits[0][labels[0] != IGNORED], expected[:2])


def test_sliding_windows() -> None:
    records = encoded.records(5, seed=9)
    expected = {}
    for name in reference.WINDOWED:
        config = reference.make(name).config
        expected[name] = Collator(config, 2, "segment", "right")(records)["attention_mask"]
    mapping = expected["qwen2-windowed"]
    assert sorted(mapping) == ["full_attention", "sliding_attention"]
    for found, window in [
        (expected["mistral"], 7),
        (mapping["sliding_attention"], 5),
        (mapping["full_attention"], None),
    ]:
        for row, one, span in sides(records, "right"):
            rule = reference.dense_mask(encoded.segmentation(one), len(one.token_ids), window)
            np.testing.assert_array_equal(found[row, 0, span, span].numpy(), rule)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_eager_attention_gets_numbers_to_add(dtype) -> None:
    model = reference.make("llama")
    records = encoded.records(3)
    seen = Collator(model.config, 2)(records)["attention_mask"]
    model.set_attn_implementation("eager")
    added = Collator(model.config, 2, dtype=dtype)(records)["attention_mask"]
    assert added.dtype == dtype
    assert torch.equal(added == 0, seen)
    assert (added[~seen] == torch.finfo(dtype).min).all()


def test_batches_that_cannot_be_made() -> None:
    config = reference.make("llama").config
    with pytest.raises(ValueError, match="mask='both' is unknown"):
        Collator(config, 2, "both")
    with pytest.raises(ValueError, match="padding_side='top' is unknown"):
        Collator(config, 2, padding_side="top")
    config._attn_implementation = "flash_attention_2"
    with pytest.raises(NotImplementedError, match=r"takes no dense mask.*implementation\('sdpa'\)"):
        Collator(config, 2)
