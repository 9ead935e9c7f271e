"""Segmentations by name, and edits that survive where the text did not change."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import hypothesis.strategies as st
import pytest
import templates
from hypothesis import given

from segviz.prompts import PRESETS, Prompt, carried, chat_prompt, lost, presets, text_prompt
from segviz.segments import Segment, Segmentation

CHAT = [
    {"role": "system", "content": "Answer briefly. You are kind."},
    {"role": "user", "content": "The captain writes 3.14 letters!\n\nWho reads them? 北京。東京。"},
]


def pieces(prompt: Prompt, segmentation: Segmentation) -> list[tuple[str, str]]:
    return [
        (segment.name, "".join(prompt.tokens[segment.start : segment.stop]))
        for segment in segmentation.segments
    ]


@pytest.mark.parametrize("name", templates.NAMES)
def test_presets_of_all_templates(name) -> None:
    prompt = chat_prompt(templates.tokenizer(name), CHAT)
    found = presets(prompt.tokens, prompt.segmentation)
    assert set(found) <= set(PRESETS)
    assert found["segment"] == prompt.segmentation
    assert found["causal"].boundaries == prompt.segmentation.boundaries
    assert (found["causal"].block_ids() == -1).all()
    assert len(found["prefix-LM"].segments) == 1 + ("bos" in str(prompt.segmentation))
    assert found["prefix-LM"].segments[-1].attention == "bidirectional"
    for by in ("by sentence", "by paragraph"):
        assert set(prompt.segmentation.boundaries) < set(found[by].boundaries), by
    # Every sentence stands in a piece of its own, whatever is wrapped around it.
    sentences = [text for _, text in pieces(prompt, found["by sentence"])]
    for sentence in ("Answer briefly.", "You are kind.", "3.14 letters!", "Who reads them?"):
        (holder,) = [text for text in sentences if sentence in text]
        assert not any(
            other in holder
            for other in ("briefly", "kind", "letters!", "reads")
            if other not in sentence
        )


def test_sentences_and_paragraphs() -> None:
    prompt = chat_prompt(templates.tokenizer("llama3"), CHAT)
    found = presets(prompt.tokens, prompt.segmentation)
    header = "<|start_header_id|>{}<|end_header_id|>\n\n".format
    (first, second) = pieces(prompt, found["by paragraph"])[2:4]
    assert first == ("user.1", header("user") + "The captain writes 3.14 letters!\n\n")
    assert second[0] == "user.2"
    assert second[1].startswith("Who reads them?")
    assert second[1].endswith("<|eot_id|>")
    # "。" is three tokens here: none of them is a sentence by itself.
    assert [name for name, _ in pieces(prompt, found["by sentence"])] == [
        "bos", "system.1", "system.2", "user.1", "user.2", "user.3", "user.4", "assistant",
    ]  # fmt: skip
    merged = pieces(prompt, found["system+user"])
    assert [name for name, _ in merged] == ["bos", "system+user", "assistant"]


def test_what_cannot_differ_is_not_offered() -> None:
    prompt = text_prompt(templates.tokenizer("qwen25"), "One, two")
    found = presets(prompt.tokens, prompt.segmentation)
    assert list(found) == ["segment", "causal", "prefix-LM"]


@pytest.mark.parametrize(
    ("tokens", "cuts"),
    [
        (["." * 64] * 1000 + ["x"], 0),
        (['."'] * 50_000 + ["x"], 0),
        (["\n", " "] * 30_000, 0),
        (["x", "\n"] + [" ", "\n"] * 30_000 + ["y"], 30_001),
        (["\n"] * 50_000 + ["x."] + ["\n", "\t"] * 30_000, 0),
    ],
)
def test_rows_of_dots_and_blank_lines_take_linear_time(tokens, cuts) -> None:
    found = presets(tokens, Segmentation([Segment(0, len(tokens), "text")]))
    assert len(found.get("by sentence", found["segment"]).boundaries) == cuts


def as_prompt(text: str, segmentation: Segmentation | None = None) -> Prompt:
    """One token a letter; by default one segment."""
    segmentation = segmentation or Segmentation([Segment(0, len(text), "text")])
    return Prompt([ord(letter) for letter in text], list(text), text, segmentation)


def test_without_edits_the_new_template_holds() -> None:
    old, new = as_prompt("abcdef"), as_prompt("abXef", Segmentation([Segment(0, 5, "other")]))
    assert carried(old, old.segmentation, new) == new.segmentation


TWO = Segmentation([Segment(0, 4, "system"), Segment(4, 10, "user")])


@pytest.mark.parametrize(
    ("edit", "text", "expected"),
    [
        # (edit, new text, name:start of what comes out); the template cuts before every "U".
        (lambda s: s.split(2), "abcdUfgXij", "system:0 system 2:2 user:4"),
        (lambda s: s.split(7), "abcdUfgXXXij", "system:0 user:4 user 2:7"),
        (lambda s: s.split(7), "abXXXcdUfghij", "system:0 user:7 user 2:10"),
        (lambda s: s.move_boundary(0, 2), "abcdUfgX", "system:0 user:2"),
        (lambda s: s.move_boundary(0, 6), "abcdUfghijZZ", "system:0 user:6"),
        # What the boundary was moved into is gone: the template's place.
        (lambda s: s.move_boundary(0, 8), "abcdUf", "system:0 user:4"),
        (lambda s: s.merge(0), "abcdUfgX", "system:0"),
        (lambda s: s.rename(1, "task"), "abXdUfgX", "system:0 task:4"),
        (lambda s: s.set_attention(0, "causal"), "abcdUfgX", "system:0c user:4"),
        # A turn that is new comes from the template, and the edit before it stays.
        (lambda s: s.split(2), "abcdUfghijUxy", "system:0 system 2:2 user:4 user 2:10"),
        (lambda s: s.split(2), "UUUU", "system:0 user:1 user 2:2 user 3:3"),
    ],
)
def test_edits_survive_where_the_text_is_still_there(edit, text, expected) -> None:
    old = as_prompt("abcdUfghij", edit(TWO))
    cuts = [0, *(at for at, letter in enumerate(text) if letter == "U" and at), len(text)]
    names = ["system", "user", "user 2", "user 3"]
    template = Segmentation(
        Segment(start, stop, name) for start, stop, name in zip(cuts, cuts[1:], names, strict=False)
    )
    result = carried(old, TWO, as_prompt(text, template))
    found = [
        f"{one.name}:{one.start}{'c' if one.attention == 'causal' else ''}"
        for one in result.segments
    ]
    assert " ".join(found) == expected


@st.composite
def edited_prompts(draw):
    def segmentation(length: int) -> Segmentation:
        cuts = sorted(draw(st.sets(st.integers(1, max(1, length - 1)), max_size=4)))
        bounds = [0, *(cut for cut in cuts if cut < length), length]
        kinds = st.sampled_from(["bidirectional", "causal"])
        return Segmentation(
            Segment(start, stop, draw(st.sampled_from("pqr")), draw(kinds))
            for start, stop in pairwise(bounds)
        )

    texts = [draw(st.text("abc", min_size=1, max_size=9)) for _ in range(2)]
    return *texts, *(segmentation(len(texts[i])) for i in (0, 0, 1))


@given(edited_prompts())
def test_any_edit_gives_segments_that_fit(drawn) -> None:
    before, after, template, edited, fresh = drawn
    old, new = as_prompt(before, edited), as_prompt(after, fresh)
    assert carried(old, template, new).length == len(after)
    # The same text keeps every edit.
    same = carried(old, template, replace(old, segmentation=template))
    assert same.boundaries == edited.boundaries


def test_a_long_prompt_is_compared_at_its_ends() -> None:
    text = "abcdefghij" * 400
    old = as_prompt("x" + text + "y", Segmentation([Segment(0, 4002, "text")]).split(1000))
    new = as_prompt("xx" + text[::-1] + "y")
    assert carried(old, Segmentation([Segment(0, 4002, "text")]), new).boundaries == ()


@pytest.mark.parametrize(
    ("edit", "text", "said"),
    [
        (lambda s: s.split(7).set_attention(0, "causal").rename(1, "x"), "abXcdUfgZhij", []),
        (lambda s: s.split(7), "abcdUXXXX", ["the boundary before 'h'"]),
        (
            lambda s: s.move_boundary(0, 8),
            "abcdUf",
            ["the boundary before 'i'", "the merge before 'U'"],
        ),
        (lambda s: s.merge(0), "abXXUYY", []),
        (lambda s: s.merge(0), "abXXYYij", ["the merge before 'U'"]),
        (
            lambda s: s.rename(1, "task").set_attention(1, "causal"),
            "abXXYYij",
            ["the name 'task'", "causal attention in 'task'"],
        ),
    ],
)
def test_lost_edits_are_named(edit, text, said) -> None:
    old = as_prompt("abcdUfghij", edit(TWO))
    cut = text.find("U") if "U" in text else 4
    template = Segmentation([Segment(0, cut, "system"), Segment(cut, len(text), "user")])
    new = as_prompt(text, template)
    assert lost(old, TWO, new.with_segmentation(carried(old, TWO, new))) == said
