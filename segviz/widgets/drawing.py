"""Drawing: the views as pictures, for places where no page runs (a saved notebook on GitHub).

Matplotlib figures without pyplot, so that nobody's figures are touched. Light theme only: a saved
picture does not know who will look at it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from segviz.labels import is_special, readable
from segviz.masks import causal_mask, segment_mask
from segviz.segments import Segmentation
from segviz.widgets import scale
from segviz.widgets.palette import CAUSAL, DECODE, INK, MUTED, SEGMENTS

if TYPE_CHECKING:
    from segviz.widgets.explorer_view import ExplorerView

Dicts = Sequence[Mapping[str, Any]]
_DPI = 110
_CHARACTERS = 112
_LINE = 0.42
_LINES = 14
_LIMIT = 90_000  # bytes of a picture: it is saved with the notebook


def strip_png(tokens: Sequence[str], segments: Dicts) -> bytes:
    """The token strip as PNG."""
    lines = _wrapped(tokens)
    figure = _figure(9.2, _LINE * len(lines) + 0.15)
    _strip(figure.add_axes((0, 0, 1, 1)), tokens, segments, lines)
    return _png(figure)


def mask_png(segments: Dicts, mask: str, window: int | None, prompt_length: int | None) -> bytes:
    """The mask as PNG."""
    figure = _figure(4.4, 4.6)
    _mask(figure.add_axes((0.12, 0.1, 0.85, 0.78)), segments, mask, window, prompt_length)
    return _png(figure)


def attention_png(
    encoded: scale.Encoded, segments: Dicts, prompt_length: int | None, title: str
) -> bytes:
    """The heat map as PNG."""
    figure = _figure(4.4, 4.6)
    axes = figure.add_axes((0.12, 0.1, 0.85, 0.78))
    _attention(axes, encoded, segments, prompt_length, title)
    return _png(figure)


def answer_png(causal: Mapping[str, Any], segment: Mapping[str, Any], untuned: str) -> bytes:
    """The answers as PNG."""
    figure = _figure(9.2, 0.95)
    _answers(figure.add_axes((0, 0, 1, 1)), causal, segment, untuned)
    return _png(figure)


def explorer_png(view: ExplorerView) -> bytes:
    """All views of an explorer as one PNG."""
    lines = _wrapped(view.strip.tokens)
    strip = _LINE * len(lines) + 0.15
    height = 0.35 + strip + 4.7 + 1.0
    figure = _figure(9.2, height)
    figure.text(
        0.012, 1 - 0.1 / height, view.title or "segviz", va="top", color=INK, weight="bold", size=10
    )
    top = height - 0.35 - strip
    _strip(
        figure.add_axes((0, top / height, 1, strip / height)),
        view.strip.tokens,
        view.strip.segments,
        lines,
    )
    box = [(x, 0.45 / height, 0.43, 3.96 / height) for x in (0.055, 0.555)]
    mask = view.mask
    _mask(figure.add_axes(box[0]), mask.segments, mask.mask, mask.window, mask.prompt_length)
    axes = figure.add_axes(box[1])
    shown = view.attention.encoded
    if shown is None:
        axes.axis("off")
    else:
        attention = view.attention
        _attention(axes, shown, attention.segments, attention.prompt_length, attention.heading)
    answer = view.answer
    _answers(
        figure.add_axes((0, (top - 0.9) / height, 1, 0.85 / height)),
        answer.causal,
        answer.segment,
        answer.untuned,
    )
    return _png(figure)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(buffer, format="png")
    if buffer.tell() <= _LIMIT:
        return buffer.getvalue()
    return _smaller(Image.open(buffer))


def _smaller(picture: Image.Image) -> bytes:
    """The picture with fewer colours, then fewer pixels, until it is small enough to be saved."""
    for share in (1.0, 0.7, 0.5):
        buffer = io.BytesIO()
        size = (round(picture.width * share), round(picture.height * share))
        reduced = (
            picture.convert("RGB")
            .resize(size)
            .quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        )
        reduced.save(buffer, format="png", optimize=True)
        if buffer.tell() <= _LIMIT:
            break
    return buffer.getvalue()


def _color(index: int) -> str:
    return SEGMENTS[index % len(SEGMENTS)]


def _tint(color: str, share: float) -> tuple[float, ...]:
    return tuple(1 - share * (1 - part) for part in to_rgb(color))


def _wrapped(tokens: Sequence[str]) -> list[list[tuple[int, str, float]]]:
    """Lines of (token position, label, column), in characters of a fixed width."""
    lines: list[list[tuple[int, str, float]]] = [[]]
    column = 0.0
    for position, token in enumerate(tokens):
        label = readable(token)[:_CHARACTERS]
        if column + len(label) > _CHARACTERS and lines[-1]:
            if len(lines) == _LINES:
                lines[-1].append((position, "…", column))
                break
            lines.append([])
            column = 0.0
        lines[-1].append((position, label, column))
        column += len(label)
    return lines


def _strip(
    axes: Axes, tokens: Sequence[str], segments: Dicts, lines: list[list[tuple[int, str, float]]]
) -> None:
    axes.set(xlim=(-1.2, _CHARACTERS + 1.2), ylim=(len(lines) + 0.1, -0.25))
    axes.axis("off")
    owner = {
        position: index
        for index, segment in enumerate(segments)
        for position in range(segment["start"], segment["stop"])
    }
    for row, line in enumerate(lines):
        for position, label, column in line:
            index = owner.get(position, 0)
            segment, color = segments[index], _color(index)
            causal = segment["attention"] == "causal"
            width = len(label)
            axes.add_patch(
                Rectangle(
                    (column, row + 0.3), width, 0.55, color=_tint(color, 0.1 if causal else 0.25),
                    linewidth=0,
                )
            )  # fmt: skip
            axes.plot(
                [column, column + width], [row + 0.87] * 2,
                color=color, linewidth=1.4, linestyle=":" if causal else "-",
            )  # fmt: skip
            axes.text(
                column, row + 0.6, _plain(label), va="center", size=9, family="monospace",
                color=MUTED if is_special(tokens[position]) else INK,
            )  # fmt: skip
            if position == segment["start"]:
                axes.text(
                    column, row + 0.24, _plain(segment["name"]), va="bottom", size=6.5,
                    color=color, weight="bold",
                )  # fmt: skip
                if position:
                    axes.plot([column] * 2, [row + 0.22, row + 0.92], color=color, linewidth=2.2)


def _mask(
    axes: Axes, segments: Dicts, mask: str, window: int | None, prompt_length: int | None
) -> None:
    segmentation = Segmentation.from_dict({"segments": segments})
    length = segmentation.length
    image = np.ones((length, length, 3))
    if mask == "segment":
        visible = segment_mask(segmentation, window=window)
        for index, segment in enumerate(segments):
            rows = np.s_[segment["start"] : segment["stop"]]
            image[rows][visible[rows]] = to_rgb(_color(index))
    image[causal_mask(length, window=window)] = to_rgb(CAUSAL)
    axes.imshow(image, interpolation="nearest" if length <= 400 else "antialiased")  # noqa: PLR2004 - about the picture's pixels
    _finish(axes, segments, length, length, 1, prompt_length, f"{mask.capitalize()} mask")


def _attention(
    axes: Axes, encoded: scale.Encoded, segments: Dicts, prompt_length: int | None, title: str
) -> None:
    data = encoded.data
    image = scale.table(encoded.kind)[data] / 255
    image[data == scale.MASKED] = 1
    axes.imshow(image, interpolation="nearest")
    rows, columns = data.shape
    _finish(axes, segments, rows, columns, encoded.factor, prompt_length, title or "Attention")


def _finish(
    axes: Axes,
    segments: Dicts,
    rows: int,
    columns: int,
    factor: int,
    prompt_length: int | None,
    title: str,
) -> None:
    offset = max(0, columns - rows)
    axes.set_title(_plain(title), loc="left", size=9, color=INK, pad=14, weight="bold")
    axes.set_ylabel("query", size=8, color=MUTED)
    axes.set_xlabel("key", size=8, color=MUTED)
    axes.tick_params(labelsize=7, colors=MUTED, length=2)
    for side in axes.spines.values():
        side.set_color("#d9dde4")
    for index, segment in enumerate(segments):
        start, stop = (segment[name] / factor for name in ("start", "stop"))
        if index and segment["start"] != prompt_length:
            axes.axvline(start - 0.5, color=INK, linewidth=0.6)
            if start > offset:
                axes.axhline(start - offset - 0.5, color=INK, linewidth=0.6)
        if stop - start > (0.014 * len(segment["name"]) + 0.005) * columns:
            axes.text(
                (start + stop) / 2 - 0.5, -0.5 - 0.012 * rows, _plain(segment["name"]),
                ha="center", va="bottom", size=7, color=_color(index), weight="bold",
            )  # fmt: skip
    if prompt_length is not None and prompt_length / factor < columns:
        at = prompt_length / factor - 0.5
        axes.axvline(at, color=DECODE, linewidth=1.2, linestyle=(0, (4, 3)))
        if at > offset:
            axes.axhline(at - offset, color=DECODE, linewidth=1.2, linestyle=(0, (4, 3)))


def _answers(
    axes: Axes, causal: Mapping[str, Any], segment: Mapping[str, Any], untuned: str
) -> None:
    axes.set(xlim=(0, 2), ylim=(0, 1))
    axes.axis("off")
    for side, (name, answer) in enumerate([("causal mask", causal), ("segment mask", segment)]):
        left = side + 0.024
        text = "".join(readable(token) for token in answer["tokens"]).strip() or answer["state"]
        axes.text(left, 0.88, name, va="top", size=8, color=INK, weight="bold")
        limit = 60
        axes.text(
            left, 0.58, _plain(text if len(text) <= limit else text[:limit] + "…"),
            va="top", size=9, color=INK,
        )  # fmt: skip
    if untuned:
        axes.text(0.024, 0.08, _plain(untuned), va="bottom", size=7, color="#6b4a00")


def _plain(text: str) -> str:
    """Text as data: matplotlib would read dollar signs as mathematics."""
    return text.replace("$", r"\$")
