"""Carrying: recipes inside of files, as PDF, SVG, PNG and PGF have room for them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.parsers import expat

import matplotlib as mpl
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from segviz.figures.recipes import FORMAT

MARK = "segviz-recipe"
"""What a recipe is found by."""

# Pillow reads no text of more than a million characters in one piece.
_PIECE = 1 << 19
# TeX reads a line of a file at once, into a buffer that is not endless.
_LINE = 1000
_PRESET = ("Creator", "Date", "Format", "Type")
_PDF_TEXTS = ("Title", "Author", "Subject", "Keywords", "Creator", "Producer")


def written(recipe: Mapping[str, Any]) -> str:
    r"""A recipe as ASCII text in one line, which every format and every tool keeps.

    >>> written({"tokens": ["é", "\x00"]})
    '{"tokens":["\\u00e9","\\u0000"]}'
    """
    return json.dumps(recipe, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def pdf_metadata(
    title: str, recipe: Mapping[str, Any] | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The Info dictionary of a PDF: the recipe stands at the end of the keywords.

    >>> pdf_metadata("flow", {"format": 1}, {"Keywords": "masks"})["Keywords"]
    'masks segviz-recipe: {"format":1}'

    Without a creation date, so that the same figure gives the same file.
    """
    known = {"Title": title, "CreationDate": None, **given}
    for name in _PDF_TEXTS:
        if not isinstance(known.get(name, ""), str | None):
            raise TypeError(f"metadata: {name} of a PDF is a string, not {known[name]!r}")
    if recipe is None:
        return known
    keywords = known.get("Keywords")
    marked = f"{MARK}: {written(recipe)}"
    return {**known, "Keywords": f"{keywords} {marked}" if keywords else marked}


