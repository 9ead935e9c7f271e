"""The README's moving picture: a split, a drag and a merge in a real JupyterLab.

In ``tests/``: ``python -m browser.moving_picture ../assets/explorer.gif``

A picture of the page is taken after every step of the mouse, and shown for as long as the step
would take a hand. Nothing is drawn but the pointer, which headless browsers do not show.
"""

from __future__ import annotations

import argparse
from io import BytesIO
from math import ceil, cos, hypot, pi
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .actions import handle_point, token_point
from .conftest import settle
from .lab import NotebookPage
from .screenshot import DRAWN, notebook
from .test_explorer import NEEDED, RIGHT, WRONG, answer

# Of the page, in pixels: just wide enough for the names of the tokens beside mask and attention.
VIEWPORT = {"width": 1280, "height": 1400}
# Milliseconds: a step of the mouse, a button held in a click, a glance, and a look around.
STEP, PRESS, GLANCE, LOOK = 40, 120, 300, 1400
# Pixels that the mouse goes in a step, on average.
STRIDE = 24
# Where the second fact begins. The first one has no part in the answer.
SECOND = 13
MARGIN = 4
COLORS = 255  # of a GIF's 256, one stands for "as before"

POINTER = """() => {
  const pointer = document.createElement("div");
  pointer.style.cssText = "position: fixed; left: 0; top: 0; z-index: 99999; pointer-events: none";
  pointer.innerHTML = `
    <svg width="64" height="64" viewBox="-32 -32 64 64" style="margin: -32px 0 0 -32px">
      <circle r="13" fill="#d81b60" fill-opacity="0.15" stroke="#d81b60" stroke-width="1.5"/>
      <path d="M0 0 V20.5 L4.9 16 L8.2 23.6 L11.8 22 L8.5 14.6 H15 Z" fill="#000" stroke="#fff"
        stroke-width="1.5" stroke-linejoin="round"/>
    </svg>`;
  const pressed = pointer.querySelector("circle");
  pressed.style.display = "none";
  document.body.append(pointer);
  const follow = ({ type, clientX, clientY }) => {
    pointer.style.transform = `translate(${Math.round(clientX)}px, ${Math.round(clientY)}px)`;
    if (type !== "pointermove") pressed.style.display = type === "pointerdown" ? "" : "none";
  };
  for (const type of ["pointermove", "pointerdown", "pointerup"]) {
    addEventListener(type, follow, { capture: true });
  }
}"""
# All that is on the page belongs to the segments on the page.
UP_TO_DATE = """() => !document.querySelector(
  ".sv-busy, .sv-stale, .sv-outdated, .sv-answer:not([data-state=done])")"""


class Film:
    """Pictures of a part of a page, and the milliseconds that each is shown."""

    def __init__(self, page: Any, clip: dict[str, float]) -> None:
        self.page = page
        self.clip = clip
        self.frames: list[np.ndarray] = []
        self.durations: list[float] = []

    def take(self, milliseconds: float) -> None:
        """The page as it is now; the last picture stays longer where nothing has changed."""
        settle(self.page)
        picture = Image.open(BytesIO(self.page.screenshot(clip=self.clip))).convert("RGB")
        frame = np.asarray(picture)
        if self.frames and np.array_equal(frame, self.frames[-1]):
            self.durations[-1] += milliseconds
        else:
            self.frames.append(frame)
            self.durations.append(milliseconds)

    def save(self, target: Path) -> None:
        """One palette for all frames and no dithering: what does not change does not flicker."""
        first, *others = indexed(self.frames)
        first.save(
            target,
            save_all=True,
            append_images=others,
            duration=self.durations,
            loop=0,
            optimize=True,
        )


