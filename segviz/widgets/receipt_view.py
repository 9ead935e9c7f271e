"""The receipt: one line that says whether the mask is really applied, and how that was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from segviz.widgets import assets
from segviz.widgets.base import View

if TYPE_CHECKING:
    from segviz.receipt import HeadCheck
    from segviz.trace import Trace

STATES = ("unknown", "checking", "ok", "failed")


class ReceiptView(View):
    """A small line that says whether the mask is applied, and unfolds into what was checked.

    >>> receipt = ReceiptView()
    >>> receipt.state, receipt.summary
    ('unknown', 'mask not checked yet')
    >>> receipt.state = "checking"
    >>> receipt.summary
    'checking the mask …'

    Raises:
        traitlets.TraitError: an unknown state, or details of another form.
    """

    _esm = assets.script("receipt_view.js")
    _css: ClassVar[Any] = assets.style("base.css", "receipt_view.css")

    state = traitlets.Enum(STATES, "unknown", help="How the check went, or that it goes on.").tag(
        sync=True
    )
    summary = traitlets.Unicode(help="The check in one line.").tag(sync=True)
    details = traitlets.List(
        traitlets.Dict(),
        help="What was checked: label, value, and ok: True, False, or None (not checked).",
    ).tag(sync=True)
    unfolded = traitlets.Bool(help="Whether the details are in sight.").tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # What was given, after the state has put its own words in its place.
        self.summary = kwargs.get("summary", _SUMMARIES[self.state])
        self.details = kwargs.get("details", [])

    @traitlets.observe("state")
    def _on_state(self, change: Mapping[str, Any]) -> None:
        # Words of an earlier check would contradict the new state.
        self.summary = _SUMMARIES[change["new"]]
        if change["new"] in ("unknown", "checking"):
            self.details = []

    @traitlets.validate("details")
    def _valid_details(self, proposal: Mapping[str, Any]) -> list[dict[str, Any]]:
        for detail in proposal["value"]:
            if set(detail) != {"label", "value", "ok"}:
                raise traitlets.TraitError(
                    f"details: each holds label, value and ok, not {', '.join(map(str, detail))}"
                )
        return proposal["value"]

    @classmethod
    def of(cls, trace: Trace, layer: int, head: int) -> ReceiptView:
        """The receipt of one head of a trace; no model is needed.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> ReceiptView.of(trace, layer=1, head=0).state
        'ok'

        Args:
            trace: a :class:`segviz.Trace`.
            layer: 0-based, or negative from the last one.
            head: a query head, likewise.

        Raises:
            IndexError, TypeError: as in :meth:`segviz.Trace.check`.
        """
        view = cls()
        receipt = trace.receipt
        view.show(trace.check(layer, head), () if receipt is None else receipt.rows)
        return view

    def show(self, check: HeadCheck, rows: Sequence[int] = ()) -> None:
        """Show what a check of one head found.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> view = ReceiptView()
        >>> view.show(trace.check(layer=1, head=0), trace.receipt.rows)
        >>> view.summary.split(":")[0]
        'mask checked'

        Args:
            check: as :meth:`segviz.Trace.check` returns it.
            rows: query positions at which the layer's output was compared.
        """
        unknown = check.output_error is None and check.masked_nonzero == 0 and _attended(check)
        with self.hold_sync():
            self.state = "ok" if check.ok else "unknown" if unknown else "failed"
            self.details = receipt_details(check, rows)
            self.summary = _summary(check)


_SUMMARIES = {
    "unknown": "mask not checked yet",
    "checking": "checking the mask …",
    "ok": "mask checked",
    "failed": "mask check failed",
}


def _attended(check: HeadCheck) -> bool:
    # Single cells may be 0 in float32; all of them are only where the mask was not applied.
    return check.added == 0 or check.added_nonzero > 0


def _reproduced(check: HeadCheck) -> bool | None:
    return None if check.output_error is None else check.output_error <= check.tolerance


def _summary(check: HeadCheck) -> str:
    if check.masked_nonzero:
        return f"mask check failed: {check.masked_nonzero:,} masked cells are not exactly 0"
    if not _attended(check):
        return f"mask check failed: none of {check.added:,} newly visible cells is above 0"
    if _reproduced(check) is None:
        return "mask not checked: this trace does not hold what its layers put out"
    if not _reproduced(check):
        return "mask check failed: captured attention does not give the layer's output"
    return (
        "mask checked: captured attention gives the layer's output; masked cells are exactly 0"
        + _newly_visible(check)
    )


def _newly_visible(check: HeadCheck) -> str:
    if not check.added:
        return ""
    if check.added_nonzero == check.added:
        return ", newly visible ones are not"
    return f", {check.added_nonzero:,} of {check.added:,} newly visible ones are not"


def receipt_details(check: HeadCheck, rows: Sequence[int] = ()) -> list[dict[str, Any]]:
    """The lines of a receipt: the evidence first, then what the captured pattern holds.

    >>> from segviz.receipt import HeadCheck
    >>> check = HeadCheck(masked=12345, masked_nonzero=0, added=812, added_nonzero=812,
    ...                   output_error=3e-7, tolerance=1e-4)
    >>> for line in receipt_details(check, rows=[1, 17]):
    ...     print(line["label"], "-", line["value"])
    captured attention gives the layer's output - largest relative error 3e-07 (allowed 1e-04), \
measured during the run at rows 1, 17
    masked cells that are not exactly 0 - 0 of 12,345, as it has to be: the pattern is computed \
under the mask
    newly visible cells above 0 - 812 of 812
    """
    error = "not known: this trace does not hold what the layer put out"
    if check.output_error is not None:
        at = f" at rows {', '.join(map(str, rows))}" if rows else ""
        error = (
            f"largest relative error {check.output_error:.0e} (allowed {check.tolerance:.0e}), "
            f"measured during the run{at}"
        )
    masked = f"{check.masked_nonzero:,} of {check.masked:,}"
    if check.masked_nonzero == 0:
        masked += ", as it has to be: the pattern is computed under the mask"
    added = f"{check.added_nonzero:,} of {check.added:,}" if check.added else "the mask adds none"
    return [
        {
            "label": "captured attention gives the layer's output",
            "value": error,
            "ok": _reproduced(check),
        },
        {
            "label": "masked cells that are not exactly 0",
            "value": masked,
            "ok": check.masked_nonzero == 0,
        },
        {
            "label": "newly visible cells above 0",
            "value": added,
            "ok": _attended(check) if check.added else None,
        },
    ]
