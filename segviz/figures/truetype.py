"""TrueType: PDF files in which every font is what it says it is.

Many fonts for Chinese, Japanese and Korean hold their outlines as CFF. Matplotlib embeds those
under the name of TrueType fonts; free viewers draw them all the same, Acrobat refuses them. Here
their outlines become TrueType ones.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont, newTable

_CFF = b"OTTO"
_ERROR = 0.001
"""How far an outline may be from what it was, in em."""


def with_truetype(pdf: bytes) -> bytes:
    """A PDF with CFF fonts in it made one with TrueType fonts; any other as it is.

    >>> with_truetype(b"%PDF-1.4 without fonts")
    b'%PDF-1.4 without fonts'

    Args:
        pdf: what matplotlib wrote, with fonts of type 42.
    """
    # No other file has to be taken apart.
    if b"/FontFile2" not in pdf:
        return pdf
    from pypdf import PdfReader, PdfWriter  # noqa: PLC0415 (takes a while, and is seldom needed)
    from pypdf.generic import NameObject, NumberObject  # noqa: PLC0415

    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf)))
    changed = False
    fonts: Any = writer.pages[0]["/Resources"]["/Font"]  # type: ignore[reportIndexIssue]
    for font in fonts.values():
        for descendant in font.get_object().get("/DescendantFonts", []):
            stream = descendant.get_object()["/FontDescriptor"]["/FontFile2"]
            data = stream.get_data()
            if data.startswith(_CFF):
                converted = truetype(data)
                stream.set_data(converted)
                stream[NameObject("/Length1")] = NumberObject(len(converted))
                changed = True
    if not changed:
        return pdf
    buffer = BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def truetype(data: bytes) -> bytes:
    """A font with CFF outlines as one with TrueType outlines, its glyphs in the same order."""
    font: Any = TTFont(BytesIO(data))
    names, glyphs = font.getGlyphOrder(), font.getGlyphSet()
    outlines: Any = newTable("glyf")
    outlines.glyphOrder = names
    outlines.glyphs = {}
    for name in names:
        pen = TTGlyphPen(None)
        error = _ERROR * font["head"].unitsPerEm
        glyphs[name].draw(Cu2QuPen(pen, max_err=error, reverse_direction=True))
        outlines.glyphs[name] = pen.glyph()
    font["glyf"], font["loca"] = outlines, newTable("loca")
    maximum = font["maxp"]
    maximum.tableVersion = 0x00010000
    for name in ("maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs",
                 "maxStackElements", "maxSizeOfInstructions", "maxComponentElements"):  # fmt: skip
        setattr(maximum, name, 0)
    maximum.maxZones = 1
    for name in ("CFF ", "CFF2", "VORG"):
        if name in font:
            del font[name]
    font.sfntVersion = "\x00\x01\x00\x00"
    if "post" in font:
        font["post"].formatType = 3.0
    font.recalcTimestamp = False
    buffer = BytesIO()
    font.save(buffer)
    return buffer.getvalue()