def indexed(frames: list[np.ndarray]) -> list[Image.Image]:
    """Frames in one palette: the most frequent colours as they are, and some near all others."""
    packed = [frame.astype(np.int32) @ [1 << 16, 1 << 8, 1] for frame in frames]
    colors, counts = np.unique(np.concatenate([p.ravel() for p in packed]), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    exact, others = np.split(colors[order], [COLORS // 4])
    spread = Image.fromarray(unpacked(others)[None]).quantize(
        COLORS - len(exact), Image.Quantize.MAXCOVERAGE, kmeans=2
    )
    palette = np.concatenate([unpacked(exact), np.reshape(spread.getpalette(), (-1, 3))])
    nearest = np.concatenate(
        [
            np.square(unpacked(part)[:, None].astype(int) - palette).sum(axis=-1).argmin(axis=1)
            for part in np.array_split(colors, ceil(len(colors) / 1000))
        ]
    ).astype(np.uint8)
    return [picture_of(nearest[np.searchsorted(colors, one)], palette) for one in packed]


def unpacked(colors: np.ndarray) -> np.ndarray:
    """RGB, in the last axis, of colours packed into one number each."""
    return np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=-1).astype(np.uint8)


def picture_of(indexes: np.ndarray, palette: np.ndarray) -> Image.Image:
    """A picture of places in a palette."""
    picture = Image.fromarray(indexes, mode="P")
    picture.putpalette(palette.astype(np.uint8).tobytes())
    return picture


class Hand:
    """The mouse. It speeds up, slows down, and is filmed on its way."""

    def __init__(self, film: Film, at: tuple[float, float]) -> None:
        self.film = film
        self.mouse = film.page.mouse
        self.at = at
        self.mouse.move(*at)

    def move(self, to: tuple[float, float], slower: float = 1) -> None:
        """Go somewhere, in a straight line."""
        (x, y), (right, down) = self.at, (to[0] - self.at[0], to[1] - self.at[1])
        steps = max(6, round(slower * hypot(right, down) / STRIDE))
        for step in range(1, steps + 1):
            part = (1 - cos(pi * step / steps)) / 2
            self.mouse.move(x + part * right, y + part * down)
            self.film.take(STEP)
        self.at = to

    def press(self) -> None:
        """Put a finger on the button."""
        self.mouse.down()
        self.film.take(PRESS)

    def click(self) -> None:
        """Press the button and let go of it."""
        self.press()
        self.mouse.up()


def play(lab: NotebookPage, film: Film) -> None:
    """What is shown, from the explorer as it was opened to the explorer as it was opened."""
    explorer = lab.page.locator(".sv-explorer").first
    answers = explorer.locator(".sv-answers").bounding_box()
    home = answers["x"] + 0.6 * answers["width"], answers["y"] + 12

    def answered(right: str) -> None:
        """Wait until the answer has followed; it is what the picture is about."""
        lab.wait_kernel("not session.busy")
        lab.run_code("session.wait()")
        lab.page.wait_for_function(UP_TO_DATE)
        assert answer(explorer, "segment") == right
        assert answer(explorer, "causal") == WRONG

    hand = Hand(film, home)
    answered(RIGHT)
    film.take(LOOK)

    # The first fact no longer sees the others, which does no harm. What the page does by itself,
    # it does while the server stands still.
    hand.move(token_point(explorer, SECOND))
    film.take(GLANCE)
    with lab.server.frozen():
        hand.click()
        film.take(PRESS)
    answered(RIGHT)
    film.take(LOOK / 2)

    # The boundary is dragged over two facts more: the end of the chain is hidden from them. A
    # picture takes longer than a pause of the hand, which has none on its way.
    lab.run_code("import segviz.session.session as live; pause, live.PAUSE = live.PAUSE, 60")
    hand.move(handle_point(explorer, 2))
    hand.press()
    hand.move(token_point(explorer, NEEDED), slower=2)
    film.take(GLANCE)
    hand.mouse.up()
    film.take(PRESS)
    answered(WRONG)
    film.take(1.5 * LOOK)
    lab.run_code("live.PAUSE = pause")

    # Merged again, the facts see each other.
    hand.move(handle_point(explorer, 2))
    hand.click()
    film.take(PRESS)
    hand.mouse.down(click_count=2)
    film.take(PRESS)
    with lab.server.frozen():
        hand.mouse.up(click_count=2)
        film.take(PRESS)
    answered(RIGHT)
    film.take(LOOK)

    # What the segment mask adds to the head, and back.
    for view in ("difference", "segment"):
        box = explorer.get_by_role("radio", name=view).bounding_box()
        hand.move((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 4))
        hand.click()
        answered(RIGHT)
        film.take(LOOK if view == "difference" else GLANCE)
    hand.move(home)


def clip(page: Any) -> dict[str, float]:
    """From the cell down to the pictures of mask and attention."""
    cell = page.locator(".jp-CodeCell .jp-InputArea-editor").first.bounding_box()
    explorer = page.locator(".sv-explorer").first.bounding_box()
    readout = page.locator(".sv-explorer .sv-attention .sv-readout").first.bounding_box()
    bottom = readout["y"] + readout["height"] + MARGIN
    return {
        "x": explorer["x"] - MARGIN,
        "y": cell["y"] - MARGIN,
        "width": explorer["width"] + 2 * MARGIN,
        "height": bottom - cell["y"] + MARGIN,
    }


def take(target: Path) -> None:
    """Open the explorer, play, and save the film."""
    # Nothing pulses or fades between two pictures.
    with notebook(viewport=VIEWPORT, reduced_motion="reduce") as lab:
        lab.page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
        lab.run_all(wait_for=DRAWN)
        lab.run_code("session.panels = []")
        lab.page.evaluate(POINTER)
        lab.page.add_style_tag(content=".jp-cell-toolbar { display: none; }")
        lab.page.wait_for_function(UP_TO_DATE)
        film = Film(lab.page, clip(lab.page))
        play(lab, film)
        film.save(target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    take(parser.parse_args().target)
