"""Sheet: where a figure is drawn, a page of its own or axes that the user has made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segviz.figures.paper import Paper
from segviz.figures.recipes import Subject, recipe_of
from segviz.figures.saved import PaperFigure


@dataclass(frozen=True, eq=False, slots=True)
class Sheet:
    """Where a figure is drawn.

    Args:
        paper: its width, and the sizes of text and lines.
        recipe: how the figure is made, for the file that it is saved in.
        axes: the user's; None: the figure is made here.
        title: the user's, in place of the usual one; None: the usual one.
        colors: the user's colormap; None: the usual one.
    """

    paper: Paper
    recipe: Mapping[str, Any]
    axes: tuple[Axes, ...] | None
    title: str | None
    colors: Any

    @staticmethod
    def of(kind: str, subject: Subject, arguments: Mapping[str, Any]) -> Sheet:
        """The sheet for a call of one of the kinds.

        Args:
            kind: the function's name.
            subject: what is drawn.
            arguments: all that the function was called with.
        """
        own = {
            name: value
            for name, value in arguments.items()
            if value is not subject and name not in ("ax", "recipe")
        }
        title = arguments.get("title")
        if title is not None and not isinstance(title, str):
            raise TypeError(f'title={title!r}; it is a text, "" for none, None for the usual one')
        paper = Paper.of(arguments["width"], arguments["style"], arguments["font_size"])
        return Sheet(
            paper,
            recipe_of(kind, own, subject, arguments["recipe"]),
            _axes(arguments["ax"]),
            title,
            arguments.get("colors"),
        )

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw under the paper's settings; in the user's axes the user's stay in force."""
        rc: dict[Any, Any] = dict(self.paper.rc) if self.axes is None else {}
        with mpl.rc_context(rc):
            yield

    def page(self, height: float) -> PaperFigure:
        """An empty figure of the paper's width."""
        paper = self.paper
        return PaperFigure(
            figsize=(paper.width, height),
            dpi=paper.dpi,
            png_dpi=paper.png,
            rc=dict(paper.rc),
            recipe=self.recipe,
        )

    def given(self, count: int) -> tuple[Axes, ...] | None:
        """The user's axes, one for each panel; None where the figure is made here.

        Raises:
            ValueError: another number of axes.
        """
        if self.axes is not None and len(self.axes) != count:
            raise ValueError(
                f"ax= holds {len(self.axes)} axes, and this figure has {count} panels: give "
                f"{'one' if count == 1 else count}, or leave ax= out"
            )
        return self.axes


def figure_of(axes: tuple[Axes, ...]) -> Figure:
    """The figure that axes are in."""
    # Of axes in a part of a figure this is the part, whose own figure is all of it.
    return axes[0].figure.figure  # type: ignore[reportReturnType]


def _axes(given: Any) -> tuple[Axes, ...] | None:
    if given is None:
        return None
    several = np.atleast_1d(np.asarray(given, dtype=object)).ravel().tolist()
    if not all(isinstance(one, Axes) for one in several):
        raise TypeError(f"ax={given!r}; it is the axes to draw into, from plt.subplots() say")
    return tuple(several)
