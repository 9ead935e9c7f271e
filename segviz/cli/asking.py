"""Asking: which figure, and how it shall look; from options to arguments of ``segviz.figures``."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Mapping
from typing import Any

KINDS = ("mask", "attention", "comparison", "heads", "flow", "tokens", "arcs")

OF_COMPARISONS = ("comparison", "heads", "flow")
"""The kinds that draw two traces."""

_OF_SEVERAL = {"layer": ("attention", "heads"), "head": ("attention", "arcs")}
"""The kinds that draw several layers, and those that draw several heads."""

# What only appears in the namespace when it was given, under the name that the figures use.
_LOOKS = (
    "layer",
    "head",
    "query",
    "scale",
    "limit",
    "merge",
    "hide_first",
    "queries",
    "keys",
    "highlight",
    "least",
    "title",
    "colors",
    "width",
    "style",
    "font_size",
    "recipe_text",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to draw and how."""
    what = parser.add_argument_group("what to draw")
    what.add_argument("--kind", choices=KINDS)
    _add(
        what,
        "--layer",
        "0-based, negative from the end; several: 0,1 (or --layer=-2,-1)",
        "N",
        _numbers,
    )
    _add(what, "--head", "a query head, likewise; or 'mean' or 'max' over them", "N", _heads)
    _add(what, "--query", "a token position, whose attention shades the others", "N", int)
    _add(what, "--queries", "these only: a segment's name, or START:STOP", "PART", _part)
    _add(what, "--keys", "likewise", "PART", _part)
    _add(what, "--highlight", "token positions to mark: 3,5,17", "N", _numbers)
    _choose(what, "--merge", ("tokens", "words", "segments"), "what a cell stands for")
    look = parser.add_argument_group("how it looks")
    _choose(look, "--scale", ("sqrt", "linear", "log", "clipped"), "of the colours")
    _add(look, "--limit", "the number at the end of the colours", "X", _number)
    _add(look, "--least", "the probability from which a line is drawn", "X", _number)
    _add(look, "--colors", "a matplotlib colormap, by its name", "NAME", str)
    look.add_argument(
        "--hide-first",
        action="store_true",
        default=argparse.SUPPRESS,
        help="leave out the attention on the first token, which drowns the rest",
    )
    _add(look, "--title", "a line above", "TEXT", str)
    _add(look, "--width", "'column' (3.25 in), 'text' (6.75 in), 'slide', or inches", "W", _width)
    _choose(look, "--style", ("paper", "slides", "notebook"), "sizes of text and lines")
    _add(look, "--font-size", "points, whatever the width", "PT", _number)
    look.add_argument(
        "--no-text",
        dest="recipe_text",
        action="store_const",
        const="no-text",
        default=argparse.SUPPRESS,
        help="keep only a hash of the prompt in the file's recipe, not its tokens",
    )


def _add(group: Any, flag: str, help_text: str, metavar: str, type_: Any) -> None:
    group.add_argument(
        flag,
        # Where several values are possible, a repeated option adds to them.
        action="extend" if type_ in (_numbers, _heads) else "store",
        metavar=metavar,
        type=type_,
        default=argparse.SUPPRESS,
        help=help_text,
    )


def _choose(group: Any, flag: str, choices: tuple[str, ...], help_text: str) -> None:
    group.add_argument(flag, choices=choices, default=argparse.SUPPRESS, help=help_text)


def arguments(figures: Any, kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """What the options give as arguments of a figure's function.

    Args:
        figures: ``segviz.figures``.
        kind: the figure's kind.
        options: of :func:`add_options`.

    Raises:
        ValueError: an option that the kind does not take.
    """
    given = {}
    for name in _LOOKS:
        if hasattr(options, name):
            value = getattr(options, name)
            given[_parameter(figures, kind, name)] = _single(kind, name, value)
    return given


def check_complete(figures: Any, kind: str, given: Mapping[str, Any]) -> None:
    """Raise where a kind needs a layer or a head that was not given."""
    missing = [
        _flag(name)
        for name, parameter in list(_parameters(figures, kind).items())[1:]
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and name not in given
    ]
    if missing:
        raise ValueError(f"--kind {kind} needs {' and '.join(missing)}")


def _parameter(figures: Any, kind: str, name: str) -> str:
    """The name of an option's parameter; a ValueError where the kind has none."""
    if named := _named(figures, kind, name):
        return named
    takers = [other for other in KINDS if _named(figures, other, name)]
    raise ValueError(
        f"--kind {kind} takes no {_flag(name)}; it is for {', '.join(takers) or 'none yet'}"
    )


def _named(figures: Any, kind: str, name: str) -> str | None:
    parameters = _parameters(figures, kind)
    own = {"recipe_text": "recipe"}.get(name, name)
    if own == "layer" and "layers" in parameters:
        return "layers"
    any_name = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    return own if own in parameters or any_name else None


def _parameters(figures: Any, kind: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(getattr(figures, kind)).parameters


def _flag(name: str) -> str:
    return "--no-text" if name == "recipe_text" else f"--{name.replace('_', '-')}"


def _single(kind: str, name: str, value: Any) -> Any:
    """One layer or head as such, several as a list, where the kind takes several."""
    if name not in _OF_SEVERAL or (kind, name) == ("heads", "layer"):
        return value
    if len(value) == 1:
        return value[0]
    if kind not in _OF_SEVERAL[name]:
        raise ValueError(
            f"--kind {kind} draws one {name}, and {len(value)} were given; several are for "
            f"{' and '.join(_OF_SEVERAL[name])}"
        )
    return value


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number, nor several with commas between them (0,1,-1)"
        ) from None


def _heads(text: str) -> list[int | str]:
    parts = text.split(",")
    heads: list[int | str] = []
    for part in parts:
        if part in ("mean", "max"):
            heads.append(part)
        elif re.fullmatch(r"-?\d+", part.strip()):
            heads.append(int(part))
        else:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no head: a number, 'mean', 'max', or several with commas between "
                "them (0,1,-1)"
            )
    return heads


def _part(text: str) -> tuple[int, int] | str:
    match = re.fullmatch(r"(\d+):(\d+)", text)
    return (int(match[1]), int(match[2])) if match else text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _width(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        # The figures know the names, and what to say of a wrong one.
        return text
