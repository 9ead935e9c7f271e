"""What a hand does in the views, and what an eye sees there."""

from __future__ import annotations

from typing import Any

CELL = """(root, [view, row, column]) => {
  const canvas = root.querySelector(`${view} canvas.sv-image`);
  const bars = root.querySelector(`${view} .sv-matrix`).dataset;
  const x = ((column + 0.5) * canvas.width) / Number(bars.columns);
  const y = ((row + 0.5) * canvas.height) / Number(bars.rows);
  return [...canvas.getContext("2d").getImageData(Math.floor(x), Math.floor(y), 1, 1).data];
}"""


def cell_color(root: Any, view: str, row: int, column: int) -> list[int]:
    """RGBA in the middle of a matrix cell; ``root`` is a locator around the view."""
    return root.evaluate(CELL, [view, row, column])


CELLS = """(root, view) => {
  const canvas = root.querySelector(`${view} canvas.sv-image`);
  const { rows, columns } = root.querySelector(`${view} .sv-matrix`).dataset;
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const middle = (index, count, side) => Math.floor(((index + 0.5) * side) / count);
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => {
      const at = 4 * (middle(row, rows, height) * width + middle(column, columns, width));
      return [...pixels.subarray(at, at + 4)];
    }),
  );
}"""


def cell_colors(root: Any, view: str) -> list[list[list[int]]]:
    """RGBA in the middle of every cell of a matrix that is in sight as a whole."""
    return root.evaluate(CELLS, view)


def hover_cell(root: Any, view: str, row: int, column: int) -> None:
    """Put the pointer on a matrix cell."""
    plot = root.locator(f"{view} .sv-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    data = root.locator(f"{view} .sv-matrix").evaluate("(matrix) => ({...matrix.dataset})")
    plot.page.mouse.move(
        box["x"] + box["width"] * (column + 0.5) / int(data["columns"]),
        box["y"] + box["height"] * (row + 0.5) / int(data["rows"]),
    )


def token_point(root: Any, index: int) -> tuple[float, float]:
    """A quarter of a token from its left edge: nearer to it than to any other, in any font."""
    token = root.locator(f".sv-token[data-token='{index}']")
    token.scroll_into_view_if_needed()
    box = token.bounding_box()
    return box["x"] + box["width"] / 4, box["y"] + box["height"] / 2


def handle_point(root: Any, index: int) -> tuple[float, float]:
    """The middle of the handle between segments ``index`` and ``index + 1``."""
    handle = root.locator(".sv-handle:not([hidden])").nth(index)
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(
    page: Any,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    steps: int = 8,
    release: bool = True,
) -> None:
    """Press at one point, move to another, and let go unless told otherwise."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=steps)
    if release:
        page.mouse.up()


def segments(root: Any) -> list[tuple[str, int]]:
    """Names and first tokens of the segments, as the strip shows them."""
    return root.evaluate(
        """(root) => {
          const labels = [...root.querySelectorAll(".sv-label:not([hidden])")];
          const handles = [...root.querySelectorAll(".sv-handle:not([hidden])")];
          return labels.map((label, index) => [
            label.lastChild.textContent,
            index ? Number(handles[index - 1].getAttribute("aria-valuenow")) : 0,
          ]);
        }"""
    )
