"""What a figure shows, read back from its artists after it was drawn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import segviz as sv
from segviz.figures.drawing.cells import Mesh, Picture
from segviz.patterns import CapturedLayer

WORDS = (" a", " word", " internationalisation", ".", "<|end|>", " Åse", "\n", "  ", "⟨", " $x$")


DPI = 400
"""So many that the rounding of text to pixels does not matter."""


def draw(figure: Figure) -> Figure:
    """Draw a figure, so that everything is where it will be."""
    figure.set_dpi(DPI)
    FigureCanvasAgg(figure).draw()
    return figure


def texts(figure: Figure) -> list[Any]:
    """All texts that can be seen."""
    found: list[Any] = figure.findobj(Text)
    return [
        one
        for one in found
        if one.get_visible()
        and one.get_text().strip()
        and (one.axes is None or one.axes.axison or one in one.axes.texts)
    ]


def line_sets(axes: Axes) -> list[Any]:
    """The sets of lines in axes."""
    return [one for one in axes.collections if isinstance(one, LineCollection)]


def words(figure: Figure) -> list[str]:
    """What they say."""
    return [one.get_text() for one in texts(figure)]


def fields(figure: Figure) -> list[Mesh | Picture]:
    """The cells of every panel."""
    return figure.findobj(lambda one: isinstance(one, Mesh | Picture))  # type: ignore[reportReturnType]


def numbers(figure: Figure) -> list[np.ma.MaskedArray]:
    """The numbers of every panel, as matplotlib has them."""
    return [np.ma.asarray(one.get_array()) for one in fields(figure)]


def panels(figure: Figure) -> list[Axes]:
    """The axes that hold cells."""
    return [one.axes for one in fields(figure)]  # type: ignore[reportReturnType]


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts whose boxes share more than a rounding."""
    draw(figure)
    slack = 0.15 * DPI / 72
    boxes = [(one.get_text(), one.get_window_extent()) for one in texts(figure)]
    return [
        (a, b)
        for (a, box), (b, other) in combinations(boxes, 2)
        if min(box.x1, other.x1) - max(box.x0, other.x0) > slack
        and min(box.y1, other.y1) - max(box.y0, other.y0) > slack
    ]


def cut_off(figure: Figure) -> list[str]:
    """What reaches beyond the figure."""
    draw(figure)
    page = Bbox(figure.bbox.get_points() + np.array([[-0.5, -0.5], [0.5, 0.5]]))
    artists: list[Any] = [*texts(figure), *figure.axes, *fields(figure)]
    boxes = [(str(one), one.get_window_extent()) for one in artists]
    for lines in figure.findobj(LineCollection):
        boxes += [(str(lines), Bbox([one.min(axis=0), one.max(axis=0)])) for one in pixels(lines)]
    return [
        f"{name} {box}"
        for name, box in boxes
        if not (page.contains(box.x0, box.y0) and page.contains(box.x1, box.y1))
    ]


def pixels(lines: Any) -> list[np.ndarray]:
    """Lines ``[point, 2]`` where they are on the figure."""
    return [lines.get_transform().transform(np.asarray(one)) for one in lines.get_segments()]


def random_trace(
    segments: Sequence[tuple[str, int]], new: int = 0, seed: int = 0, heads: int = 4
) -> sv.Trace:
    """A trace of random queries and keys, 2 layers, with tokens of several lengths.

    Args:
        segments: names and lengths; those that end in ``!`` are causal.
        new: generated tokens.
        seed: of all that is random.
        heads: query heads on 2 KV heads.
    """
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    parts, start = [], 0
    for name, length in [*segments, *([("response!", new)] if new else [])]:
        kind = "causal" if name.endswith("!") else "bidirectional"
        parts.append(sv.Segment(start, start + length, name.rstrip("!"), kind))
        start += length
    layers = [
        CapturedLayer(
            torch.randn(heads, start, 8, generator=generator) * 2,
            torch.randn(2, start, 8, generator=generator) * 2,
            scale=8**-0.5,
        )
        for _ in range(2)
    ]
    return sv.Trace(
        tokens=tuple(rng.choice(WORDS) for _ in range(start)),
        token_ids=tuple(range(start)),
        prompt_length=start - new,
        generated_text="",
        segmentation=sv.Segmentation(parts),
        mask_kind="segment",
        layers=layers,
        likely=None,  # type: ignore[reportArgumentType]
        recipe={"model": "random"},
        decode=str,
    )


def chat(length: int, new: int = 4, seed: int = 0) -> sv.Trace:
    """A trace of a chat of so many tokens in all."""
    prompt = length - new
    rest = prompt - 2
    parts = [("bos!", 1), ("system", rest // 4), ("user", rest - rest // 4), ("assistant!", 1)]
    return random_trace(parts, new, seed)
