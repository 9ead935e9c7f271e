"""A comparison of two real runs, and its page: what is painted, pointed at and read out."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import segviz as sv
from segviz.widgets import CompareView
from segviz.widgets.scale import table

LAYER, HEAD = 1, 0
_CELLS = """([index, rows, columns]) => {
  const canvas = document.querySelectorAll(".sv-compare-panel canvas.sv-image")[index];
  const context = canvas.getContext("2d");
  const [wide, high] = [canvas.width / columns, canvas.height / rows];
  const cells = [];
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
    const [x, y] = [Math.ceil(column * wide), Math.ceil(row * high)];
    const side = Math.max(1, Math.floor(Math.min(wide, high)) - 1);
    const all = context.getImageData(x, y, side, side).data;
    const middle = 4 * (Math.floor(side / 2) * side + Math.floor(side / 2));
    let solid = true;
    for (let at = 3; at < all.length; at += 4) solid &&= all[at] === 255;
    cells.push([...all.slice(middle, middle + 3), solid]);
  }
  return cells;
}"""


@cache
def comparison() -> sv.Comparison:
    """Of the embedded model, on 38 prompt tokens; the answers part at once."""
    return sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)


@cache
def known() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Values and visibility of causal, segment and difference, straight from the traces."""
    n = comparison().shared_length
    shared = np.s_[:n, :n]
    arrays, masks = [], []
    for trace in (comparison().causal, comparison().segment):
        arrays.append(trace.attention(LAYER, HEAD)[shared])
        masks.append(trace.mask(LAYER)[shared])
    return [*arrays, arrays[1] - arrays[0]], [*masks, masks[0] | masks[1]]


def view_of(**traits: Any) -> CompareView:
    """All of it, for one head."""
    view = CompareView.of(comparison(), LAYER, HEAD)
    view.update(**traits)
    return view


def painted(page: Any, index: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Colours ``[row, column, 3]``, and whether a cell is painted all over."""
    cells = np.array(page.evaluate(_CELLS, [index, *shape])).reshape(*shape, 4)
    return cells[..., :3], cells[..., 3].astype(bool)


def bytes_of(colors: np.ndarray, kind: str, seen: np.ndarray | None = None) -> np.ndarray:
    """The entry of the colour table that each colour is; 0 where nothing is seen."""
    distance = np.abs(colors[:, :, None, :] - table(kind)[1:].astype(int)).sum(axis=-1)
    seen = np.ones(colors.shape[:2], bool) if seen is None else seen
    assert distance.min(axis=-1)[seen].max() == 0, "a colour that is not in the table"
    return np.where(seen, distance.argmin(axis=-1) + 1, 0)


def hover(page: Any, index: int, row: int, column: int, *, rows: int, columns: int) -> None:
    """Put the pointer on a cell of one of the three pictures."""
    plot = page.locator(".sv-compare-panel .sv-plot").nth(index)
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(
        box["x"] + box["width"] * (column + 0.5) / columns,
        box["y"] + box["height"] * (row + 0.5) / rows,
    )


def numbers(page: Any) -> list[str]:
    """What is read out: causal, segment, difference."""
    return page.locator(".sv-compare-number").all_inner_texts()


def wait_numbers(page: Any) -> list[str]:
    """The exact ones: those from the bytes have a ≈ in front."""
    page.wait_for_function(
        "[...document.querySelectorAll('.sv-compare-number')].every((one) => one.textContent && "
        "!one.textContent.includes('≈')) && !document.querySelector('.sv-compare-values').hidden"
    )
    return numbers(page)


def spoken(number: float) -> str:
    """As the page writes numbers: up to five decimals, none of them a trailing zero."""
    size = abs(number)
    if size == 0:
        return "0"
    if size < 0.0001:
        text = f"{size:.1e}"
        mantissa, exponent = text.split("e")
        return f"{'−' if number < 0 else ''}{mantissa}e-{-int(exponent)}"
    text = f"{size:.{3 if size >= 0.1 else 4 if size >= 0.01 else 5}f}".rstrip("0").rstrip(".")
    return f"−{text}" if number < 0 else text
