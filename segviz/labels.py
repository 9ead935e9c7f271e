"""Labels: tokens as a reader sees them, with marks where white space or control characters matter.

The model layer gives decoded strings, so a token here is plain text (`` follows``), never a
byte-level alias. The labels are for display only; nothing computes with them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

UNTUNED_SHORT = "untuned: these weights were never tuned for segment masks"
UNTUNED = f"{UNTUNED_SHORT}, so what they do under one is off their training distribution"
"""The notice beside answers of weights that were never tuned for the mask they run under."""

_MARKS = {"\n": "⏎", "\t": "⇥"}
_SPACE = "␣"
_CIRCLE = "◌"
# Part of how scripts and emoji are written, where they stand between two characters.
_JOINERS = "\u200c\u200d"
_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))
# Controls, formats, surrogates, private and unassigned ones, spaces and separators but the space.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})
# Letters and a mark that are drawn as nothing: the Hangul fillers, the grapheme joiner.
_BLANK = "\u115f\u1160\u3164\uffa0\u034f"
_COMBINED = ("Mn", "Me", "Cf")
_SPECIAL = re.compile(r"<\|[^|\s]+\|>|</?[A-Za-z_][\w-]*>|\[/?[A-Z][A-Z_]*\]")


def readable(token: str) -> str:
    r"""A token's text with everything visible that a reader would miss.

    >>> readable(" follows"), readable("\n\n"), readable("  "), readable("end ")
    (' follows', '⏎⏎', '␣␣', 'end␣')
    >>> readable("a\x00b"), readable("")
    ('a⟨0000⟩b', '∅')
    >>> readable("10\u00a0km"), readable("\u202eevil"), readable("\u0301"), readable("👩\u200d")
    ('10⟨00A0⟩km', '⟨202E⟩evil', '◌\u0301', '👩⟨200D⟩')

    One space in front of a word stays a space, as in running text. Other spaces, control
    characters, those that turn the reading direction and all others that nobody would see become
    their code point. A combining mark that has no letter in its own token stands on a dotted
    circle; joiners show where nothing in the token is joined.
    """
    if not token:
        return "∅"
    core = token.strip(" ")
    if not core:
        return _SPACE * len(token)
    lead = len(token) - len(token.lstrip(" "))
    trail = len(token) - lead - len(core)
    front = _SPACE * (lead - 1) + " " if lead else ""
    return front + _visible(core) + _SPACE * trail


def is_special(token: str) -> bool:
    """Whether a token looks like a marker of the chat template and not like text.

    >>> is_special("<|end|>"), is_special("<s>"), is_special(" Anna")
    (True, True, False)
    """
    return _SPECIAL.fullmatch(token.strip()) is not None


def labels(tokens: Iterable[str]) -> list[str]:
    r"""The labels of several tokens.

    >>> labels(["Anna", "\n"])
    ['Anna', '⏎']
    """
    return [readable(token) for token in tokens]


def columns_of(text: str) -> int:
    """Columns of fixed width that a text takes: Chinese and emoji two, what is combined none.

    >>> columns_of(" Ben"), columns_of("日本"), columns_of("e\u0301")
    (4, 4, 1)
    """
    return sum(
        0
        if unicodedata.category(character) in _COMBINED
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def head_name(layer: int, head: int | str) -> str:
    """What is looked at, for headings.

    >>> head_name(3, 5), head_name(3, "mean")
    ('Layer 3, head 5', 'Layer 3, mean of heads')
    """
    return f"Layer {layer}, " + (f"{head} of heads" if isinstance(head, str) else f"head {head}")


def _visible(core: str) -> str:
    shown = [_shown(character) for character in core]
    if unicodedata.category(core[0]).startswith("M"):
        shown[0] = _code(core[0]) if core[0] in _SELECTORS else _CIRCLE + core[0]
    for end in (0, -1):
        if core[end] in _JOINERS:
            shown[end] = _code(core[end])
    return "".join(shown)


def _shown(character: str) -> str:
    if character in _MARKS:
        return _MARKS[character]
    if character == " " or character in _JOINERS:
        return character
    unseen = unicodedata.category(character) in _UNSEEN or character in _BLANK
    return _code(character) if unseen else character


def _code(character: str) -> str:
    return f"⟨{ord(character):04X}⟩"
