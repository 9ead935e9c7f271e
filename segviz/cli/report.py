"""Report: a comparison as lines of text for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from segviz.cli.terminal import Page, padded, shortened, wrapped
from segviz.labels import UNTUNED, columns_of, readable

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.segments import Segment
    from segviz.trace import Trace

WIDTH = 80

_INDENT = "  "
_HALF = 38
_BAR = 10
_TOKEN = 20
_NAME = 16


def lines(comparison: Comparison, top: int, page: Page) -> Iterator[str]:
    r"""The report: the model, the segments, both answers, and the place where they part.

    >>> import io
    >>> import segviz as sv
    >>> comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)
    >>> text = "\n".join(lines(comparison, 3, Page(io.StringIO())))
    >>> "segment mask, 2 tokens\n  Lena\n" in text
    True
    >>> max(map(len, text.splitlines())) <= WIDTH
    True

    Args:
        comparison: of two runs.
        top: how many next tokens of each distribution; fewer where the traces keep fewer.
        page: paints or does not.
    """
    causal, segment = comparison.causal, comparison.segment
    yield from wrapped(_model(segment), WIDTH)
    if segment.untuned:
        for line in wrapped(UNTUNED, WIDTH):
            yield page.paint(line, "note")
    yield ""
    yield from _segments(segment, page)
    yield ""
    if len(segment.tokens) > segment.prompt_length:
        for trace in (causal, segment):
            yield from _answer(trace, page)
            yield ""
    yield from wrapped(_place(comparison), WIDTH)
    yield ""
    yield from _distributions(comparison, top, page)


def place(comparison: Comparison) -> int:
    """The token position to report on: that which predicts the first differing token.

    Where the answers do not part, that of the largest divergence among those that predict the
    answer. Inside a bidirectional segment of the prompt a token position sees the tokens that
    follow it, so that what it predicts is no news there.
    """
    if comparison.parted:
        return comparison.position
    divergence = comparison.divergence()
    first = comparison.segment.prompt_length - 1
    # What the last token of an answer predicts was never asked for.
    predicting = range(first, max(first + 1, len(divergence) - 1))
    return max(predicting, key=lambda position: divergence[position])


def prompt_segments(trace: Trace) -> list[Segment]:
    """The segments of the prompt: all but the response."""
    return [one for one in trace.segmentation.segments if one.start < trace.prompt_length]


def _model(trace: Trace) -> str:
    recipe = trace.recipe
    adapter = f", adapter {recipe['adapter']}" if recipe.get("adapter") else ""
    return f"{recipe.get('model')}{adapter}, {recipe.get('dtype')}"


def _segments(trace: Trace, page: Page) -> Iterator[str]:
    segments = prompt_segments(trace)
    name = min(_NAME, max(7, *(columns_of(readable(one.name)) for one in segments)))
    head = f"{'segment':{name}}  start   stop  attention      text"
    yield page.paint(head, "bold")
    for one in segments:
        shown = padded(shortened(readable(one.name), name), name)
        front = f"{shown}  {one.start:>5}  {one.stop:>5}  {one.attention:13}  "
        text = "".join(map(readable, trace.tokens[one.start : one.stop]))
        yield front + shortened(text.strip(), WIDTH - columns_of(front))


def _answer(trace: Trace, page: Page) -> Iterator[str]:
    number = len(trace.tokens) - trace.prompt_length
    length = f"{number} token{'s' * (number != 1)}"
    yield page.paint(f"{trace.mask_kind} mask", trace.mask_kind) + page.paint(f", {length}", "dim")
    if not trace.generated_text.strip():
        yield f"{_INDENT}{page.paint('(no text)', 'dim')}"
        return
    for line in wrapped(trace.generated_text.strip(), WIDTH - len(_INDENT)):
        yield f"{_INDENT}{line}".rstrip()


def _place(comparison: Comparison) -> str:
    """Where the answers part, and how far apart the distributions are there."""
    position = place(comparison)
    amount = f"{comparison.divergence()[position]:.4g} nats"
    if not comparison.exact:
        amount = f"at least {amount}"
    if comparison.parted:
        causal, segment = (
            _quoted(trace, position + 1) for trace in (comparison.causal, comparison.segment)
        )
        return (
            f"They part at token position {position + 1}: {causal} under the causal mask, "
            f"{segment} under the segment mask. KL(segment || causal) there is {amount}."
        )
    if len(comparison.segment.tokens) == comparison.segment.prompt_length:
        return f"No answer was asked for. KL(segment || causal) behind the prompt is {amount}."
    return (
        "The answers do not part. Of the token positions that predict them, KL(segment || causal) "
        f"is largest at {position}: {amount}."
    )


def _quoted(trace: Trace, position: int) -> str:
    return f"“{shortened(readable(trace.tokens[position]), _TOKEN)}”"


def _distributions(comparison: Comparison, top: int, page: Page) -> Iterator[str]:
    position = place(comparison)
    head = f"what follows token position {position}, {_quoted(comparison.segment, position)}"
    yield page.paint(head, "bold")
    titles = [padded(f"{kind} mask", _HALF) for kind in ("causal", "segment")]
    yield _INDENT + "  ".join(
        page.paint(title.rstrip() if kind == "segment" else title, kind)
        for title, kind in zip(titles, ("causal", "segment"), strict=True)
    )
    columns = []
    for trace in (comparison.causal, comparison.segment):
        kept = min(top, trace.likely.ranks)
        columns.append([_bar(*one, page) for one in trace.next_tokens(position, kept)])
    for left, right in zip(*columns, strict=True):
        yield f"{_INDENT}{padded(left, _HALF)}  {right}".rstrip()


def _bar(token: str, probability: float, page: Page) -> str:
    label = shortened(readable(token), _TOKEN)
    return f"{probability:.4f} {page.bar(probability, _BAR)} {label}"
