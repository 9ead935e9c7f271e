"""What an eye would complain of: text on text, and text that is hardly seen."""

from __future__ import annotations

from typing import Any

import numpy as np

_COLORS = """(elements) => elements.map((element) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  const read = (color) => {
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
  };
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    layers.unshift(getComputedStyle(at).backgroundColor);
  }
  layers.forEach(read);
  const behind = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  read(getComputedStyle(element).color);
  return [behind, [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)];
})"""


_OVERLAPS = """(root) => {
  const shown = (one) => one.checkVisibility({ visibilityProperty: true });
  const leaves = [...root.querySelectorAll("*")].filter((one) =>
    shown(one) && !one.closest(".sv-plot, select, canvas") && [...one.childNodes].some(
      (child) => child.nodeType === 3 && child.textContent.trim()));
  const boxes = [...leaves, ...root.querySelectorAll(".sv-plot, .sv-divergence-plot canvas")]
    .filter(shown).map((one) => {
      // Text that is cut off by its box, or by one around it, ends there.
      const range = document.createRange();
      range.selectNodeContents(one);
      const own = one.getBoundingClientRect();
      const text = one.matches(".sv-plot, canvas") ? own : range.getBoundingClientRect();
      let [left, right, top, bottom] = [text.left, text.right, text.top, text.bottom];
      for (let at = one; at; at = at.parentElement) {
        if (getComputedStyle(at).overflowX === "visible") continue;
        const box = at.getBoundingClientRect();
        [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
        [top, bottom] = [Math.max(top, box.top), Math.min(bottom, box.bottom)];
      }
      const name = one.textContent.slice(0, 30) || one.className;
      return { one, left, right, top, bottom, text: name };
    });
  const found = [];
  for (const [index, a] of boxes.entries()) for (const b of boxes.slice(index + 1)) {
    if (a.one.contains(b.one) || b.one.contains(a.one)) continue;
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1.5 && high > 3) found.push([a.text, b.text, wide, high]);
  }
  return found;
}"""


def overlaps(root: Any) -> list[list[Any]]:
    """Texts and plots that stand on each other: both texts, and by how many pixels."""
    return root.evaluate(_OVERLAPS)


def backgrounds(locator: Any) -> list[list[int]]:
    """What is painted behind each element's text, RGB."""
    return [behind for behind, _text in locator.evaluate_all(_COLORS)]


def contrasts(locator: Any) -> list[float]:
    """Of texts with what is behind them, as WCAG defines it."""

    def luminance(color: list[int]) -> float:
        parts = np.array(color) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    pairs = [sorted(map(luminance, colors)) for colors in locator.evaluate_all(_COLORS)]
    return [(high + 0.05) / (low + 0.05) for low, high in pairs]
