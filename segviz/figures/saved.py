"""PaperFigure: a matplotlib figure that is saved the way a paper wants it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from io import BytesIO, StringIO
from pathlib import Path
from typing import IO, Any

import matplotlib as mpl
from matplotlib import cbook
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from PIL import Image

from segviz.figures import carrying, latex
from segviz.figures.recipes import title_of
from segviz.figures.truetype import with_truetype
from segviz.files import whole
from segviz.pictures import reduced

FORMATS = ("pdf", "svg", "png", "pgf")
"""The endings that a figure can be saved under."""

_SHARPER = 2
"""Pixels of a picture in a notebook, to a pixel of the page."""

_COLORS = 96
"""Of such a picture, which is saved with the notebook; files have all of them."""

# What is in force while a figure is saved, whatever was when it was made.
_SAVING: Mapping[Any, Any] = {
    "pdf.fonttype": 42,
    "pdf.use14corefonts": False,
    "svg.fonttype": "none",
    "svg.image_inline": True,
    "svg.hashsalt": "segviz",
    "text.usetex": False,
    # The size is what was asked for; ``bbox_inches="tight"`` says otherwise for one file.
    "savefig.bbox": "standard",
    # After a save, matplotlib gives a figure the layout of ``rcParams``.
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
}
# Settings of the session and not of a drawing, or those that saving decides.
_NOT_OF_A_FIGURE = (
    "_internal",
    "animation",
    "backend",
    "docstring",
    "figure",
    "interactive",
    "keymap",
    "macosx",
    "pdf",
    "pgf",
    "ps",
    "savefig",
    "svg",
    "timezone",
    "tk",
    "toolbar",
    "webagg",
)


class PaperFigure(Figure):
    """A matplotlib figure whose files have real text, the asked-for size and a recipe.

    >>> import tempfile
    >>> figure = PaperFigure(figsize=(3.25, 2), recipe={
    ...     "format": 1, "kind": "flow", "arguments": {}, "traces": []})
    >>> path = Path(tempfile.mkdtemp()) / "fig.pdf"
    >>> figure.savefig(path)
    >>> path.read_bytes()[:4], figure.recipe["kind"]
    (b'%PDF', 'flow')

    The ``rcParams`` that were in force when the figure was made hold whenever it is drawn, so a
    figure looks the same wherever it is saved. Nothing global changes.

    Args:
        args: as in :class:`matplotlib.figure.Figure`.
        rc: ``rcParams`` of the style, on top of those in force.
        recipe: what :func:`segviz.figures.recipes.recipe_of` gave; goes into every file.
        title: of the file; by default from the recipe.
        png_dpi: pixels to an inch of a PNG, unless another number is asked for.
        settings: as in :class:`matplotlib.figure.Figure`.
    """

    def __init__(
        self,
        *args: Any,
        rc: Mapping[str, Any] | None = None,
        recipe: Mapping[str, Any] | None = None,
        title: str | None = None,
        png_dpi: float = 300,
        **settings: Any,
    ) -> None:
        style: dict[Any, Any] = dict(rc or {})
        with mpl.rc_context(style):
            now = mpl.rcParams.copy()
            self._rc: dict[Any, Any] = {
                name: now[name]
                for name in now
                if name.partition(".")[0] not in _NOT_OF_A_FIGURE or name in style
            }
            # Places are worked out: a user's autolayout or constrained layout would move them.
            super().__init__(*args, **{"layout": "none", **settings})
        self._recipe = None if recipe is None else dict(recipe)
        self._title = title
        self._png_dpi = png_dpi
        self._for_latex = False
        _show_as_itself()

    @property
    def recipe(self) -> dict[str, Any] | None:
        """How the figure was made, as it stands in its files; None where nobody gave it.

        >>> import segviz as sv
        >>> figure = sv.figures.flow(sv.load().trace(sv.examples["chain"]), layer=1)
        >>> figure.recipe["kind"], figure.recipe["arguments"]["layer"]
        ('flow', 1)

        :func:`segviz.figures.recipe` reads it from a file.
        """
        return self._recipe

    @property
    def title(self) -> str:
        """The title that its files have, a short sentence.

        >>> import segviz as sv
        >>> sv.figures.flow(sv.load().trace(sv.examples["chain"]), layer=1).title
        'flow, layer 1: tiny-llama under the segment mask'

        It stands in the file's metadata and not in the drawing.
        """
        if self._title is not None:
            return self._title
        return "Figure" if self._recipe is None else title_of(self._recipe)

    def draw(self, renderer: Any) -> None:
        """Draw the figure, with the ``rcParams`` it was made under; matplotlib calls it.

        >>> PaperFigure(figsize=(2, 1)).draw_without_rendering()

        Args:
            renderer: of the matplotlib backend that draws.
        """
        # What LaTeX sets it also measures, so texts are escaped for both.
        with mpl.rc_context(self._changed_rc()):
            super().draw(latex.escaping(renderer) if self._for_latex else renderer)

    def savefig(  # type: ignore[reportIncompatibleMethodOverride]
        self,
        fname: str | os.PathLike[str] | IO[Any] | PdfPages,
        *,
        dpi: float | str | None = None,
        format: str | None = None,  # noqa: A002 (the name that matplotlib gives it)
        metadata: Mapping[str, Any] | None = None,
        bbox_inches: Any = None,
        **settings: Any,
    ) -> None:
        r"""Save the figure: with real text, its exact size and its recipe.

        >>> buffer = BytesIO()
        >>> PaperFigure(figsize=(2, 1)).savefig(buffer, format="png", dpi=100)
        >>> buffer.getvalue()[1:4]
        b'PNG'

        A PDF embeds its fonts as TrueType (no Type 3, which publishers refuse), an SVG keeps text
        as text, and equal figures give equal files. A file that is there stays until the new one
        is whole.

        PGF takes the fonts of the paper it is put into. It comes with a PNG file for every picture
        of cells (``fig-img0.png``, …) beside it: keep them together, and load the package ``pgf``
        and, where they are in another folder, ``import``. A save that fails leaves the old files.

        In a :class:`~matplotlib.backends.backend_pdf.PdfPages` only the drawing is the figure's:
        fonts and metadata are those of whoever opened it.

        Args:
            fname: a path that ends in .pdf, .svg, .png or .pgf; or an open file.
            dpi: of PNG, and of what is no vector elsewhere; by default ``savefig.dpi`` where that
                is set, or else that of the figure's style (300 for papers).
            format: one of the endings, in place of that of the path.
            metadata: is added to the title and the recipe, with the names that the format has
                (``Author``, ``Keywords``, …). The recipe stays.
            bbox_inches: by default exactly the size of the figure, whatever ``savefig.bbox`` says;
                ``"tight"`` cuts it to what is drawn.
            settings: as in :meth:`matplotlib.figure.Figure.savefig`.

        Raises:
            ValueError: another format; a backend; a PGF with pictures in an open file, which has no
                folder.
            TypeError: metadata that the format cannot hold.
            FileNotFoundError, IsADirectoryError, PermissionError: no place for the file.
            RuntimeError: PGF where LaTeX is not installed.
        """
        if isinstance(fname, PdfPages):
            pages: Any = fname
            super().savefig(pages, format="pdf", bbox_inches=bbox_inches, **settings)
            return
        if settings.get("backend") is not None:
            raise ValueError(
                f"backend={settings['backend']!r}: the fonts and the recipe of a figure are made "
                "sure of with matplotlib's own backends only; leave backend out"
            )
        path = Path(fname) if isinstance(fname, str | os.PathLike) else None
        ending = _checked_format(format, path)
        default = mpl.rcParams["savefig.dpi"]
        settings |= {
            "dpi": dpi or (self._png_dpi if default == "figure" else default),
            "bbox_inches": bbox_inches,
        }
        try:
            if ending == "pgf":
                self._save_pgf(path, fname, metadata or {}, settings)
                return
            data = self._rendered(ending, metadata or {}, settings)
            if path is None:
                _write(fname, data)
                return
            with whole(path, "a figure") as unfinished:
                unfinished.write_bytes(data)
        except PermissionError as error:
            if path is None:
                raise
            raise PermissionError(
                f"{str(path.parent)!r} is no folder that you may write to: save the figure "
                f"{path.name!r} somewhere else"
            ) from error

    def _changed_rc(self) -> dict[Any, Any]:
        """What has to be set anew: fewer settings are quicker, and none warns of its age."""
        now = mpl.rcParams.copy()
        return {name: value for name, value in self._rc.items() if now.get(name) != value}

    def _rendered(
        self, ending: str, metadata: Mapping[str, Any], settings: dict[str, Any]
    ) -> bytes:
        """The file as bytes: nothing is written before all of it is there."""
        if ending == "png":
            pil = dict(settings.pop("pil_kwargs", None) or {})
            if "pnginfo" in pil:
                raise TypeError("pil_kwargs: give the texts of a PNG as metadata, not as pnginfo")
            pil["pnginfo"] = carrying.png_text(self.title, self._recipe, metadata)
            settings = {**settings, "pil_kwargs": pil}
        elif ending == "pdf":
            known = carrying.pdf_metadata(self.title, self._recipe, metadata)
            settings = {**settings, "metadata": known}
        else:
            known = carrying.svg_metadata(self.title, self._recipe, metadata)
            settings = {**settings, "metadata": known}
        buffer = BytesIO()
        with mpl.rc_context({**self._changed_rc(), **_SAVING}):
            super().savefig(buffer, format=ending, **settings)
        data = buffer.getvalue()
        return with_truetype(data) if ending == "pdf" else data

    def _save_pgf(
        self, path: Path | None, target: Any, metadata: Mapping[str, Any], settings: dict[str, Any]
    ) -> None:
        latex.check(mpl.rcParams["pgf.texsystem"])
        comments = carrying.pgf_comments(self.title, self._recipe, metadata)
        # Its text is set in the paper's fonts, unless the style wants its own.
        rc: dict[Any, Any] = {"pgf.rcfonts": False, **self._changed_rc(), **_SAVING}

        def save(file: Any) -> None:
            file.write(comments)
            super(PaperFigure, self).savefig(file, format="pgf", **settings)

        self._for_latex = True
        try:
            with mpl.rc_context(rc):
                if path is not None:
                    latex.save_beside(path, save)
                    return
                buffer = StringIO()
                save(buffer)
                _write(target, buffer.getvalue().encode())
        finally:
            self._for_latex = False

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """For notebooks: sharp on any screen, and the exact size, as in a file."""
        data = self._rendered("png", {}, {"dpi": self.dpi * _SHARPER})
        data = reduced(Image.open(BytesIO(data)).convert("RGB"), _COLORS)
        width, height = (round(float(inches * self.dpi)) for inches in self.get_size_inches())
        return data, {"width": width, "height": height}


def _show_as_itself() -> None:
    """Let a notebook show :meth:`PaperFigure._repr_png_`.

    Once there is a figure of pyplot, IPython shows every ``Figure`` in pyplot's way, unless there
    is another way for its very type.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        as_png = shell.display_formatter.formatters["image/png"]
        as_png.for_type(PaperFigure, PaperFigure._repr_png_)


def _checked_format(given: str | None, path: Path | None) -> str:
    if given is not None:
        ending, where = given.lower(), f"format={given!r}"
    elif path is None:
        ending = mpl.rcParams["savefig.format"]
        where = f"savefig.format is {ending!r}"
    else:
        ending, where = path.suffix.lower().removeprefix("."), f"{path.name!r}"
    if ending not in FORMATS:
        raise ValueError(
            f"{where}: a figure is saved as {', '.join(f'.{one}' for one in FORMATS[:-1])} or "
            f".{FORMATS[-1]}; .pdf is for papers and slides, .svg for web pages"
        )
    return ending


def _write(target: Any, data: bytes) -> None:
    target.write(data.decode() if cbook.file_requires_unicode(target) else data)
