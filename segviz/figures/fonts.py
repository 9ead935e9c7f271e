"""Fonts: which installed ones can draw the labels, and what becomes of characters none has.

Matplotlib draws each character in the first font of a list that has it. Behind the fonts of the
style stand, in this order and where they are installed:

1. DejaVu Sans, which comes with matplotlib: Latin, Greek, Cyrillic, Hebrew, Arabic, many symbols;
2. fonts for Chinese, Japanese and Korean: Noto Sans CJK, Source Han Sans, then those of the
   operating systems;
3. fonts for other scripts: every Noto Sans of one script, then those of the operating systems;
4. symbols and emoji in one colour: Noto Sans Symbols, Noto Emoji, Symbola, then others. Fonts of
   coloured pictures (Noto Color Emoji, Apple Color Emoji) are none that matplotlib can use.

Of these the font of a character's own script is tried first. Letters join, and run from right to
left, where matplotlib shapes text: from 3.11 on.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache

import matplotlib as mpl
from matplotlib import ft2font
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

_ALWAYS = "DejaVu Sans"
_EAST_ASIAN = (
    *(f"Noto Sans CJK {region}" for region in ("SC", "JP", "KR", "TC", "HK")),
    *(f"Noto Sans {region}" for region in ("SC", "JP", "KR", "TC", "HK")),
    *(f"Source Han Sans{region}" for region in ("", " SC", " CN", " JP", " KR", " TC")),
    "PingFang SC",
    "Hiragino Sans",
    "Hiragino Sans GB",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Meiryo",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "IPAGothic",
    "NanumGothic",
)
_OTHER_SCRIPTS = (
    "Nirmala UI",
    "Leelawadee UI",
    "Ebrima",
    "Gadugi",
    "Kohinoor Devanagari",
    "Thonburi",
    "Arial Unicode MS",
    "FreeSans",
    "FreeSerif",
)
_SYMBOLS = (
    "Noto Sans Symbols",
    "Noto Sans Symbols 2",
    "Noto Sans Symbols2",
    "Noto Sans Math",
    "Noto Emoji",
    "Symbola",
    "Segoe UI Symbol",
    "Segoe UI Emoji",
    "Apple Symbols",
    "Unifont",
    "Unifont Upper",
)
_NOT_OF_ONE_SCRIPT = re.compile(r"CJK|Mono|Display|Symbols|Math| UI$| (SC|JP|KR|TC|HK)$")

# Part of how other characters are written: where a font lacks them, nothing is lost to the eye.
_UNSEEN = frozenset(("\u200c", "\u200d", *map(chr, range(0xFE00, 0xFE10))))
# Of these the letters are joined, reordered or stacked, beyond what right to left asks for.
_SHAPED = re.compile("[\u0900-\u0dff\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff]")
_NAMED = 5
"""Characters that a warning names at most."""


def families(base: Sequence[str], texts: Iterable[str] | None = None) -> list[str]:
    """Font families for text: those of the style, and the fallbacks behind them.

    >>> families(["DejaVu Sans"], ["Anna follows"])
    ['DejaVu Sans']

    Args:
        base: of the style; generic names (``"serif"``) are those of ``rcParams``.
        texts: what will be drawn: of the fallbacks only those stay that it needs, so that files
            are small and quick to make. None: all that are installed.
    """
    behind = [name for name in _installed() if name not in base]
    if texts is None:
        return [*base, *behind]
    needed = set().union(*texts) - _covered(base) - {"\n"}
    own = {_ALWAYS}.union(*map(_likely, needed))
    chosen = []
    for name in sorted(behind, key=lambda name: name not in own):
        if not needed:
            break
        found = needed & _glyphs(name)
        # One font after another would be opened for what only looks of others depend on.
        if found - _UNSEEN:
            chosen.append(name)
            needed -= found
    return [*base, *chosen]


def drawable(text: str, families: Sequence[str]) -> tuple[str, set[str]]:
    r"""A text in which everything can be drawn, and the characters that could not be.

    >>> drawable("a\U000F0000b", ["DejaVu Sans"]) == ("a⟨F0000⟩b", {"\U000F0000"})
    True

    Args:
        text: as :func:`segviz.labels.readable` gives it.
        families: as :func:`families` gives them.

    Returns:
        the text, in which a character without a glyph has become its code point, as in labels; and
        all such characters.
    """
    absent = set(text) - _covered(families) - {"\n"}
    missing = absent - _UNSEEN
    if absent:
        shown = {one: _code_point(one) if one in missing else "" for one in absent}
        text = text.translate(str.maketrans(shown))
    if any(unicodedata.category(one)[0] == "M" for one in set(text)):
        text, stray = _with_marks(text, families)
        missing |= stray
    return text, missing


def _with_marks(text: str, families: Sequence[str]) -> tuple[str, set[str]]:
    """A letter and its marks come from one font, so a mark that none has along is written out."""
    pieces, stray = [], set()
    fonts = [_glyphs(name) for name in families]
    letter = ""
    for character in text:
        if unicodedata.category(character)[0] != "M":
            letter = character
        elif any({letter, character} - {""} - _UNSEEN <= glyphs for glyphs in fonts):
            pass
        else:
            stray.add(character)
            pieces.append(_code_point(character))
            continue
        pieces.append(character)
    return "".join(pieces), stray


def fitted(
    texts: Sequence[str], base: Sequence[str], *, stacklevel: int = 1
) -> tuple[list[str], list[str]]:
    """All texts of a figure, drawable, and the families to draw them in; warns once.

    >>> fitted(["Anna", " follows"], ["DejaVu Sans"])
    (['Anna', ' follows'], ['DejaVu Sans'])

    Args:
        texts: every text that the figure shows.
        base: font families of the style.
        stacklevel: of the warning; 1 is the caller.
    """
    chosen = families(base, texts)
    pairs = [drawable(text, chosen) for text in texts]
    missing = set().union(*(absent for _, absent in pairs))
    texts = [text for text, _ in pairs]
    # Code points have characters of their own to draw.
    chosen = families(base, texts) if missing else chosen
    if missing:
        warnings.warn(_advice(missing), UserWarning, stacklevel=stacklevel + 1)
    if not shapes() and any(map(needs_shaping, texts)):
        warnings.warn(
            f"matplotlib {mpl.__version__} draws letters one by one from left to right: "
            "Arabic, Hebrew, Devanagari and the like come out wrong in PDF, PNG and PGF; install "
            "matplotlib 3.11 or later, or save as .svg, which a browser shapes",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    return list(texts), chosen


def shapes() -> bool:
    """Whether this matplotlib joins letters and turns them where their script asks for it."""
    return hasattr(ft2font, "__libraqm_version__")


def needs_shaping(text: str) -> bool:
    """Whether letters of the text depend on their neighbours, or run from right to left.

    >>> needs_shaping("Anna, 你好"), needs_shaping("سلام"), needs_shaping("नमस्ते")
    (False, True, True)
    """
    return _SHAPED.search(text) is not None or any(
        unicodedata.bidirectional(one) in {"R", "AL"} for one in text
    )


def _advice(missing: set[str]) -> str:
    ordered = sorted(missing)
    named = ", ".join(f"{one} {_code_point(one)}" for one in ordered[:_NAMED])
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    wanted = " and ".join(dict.fromkeys(_remedy(one) for one in ordered))
    return (
        f"no font that matplotlib knows has {named}{more}: they are drawn as their code points. "
        f"Install {wanted}; then remove {mpl.get_cachedir()!r}, where matplotlib keeps its "
        "list of fonts, and start Python again"
    )


def _remedy(character: str) -> str:
    """The fonts that have it, with the names of Debian's packages."""
    name = unicodedata.name(character, "")
    if name.startswith(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC")):
        return "Noto Sans CJK (fonts-noto-cjk)"
    if unicodedata.category(character) in {"So", "Sk", "Sm"}:
        return "Symbola (fonts-symbola) or Noto Emoji, the one without colours"
    return "Noto Sans (fonts-noto-core)"


def _likely(character: str) -> set[str]:
    """Fallbacks to try first, or a hundred others would be opened to find one character."""
    if unicodedata.category(character) == "So":
        return {*_SYMBOLS}
    script = unicodedata.name(character, "").partition(" ")[0]
    return {f"Noto Sans {script.title()}"}


def _installed() -> list[str]:
    """The fallbacks that are there, in order."""
    return _among(frozenset(entry.name for entry in fontManager.ttflist))


@lru_cache(maxsize=4)
def _among(names: frozenset[str]) -> list[str]:
    scripts = sorted(
        name
        for name in names
        if name.startswith("Noto Sans") and not _NOT_OF_ONE_SCRIPT.search(name)
    )
    wanted = (_ALWAYS, *_EAST_ASIAN, *scripts, *_OTHER_SCRIPTS, *_SYMBOLS)
    return [name for name in dict.fromkeys(wanted) if name in names]


def _covered(families: Iterable[str]) -> frozenset[str]:
    return _union(tuple(map(_glyphs, families)))


@lru_cache(maxsize=64)
def _union(sets: tuple[frozenset[str], ...]) -> frozenset[str]:
    return frozenset().union(*sets)


def _code_point(character: str) -> str:
    """As labels show a character that nobody would see."""
    return f"⟨{ord(character):04X}⟩"


def _glyphs(family: str) -> frozenset[str]:
    """The characters that a family has glyphs for; none where it is not installed."""
    try:
        path = findfont(FontProperties(family=[family]), fallback_to_default=False)
    except ValueError:
        return frozenset()
    return _glyphs_in(path)


@lru_cache(maxsize=512)
def _glyphs_in(path: str) -> frozenset[str]:
    return frozenset(map(chr, get_font(path).get_charmap()))
