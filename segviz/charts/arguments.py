"""Arguments: what the arguments that most figures and plots share mean, written once.

``help`` and the Shift+Tab of a notebook show one function, so each has to explain all it takes.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

SHARED = {
    "scale": '``"sqrt"``, ``"linear"``, ``"log"`` (four powers of ten) or ``"clipped"`` (linear, '
    "the largest 1 % in the last colour): how a number becomes a colour.",
    "limit": "the number at which the colours end, for figures that shall be compared; None: the "
    "largest one shown.",
    "merge": '``"tokens"``, ``"words"`` or ``"segments"``: what a row and a column is.',
    "hide_first": "leave the first token out, which often takes most of the attention.",
    "normalize": "each row relative to the largest number shown in it.",
    "queries": "which queries to show: a segment's name, or ``(start, stop)``, token positions; "
    "None: all.",
    "keys": "which keys, likewise by a name or ``(start, stop)``.",
    "highlight": "token positions to mark.",
    "title": 'in place of the usual one; ``""`` for none.',
    "colors": "a matplotlib colormap, or its name.",
}
"""By the argument's name."""

_WIDTH = 92


def explained(**more: str) -> Callable[[F], F]:
    """Add to a docstring's ``Args`` those of the function's arguments that are missing there.

    >>> @explained(dpi="pixels to an inch.")
    ... def draw(trace, *, title=None, dpi=300):
    ...     '''Draw a trace.
    ...
    ...     Args:
    ...         trace: what a run left behind.
    ...     '''
    >>> print(draw.__doc__)
    Draw a trace.
    <BLANKLINE>
    Args:
        trace: what a run left behind.
        title: in place of the usual one; ``""`` for none.
        dpi: pixels to an inch.

    Args:
        more: explanations beside those of ``SHARED``, or in their place.
    """
    texts = SHARED | more

    def explain(function: F) -> F:
        if function.__doc__ is None:  # under python -OO
            return function
        parts = inspect.cleandoc(function.__doc__).split("\n\n")
        (at,) = (number for number, part in enumerate(parts) if part.startswith("Args:"))
        parts[at] += "".join(
            "\n" + _line(name, texts[name])
            for name in inspect.signature(function).parameters
            if f"\n    {name}: " not in parts[at]
        )
        function.__doc__ = "\n\n".join(parts)
        return function

    return explain


def _line(name: str, text: str) -> str:
    return textwrap.fill(
        f"{name}: {text}", _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8,
        break_on_hyphens=False,
    )  # fmt: skip