def svg_metadata(
    title: str, recipe: Mapping[str, Any] | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The Dublin Core metadata of an SVG: the recipe is the last of the keywords.

    >>> svg_metadata("flow", {"format": 1}, {"Keywords": "masks"})["Keywords"]
    ['masks', 'segviz-recipe: {"format":1}']
    """
    known: dict[str, Any] = {"Title": title, **given}
    # Only these have a value of their own that None takes away.
    known = {name: value for name, value in known.items() if value is not None or name in _PRESET}
    known.setdefault("Date", None)
    if recipe is None:
        return known
    keywords = known.get("Keywords", [])
    keywords = [keywords] if isinstance(keywords, str) else list(keywords)
    return {**known, "Keywords": [*keywords, f"{MARK}: {written(recipe)}"]}


def png_text(title: str, recipe: Mapping[str, Any] | None, given: Mapping[str, Any]) -> PngInfo:
    """The text chunks of a PNG: the recipe is compressed, in pieces that Pillow reads.

    Raises:
        ValueError: metadata under the recipe's name.
    """
    info = PngInfo()
    software = f"Matplotlib version{mpl.__version__}, https://matplotlib.org/"
    for name, value in {"Software": software, "Title": title, **given}.items():
        if name.startswith(MARK):
            raise ValueError(f"metadata: {name!r} is where the recipe stands; choose another name")
        if value is not None:
            info.add_text(name, value)
    if recipe is not None:
        text = written(recipe)
        for number, start in enumerate(range(0, len(text), _PIECE)):
            name = f"{MARK} {number + 1}" if number else MARK
            info.add_itxt(name, text[start : start + _PIECE], zip=True)
    return info


def pgf_comments(title: str, recipe: Mapping[str, Any] | None, given: Mapping[str, Any]) -> str:
    r"""Comment lines for the beginning of a PGF file.

    >>> print(pgf_comments("flow", {"tokens": [" a"]}, {"Author": "Ada"}), end="")
    % Title: flow
    % Author: Ada
    % segviz-recipe: {"tokens":["\u0020a"]}
    """
    known = {"Title": title, **given}
    lines = [
        f"% {name}: {' '.join(str(value).split())}"
        for name, value in known.items()
        if value is not None
    ]
    if recipe is not None:
        # Spaces stand only in strings here, and a space at a line's end would not last.
        text = written(recipe).replace(" ", r"\u0020")
        pieces = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
        lines += [f"% {MARK}: {piece}" for piece in pieces]
    return "".join(f"{line}\n" for line in lines)


def recipe(path: str | Path) -> dict[str, Any]:
    """The recipe that a figure's file carries.

    >>> import tempfile
    >>> import segviz as sv
    >>> from segviz.figures.recipes import recipe_of
    >>> from segviz.figures.saved import PaperFigure
    >>> trace = sv.load().trace(sv.examples["chain"])
    >>> path = Path(tempfile.mkdtemp()) / "fig.pdf"
    >>> PaperFigure(recipe=recipe_of("heads", {}, trace)).savefig(path)
    >>> recipe(path)["traces"][0]["model"]
    'tiny-llama'

    Args:
        path: a PDF, SVG, PNG or PGF file that a figure of segviz was saved as. A figure that was
            included in another document, or that a tool has stripped, has lost its recipe.

    Returns:
        what :func:`segviz.figures.recipes.recipe_of` gave.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file of another kind, one that is damaged, or one without a recipe.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no figure {str(path)!r}")
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise ValueError(
            f"{str(path)!r} ends in {path.suffix!r}: recipes are read from "
            f"{', '.join(_READERS)} files"
        )
    try:
        found = json.loads(text) if (text := read(path)) is not None else None
    except (expat.ExpatError, ValueError) as error:
        raise ValueError(f"the recipe of {str(path)!r} cannot be read: {error}") from error
    if not isinstance(found, dict) or "format" not in found:
        raise ValueError(
            f"{str(path)!r} carries no recipe: it was not saved by a figure of segviz, or a tool "
            "has removed its metadata"
        )
    if found["format"] != FORMAT:
        raise ValueError(
            f"{str(path)!r} has recipe format {found['format']!r}; this version of segviz reads "
            f"format {FORMAT}"
        )
    return found


def _marked(text: str) -> str | None:
    """The JSON behind the mark, up to where it ends."""
    start = text.find(f"{MARK}:")
    if start < 0:
        return None
    behind = text[start + len(MARK) + 1 :].lstrip()
    _value, end = json.JSONDecoder().raw_decode(behind)
    return behind[:end]


def _of_pdf(path: Path) -> str | None:
    # Saving needs none of this, and it takes a while to import.
    from pypdf import PdfReader  # noqa: PLC0415
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    data = BytesIO(path.read_bytes())
    try:
        metadata = PdfReader(data, strict=False).metadata or {}
        texts = [str(value) for value in metadata.values()]
    except (PyPdfError, OSError) as error:
        raise ValueError(f"it is no PDF, or a damaged or encrypted one ({error})") from error
    return next((found for text in texts if (found := _marked(text)) is not None), None)


def _of_svg(path: Path) -> str | None:
    """The text inside of ``metadata``.

    The parser of the standard library will do: expat reads nothing from outside of the file, and a
    file that declares entities of its own, which could grow without end, is refused here.
    """
    parser = expat.ParserCreate()
    texts: list[str] = []
    depth = 0

    def start(name: str, _attributes: object) -> None:
        nonlocal depth
        if depth or name.rpartition(":")[2] == "metadata":
            depth += 1

    def end(_name: str) -> None:
        nonlocal depth
        depth = max(depth - 1, 0)

    def declared(*_: object) -> None:
        raise ValueError("it declares entities, which no figure of segviz does")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: texts.append(text) if depth else None
    parser.EntityDeclHandler = declared
    with path.open("rb") as file:
        parser.ParseFile(file)
    return _marked("".join(texts))


def _of_png(path: Path) -> str | None:
    data = BytesIO(path.read_bytes())
    try:
        with Image.open(data, formats=["png"]) as image:
            texts: dict[str, str] = image.text  # type: ignore[reportAttributeAccessIssue]
    except (OSError, SyntaxError) as error:
        raise ValueError(f"it is no PNG, or a damaged one ({error})") from error
    if MARK not in texts:
        return None
    pieces = [texts[MARK]]
    while (name := f"{MARK} {len(pieces) + 1}") in texts:
        pieces.append(texts[name])
    return "".join(pieces)


def _of_pgf(path: Path) -> str | None:
    line = re.compile(rf"^%\s*{MARK}:\s*(.*?)\s*$", re.MULTILINE)
    pieces = line.findall(path.read_text(encoding="utf-8"))
    return "".join(pieces) or None


_READERS: Mapping[str, Callable[[Path], str | None]] = {
    ".pdf": _of_pdf,
    ".svg": _of_svg,
    ".png": _of_png,
    ".pgf": _of_pgf,
}
