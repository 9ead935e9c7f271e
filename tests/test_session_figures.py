"""Figures of a session: what it shows now, whatever that is."""

from __future__ import annotations

from typing import Any

import pytest
import reference

import segviz as sv

_KINDS = ("attention", "comparison", "mask", "heads", "flow", "tokens", "arcs")


def recipe_of(session: sv.Session, kind: str, **options: Any) -> dict[str, Any]:
    figure: Any = session.figure(kind, **options)
    return figure.recipe


@pytest.mark.parametrize("view", ["causal", "segment", "difference"])
@pytest.mark.parametrize("reduce", ["head", "mean", "max"])
def test_every_kind_of_every_view(view, reduce) -> None:
    session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4).wait()
    session.view, session.reduce, session.layer, session.head = view, reduce, 1, 2
    for kind in _KINDS:
        recipe = recipe_of(session, kind)
        masks = ["causal", "segment"]
        both = kind == "comparison" or (
            view == "difference" and kind in ("attention", "heads", "flow")
        )
        expected = masks if both else [view if view in masks else "segment"]
        assert [run["mask"] for run in recipe["traces"]] == expected
        if kind in ("attention", "comparison", "tokens", "arcs"):
            head = 2 if reduce == "head" else reduce
            assert (recipe["arguments"]["layer"], recipe["arguments"]["head"]) == (1, head)


def test_the_mask_of_a_layer_with_a_window() -> None:
    model = sv.Model(reference.make("qwen2-windowed"), reference.tokenizer())
    session = sv.Session(model, reference.random_prompt(23, 1), max_new_tokens=2).wait()
    session.layer = 1
    assert recipe_of(session, "mask")["arguments"]["layer"] == 1
    assert recipe_of(session, "mask", layer=0)["arguments"]["layer"] == 0


@pytest.mark.parametrize("view", ["causal", "segment"])
def test_a_pinned_token_that_a_run_does_not_have_is_not_marked(view) -> None:
    session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=16).wait()
    session.view = view
    count = len(getattr(session.comparison, view).tokens)
    # An answer may end early, so that positions are allowed which only another answer has.
    for position, marked in ((count - 1, [count - 1]), (count, [])):
        session.pinned = position
        for kind in _KINDS:
            arguments = recipe_of(session, kind)["arguments"]
            assert arguments.get("highlight", marked) == marked
