"""Fonts: fallbacks, and what no font has; asserted by what matplotlib draws."""

from __future__ import annotations

import random
import unicodedata
import warnings
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.font_manager import findfont, fontManager, get_font

from segviz.figures import fonts
from segviz.figures.saved import PaperFigure
from segviz.labels import readable

CJK = [entry.name for entry in fontManager.ttflist if "CJK" in entry.name]
# No font has glyphs for these: private use, beyond the BMP.
NOWHERE = "\U000f0000"


def draw(text: str, families: list[str]) -> np.ndarray:
    """The picture of a text, dark on light; fails where matplotlib misses a glyph."""
    figure = PaperFigure(figsize=(4, 1 + text.count("\n")), dpi=100)
    figure.text(0.02, 0.1, text, family=families, fontsize=16, parse_math=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(buffer := BytesIO(), format="png", dpi=100)
        figure.savefig(BytesIO(), format="pdf")
    buffer.seek(0)
    return mpl.image.imread(buffer)[..., 0]


def test_a_usual_text_needs_nothing() -> None:
    assert fonts.families(["DejaVu Sans"], ["Anna follows Ben.", "\n"]) == ["DejaVu Sans"]
    assert fonts.drawable("Anna\nBen", ["DejaVu Sans"]) == ("Anna\nBen", set())


def test_the_styles_font_comes_first_and_dejavu_behind_it() -> None:
    """Computer Modern has no Ω of this kind, no return mark and no ⟨."""
    assert fonts.families(["cmr10"], ["Anna"]) == ["cmr10"]
    assert fonts.families(["cmr10"], ["Anna ⏎"]) == ["cmr10", "DejaVu Sans"]
    assert fonts.families(["cmr10"])[:2] == ["cmr10", "DejaVu Sans"]
    draw("Anna ⏎", fonts.families(["cmr10"], ["Anna ⏎"]))


def test_generic_families_are_those_of_the_settings() -> None:
    with mpl.rc_context({"font.serif": ["cmr10"]}):
        assert fonts.families(["serif"], ["⏎"]) == ["serif", "DejaVu Sans"]
    with mpl.rc_context({"font.serif": ["DejaVu Serif"]}):
        assert fonts.families(["serif"], ["Ж"]) == ["serif"]


def test_the_order() -> None:
    names = {"Symbola", "Noto Sans Thai", "Noto Sans CJK JP", "DejaVu Sans", "Noto Sans Mono",
             "Noto Color Emoji", "Noto Emoji", "Noto Sans Arabic", "Noto Sans CJK SC",
             "Nirmala UI", "Comic Sans MS", "Noto Sans Symbols"}  # fmt: skip
    assert fonts._among(frozenset(names)) == [
        "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Arabic",
        "Noto Sans Thai", "Nirmala UI", "Noto Sans Symbols", "Noto Emoji", "Symbola",
    ]  # fmt: skip


def test_fallbacks_are_installed_and_can_be_used() -> None:
    """None of them is a font of coloured pictures, which gives matplotlib no outline."""
    for name in fonts.families([]):
        font = get_font(findfont(name, fallback_to_default=False))
        letters = [code for code in font.get_charmap() if chr(code).isalnum()][:50]
        font.set_size(12, 72)
        found = []
        for code in letters:
            font.load_char(code)
            found.append(len(font.get_path()[0]))
        assert not letters or max(found) > 0, name


def test_what_no_font_has_becomes_its_code_point() -> None:
    text, missing = fonts.drawable(f"a{NOWHERE}b", ["DejaVu Sans"])
    assert (text, missing) == ("a⟨F0000⟩b", {NOWHERE})
    # In the style of labels.
    assert readable("a\x00b") == "a⟨0000⟩b"
    assert fonts.drawable("é", ["no such font"]) == ("⟨00E9⟩", {"é"})


def test_selectors_and_joiners_are_left_out_where_a_font_lacks_them() -> None:
    """They change how others look, and are nothing to see themselves."""
    lacking = set("\u200d\ufe0f") - set(map(chr, get_font(findfont("cmr10")).get_charmap()))
    assert lacking == {"\u200d", "\ufe0f"}
    assert fonts.drawable("a\ufe0f\u200db", ["cmr10"]) == ("ab", set())


def test_a_mark_is_drawn_in_the_font_of_its_letter(monkeypatch) -> None:
    """A font has to have both; otherwise the mark, which is the rarer, is written out."""
    glyphs = {"A": frozenset("ax⟨⟩0123456789"), "B": frozenset("b\u0301\u0302")}
    monkeypatch.setattr(fonts, "_glyphs", glyphs.__getitem__)
    assert fonts.drawable("b\u0301\u0302xb\ufe0f\u0301", ["A", "B"]) == (
        "b\u0301\u0302xb\u0301",
        set(),
    )
    assert fonts.drawable("a\u0301b", ["A", "B"]) == ("a⟨0301⟩b", {"\u0301"})


def test_one_warning_says_what_to_install() -> None:
    with pytest.warns(UserWarning, match="no font that matplotlib knows has") as caught:
        texts, families = fonts.fitted([f"a{NOWHERE}", "b", f"{NOWHERE}c"], ["cmr10"])
    (warning,) = caught
    assert texts == ["a⟨F0000⟩", "b", "⟨F0000⟩c"]
    assert families == ["cmr10", "DejaVu Sans"], "since ⟨ has to be drawn, too"
    assert "⟨F0000⟩" in str(warning.message)
    assert repr(mpl.get_cachedir()) in str(warning.message)
    assert warning.filename == __file__
    draw(texts[0], families)


def test_the_advice_is_for_the_script(monkeypatch) -> None:
    monkeypatch.setattr(fonts, "_installed", lambda: ["DejaVu Sans"])
    for text, advice in (("你好世界大家", "fonts-noto-cjk"), ("한", "fonts-noto-cjk"),
                         ("\U0001f389", "Symbola"), ("\u0939", "fonts-noto-core")):  # fmt: skip
        with pytest.warns(UserWarning, match=advice) as caught:
            shown, _ = fonts.fitted([text], ["DejaVu Sans"])
        assert shown == ["".join(f"⟨{ord(one):04X}⟩" for one in text)]
    with pytest.warns(UserWarning, match=" and 1 more: they"):
        fonts.fitted(["你好世界大家"], ["DejaVu Sans"])
    assert len(caught) == 1


def test_nothing_is_said_where_all_can_be_drawn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given = ["Anna", " $x$ ⏎⇥␣∅◌ ⟨0000⟩…", "Ωж"]
        assert fonts.fitted(given, ["DejaVu Sans"]) == (given, ["DejaVu Sans"])
        assert fonts.fitted([], ["DejaVu Sans"]) == ([], ["DejaVu Sans"])


@pytest.mark.filterwarnings("ignore:no font that matplotlib knows")
@pytest.mark.filterwarnings("ignore:matplotlib .* draws letters one by one")
@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_tokens_matplotlib_misses_no_glyph(seed) -> None:
    """Random characters of all of Unicode, as labels show them."""
    rng = random.Random(seed)
    pool = [chr(code) for code in range(0x21, 0x20000) if unicodedata.category(chr(code)) != "Cs"]
    texts = [readable("".join(rng.choices(pool, k=3))) for _ in range(40)]
    shown, families = fonts.fitted(texts, ["DejaVu Serif"])
    draw("\n".join(shown), families)


@pytest.mark.skipif(not CJK, reason="no font for Chinese, Japanese and Korean is installed")
def test_chinese_is_drawn() -> None:
    texts, families = fonts.fitted(["你好", "한국어", "日本語"], ["DejaVu Sans"])
    assert texts == ["你好", "한국어", "日本語"]
    assert len(families) == 2
    pictures = [draw(text, families) for text in texts]
    assert all((picture < 0.5).sum() > 100 for picture in pictures)
    assert not np.array_equal(pictures[0], pictures[2])


def test_it_is_known_whether_letters_join() -> None:
    """Joined letters of Arabic are narrower than the same ones apart; and run leftwards."""
    joined, apart = (draw(text, ["DejaVu Sans"]) for text in ("سلام", "س\u200cل\u200cا\u200cم"))
    widths = [np.ptp(np.nonzero((picture < 0.5).any(axis=0))[0]) for picture in (joined, apart)]
    assert fonts.shapes() == (widths[0] < 0.9 * widths[1]), widths


def test_what_needs_shaping() -> None:
    for text in ("سلام", "שלום", "नमस्ते", "สวัสดี", "ខ្មែរ"):
        assert fonts.needs_shaping(text), text
    for text in ("Anna", "你好", "Ωж", "😀", "é", "⟨0000⟩", "한국어"):
        assert not fonts.needs_shaping(text), text


def test_where_letters_do_not_join_it_is_said(monkeypatch) -> None:
    monkeypatch.setattr(fonts, "shapes", lambda: False)
    with pytest.warns(UserWarning, match=r"one by one from left to right.*3\.11") as caught:
        fonts.fitted(["سلام", "Anna", "שלום"], ["DejaVu Sans"])
    assert len(caught) == 1
    monkeypatch.setattr(fonts, "shapes", lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fonts.fitted(["سلام"], ["DejaVu Sans"])
