"""The prompt as running text: its segments, and what one query attends to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from segviz.charts.axis import Span
from segviz.charts.look import Look, Part, checked_position, positions
from segviz.charts.naming import head_of, only_run, what_of
from segviz.labels import readable
from segviz.scales import Scale, limit_of

if TYPE_CHECKING:
    from segviz.patterns import Head
    from segviz.trace import Trace


@dataclass(frozen=True, eq=False, slots=True)
class Text:
    """Tokens with their segments, shaded by the attention of one query.

    Args:
        title: what it shows.
        labels: of each token.
        start: the first token position shown.
        values: float32 ``[token]``, NaN where the query sees nothing; None without a layer.
        query: the index of the shading query among the tokens shown; None if it is not there.
        spans: the segments in sight, in tokens shown.
        border: where decoding starts among the tokens shown; None where that is out of sight.
        scale: how a number becomes a shade.
        limit: where the shades end.
    """

    title: str
    labels: tuple[str, ...]
    start: int
    values: np.ndarray | None
    query: int | None
    spans: tuple[Span, ...]
    border: int | None
    scale: Scale
    limit: float


def tokens(
    trace: Trace,
    layer: int | None = None,
    head: Head | None = None,
    *,
    query: int | None = None,
    scale: Scale = "sqrt",
    limit: float | None = None,
    hide_first: bool = False,
    keys: Part = None,
) -> Text:
    """The text of a run, shaded by what one query attends to.

    >>> import segviz as sv
    >>> chart = tokens(sv.load().trace(sv.examples["chain"]), layer=2, head=0, keys="user")
    >>> chart.spans[0].name, chart.title
    ('user', 'Layer 2, head 0, segment mask: attention of token 38, the last of the prompt')

    Args:
        trace: what a run left behind.
        layer: whose attention; None: no shading.
        head: whose attention; None: the mean over the heads of the layer.
        query: the token position that attends; None: the last one of the prompt, which expects the
            first token of the answer.
        scale: how a number becomes a shade.
        limit: where the shades end; None: at the largest number shown.
        hide_first: leave the first token out of the shading.
        keys: which tokens to show: a segment's name, or ``(start, stop)`` in token positions.

    Raises:
        TypeError: a comparison, which has two runs.
        IndexError: no such layer, head or token position.
        ValueError: a head or a query without a layer; a part that is not there; an unknown scale,
            or a limit that is no positive number.
    """
    trace, look = only_run(trace), Look(scale, limit)
    part = positions(keys, trace.segmentation, "keys")
    spans = tuple(
        Span(
            max(0, s.start - part.start),
            min(part.stop, s.stop) - part.start,
            s.name,
            number,
            s.attention,
        )
        for number, s in enumerate(trace.segmentation.segments)
        if s.start < part.stop and s.stop > part.start
    )
    shading = _shading(trace, layer, head, query, part, hide_first=hide_first)
    values, at, title = shading
    end = 1.0
    if values is not None:
        seen = np.isfinite(values)
        end = look.limit or limit_of(np.nan_to_num(values), seen, scale) or 1.0
    border = trace.prompt_length - part.start
    return Text(
        title=title,
        labels=tuple(readable(token) for token in trace.tokens[part]),
        start=part.start,
        values=values,
        query=at - part.start if at is not None and part.start <= at < part.stop else None,
        spans=spans,
        border=border if 0 < border < part.stop - part.start else None,
        scale=scale,
        limit=float(end),
    )


def _shading(
    trace: Trace,
    layer: int | None,
    head: Head | None,
    query: int | None,
    part: slice,
    *,
    hide_first: bool,
) -> tuple[np.ndarray | None, int | None, str]:
    if layer is None:
        if head is not None or query is not None:
            raise ValueError("head= and query= shade the tokens of one layer: name it, layer=…")
        return None, None, f"{trace.mask_kind.capitalize()} mask"
    length = len(trace.tokens)
    at = trace.prompt_length - 1 if query is None else checked_position(query, length, "query")
    which = "mean" if head is None else head
    values, visible = trace.tiles(layer, which).tile(slice(at, at + 1), slice(0, length))
    row = np.where(visible[0], values[0], np.float32(np.nan))
    if hide_first:
        row[0] = np.nan
    name = f"{head_of(trace, layer, which)}, {what_of(trace)}"
    last = ", the last of the prompt" if at == trace.prompt_length - 1 else ""
    return row[part], at, f"{name}: attention of token {at}{last}"
