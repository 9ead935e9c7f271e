"""The receipt view in Python: which check becomes which state, and in what words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from traitlets import TraitError

import segviz as sv
from segviz.receipt import HeadCheck
from segviz.widgets.receipt_view import ReceiptView

GOOD = HeadCheck(
    masked=1234,
    masked_nonzero=0,
    added=567,
    added_nonzero=567,
    output_error=2e-7,
    tolerance=1e-4,
)


def shown(**changes) -> ReceiptView:
    view = ReceiptView()
    view.show(replace(GOOD, **changes), rows=[0, 3, 17])
    return view


def passed(view: ReceiptView) -> list[bool | None]:
    """Of the layer's output, the masked cells, the newly visible ones."""
    return [detail["ok"] for detail in view.details]


@pytest.mark.parametrize(
    ("changes", "state", "oks", "said"),
    [
        ({}, "ok", [True, True, True], "masked cells are exactly 0, newly visible ones are not"),
        ({"output_error": 1e-4}, "ok", [True, True, True], "gives the layer's output"),
        ({"added": 0, "added_nonzero": 0}, "ok", [True, True, None], "masked cells are exactly 0"),
        ({"added_nonzero": 560}, "ok", [True, True, True], "560 of 567 newly visible ones are not"),
        ({"output_error": 2e-4}, "failed", [False, True, True], "not give the layer's output"),
        ({"output_error": float("nan")}, "failed", [False, True, True], "not give the layer's"),
        ({"masked_nonzero": 1000}, "failed", [True, False, True], "1,000 masked cells are not"),
        ({"added_nonzero": 0}, "failed", [True, True, False], "none of 567 newly visible cells"),
        ({"output_error": None}, "unknown", [None, True, True], "mask not checked: this trace"),
        # What is known to be wrong is wrong, whatever is not known.
        ({"output_error": None, "masked_nonzero": 1}, "failed", [None, False, True], "1 masked"),
        ({"output_error": None, "added_nonzero": 0}, "failed", [None, True, False], "none of 567"),
    ],
)
def test_a_check_becomes_a_state(changes, state, oks, said):
    view = shown(**changes)
    assert view.state == state
    assert passed(view) == oks
    assert said in view.summary
    assert (state == "ok") == replace(GOOD, **changes).ok == view.summary.startswith("mask checked")


def test_the_evidence_is_told_from_what_cannot_be_otherwise():
    output, masked, added = shown().details
    assert output["value"] == (
        "largest relative error 2e-07 (allowed 1e-04), measured during the run at rows 0, 3, 17"
    )
    assert masked["value"] == "0 of 1,234, as it has to be: the pattern is computed under the mask"
    assert added["value"] == "567 of 567"
    assert shown(masked_nonzero=3).details[1]["value"] == "3 of 1,234"
    assert "not known" in shown(output_error=None).details[0]["value"]


def test_a_new_state_has_its_own_words():
    view = shown()
    view.state = "checking"
    assert (view.summary, view.details) == ("checking the mask …", [])
    view.show(replace(GOOD, output_error=1.0))
    assert view.summary.startswith("mask check failed")
    view.state = "unknown"
    assert (view.summary, view.details) == ("mask not checked yet", [])
    assert ReceiptView(state="checking").summary == "checking the mask …"
    assert ReceiptView(state="ok", summary="as told").summary == "as told"


@pytest.mark.parametrize(
    "given", [{"state": "perfect"}, {"details": [{"label": "x", "value": "y"}]}, {"details": [1]}]
)
def test_refused(given):
    view = shown()
    for name, value in given.items():
        with pytest.raises(TraitError, match=name):
            setattr(view, name, value)
    assert view.state == "ok"


@pytest.mark.parametrize("mask", ["causal", "segment"])
def test_of_a_saved_trace(mask, tmp_path):
    trace = sv.load().trace(sv.examples["chain"], mask=mask, max_new_tokens=2)
    trace.save(tmp_path / "run.safetensors")
    loaded = sv.Trace.load(tmp_path / "run.safetensors")
    view = ReceiptView.of(loaded, layer=1, head=2)
    assert view.state == "ok"
    assert view.details == ReceiptView.of(trace, layer=1, head=2).details
    masked = int((~trace.mask()).sum())
    assert view.details[1]["value"].startswith(f"0 of {masked:,}, ")
    ahead = np.triu(trace.mask(), 1)
    above = int((trace.attention(1, 2)[ahead] > 0).sum())
    # Some probabilities of this head are too small for float32.
    counted = f"{above:,} of {ahead.sum():,}" if mask == "segment" else "the mask adds none"
    assert view.details[2]["value"] == counted
    assert (f"{counted} newly visible ones are not" in view.summary) == (0 < above < ahead.sum())
    rows = ", ".join(map(str, trace.receipt.rows))
    assert view.details[0]["value"].endswith(f"at rows {rows}")


def test_of_no_such_head():
    trace = sv.load().trace(sv.examples["chain"])
    with pytest.raises(IndexError):
        ReceiptView.of(trace, layer=99, head=0)
