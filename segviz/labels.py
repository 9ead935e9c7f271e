"""Labels: tokens as a reader sees them, with marks where white space or control characters matter.

The model layer gives decoded strings, so a token here is plain text (`` follows``), never a
byte-level alias. The labels are for display only; nothing computes with them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_MARKS = {"\n": "⏎", "\r": "␍", "\t": "⇥"}
_SPACE = "␣"
_SPECIAL = re.compile(r"<\|[^|\s]+\|>|</?[A-Za-z_][\w-]*>|\[/?[A-Z][A-Z_]*\]")


def readable(token: str) -> str:
    r"""A token's text with everything visible that a reader would miss.

    >>> readable(" follows"), readable("\n\n"), readable("  "), readable("end ")
    (' follows', '⏎⏎', '␣␣', 'end␣')
    >>> readable("a\x00b"), readable("")
    ('a␀b', '∅')

    One space in front of a word stays a space, as in running text. Control characters become
    their control pictures; characters that turn the reading direction become their code point.
    """
    if not token:
        return "∅"
    core = token.strip(" ")
    if not core:
        return _SPACE * len(token)
    lead = len(token) - len(token.lstrip(" "))
    trail = len(token) - lead - len(core)
    front = _SPACE * (lead - 1) + " " if lead else ""
    return front + "".join(map(_visible, core)) + _SPACE * trail


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


def _visible(character: str) -> str:
    if character in _MARKS:
        return _MARKS[character]
    code = ord(character)
    if code < 0x20:  # noqa: PLR2004 - the C0 block
        return chr(0x2400 + code)
    if code == 0x7F:  # noqa: PLR2004 - delete
        return "␡"
    joiners = (0x200C, 0x200D)  # part of how scripts and emoji are written
    if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"} and code not in joiners:
        return f"⟨{code:04X}⟩"
    return character
