"""LaTeX: what a PGF file needs to be true to the labels, and to be written whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from segviz.files import whole

_INSTALLED_INSTEAD = ("xelatex", "lualatex", "pdflatex")

# What LaTeX reads as a command, and the marks of labels that its usual fonts do not have.
_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "_": r"\_",
        "%": r"\%",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "…": r"\ldots{}",
        "␣": r"\textvisiblespace{}",
        "⟨": r"\ensuremath{\langle}",
        "⟩": r"\ensuremath{\rangle}",
        "⏎": r"\ensuremath{\hookleftarrow}",
        "⇥": r"\ensuremath{\rightarrow}",
        "→": r"\ensuremath{\rightarrow}",
        "∅": r"\ensuremath{\emptyset}",
        "◌": r"\ensuremath{\circ}",
        "×": r"\ensuremath{\times}",
        "−": r"\ensuremath{-}",
    }
)


def escaped(text: str) -> str:
    r"""Plain text as LaTeX sets it, character by character.

    >>> print(escaped("50% of $x_1 ⟨0000⟩"))
    50\% of \$x\_1 \ensuremath{\langle}0000\ensuremath{\rangle}
    """
    return text.translate(_ESCAPES)


class _Escaping:
    """A renderer that escapes plain text before another one draws or measures it."""

    def __init__(self, renderer: Any) -> None:
        self._drawing = renderer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._drawing, name)

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        text = s if ismath else escaped(s)
        self._drawing.draw_text(gc, x, y, text, prop, angle, ismath=ismath, mtext=mtext)

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
        text = s if ismath else escaped(s)
        return self._drawing.get_text_width_height_descent(text, prop, ismath)


def escaping(renderer: Any) -> Any:
    """A renderer for PGF to which plain text is data: no character of it is a command."""
    return _Escaping(renderer)


def check(program: str) -> None:
    """Raise an error that helps where LaTeX is not installed.

    Args:
        program: the one to use, ``pgf.texsystem`` of ``rcParams``.

    Raises:
        RuntimeError: it is not there.
    """
    if shutil.which(program) is not None:
        return
    others = [one for one in _INSTALLED_INSTEAD if shutil.which(one) is not None]
    instead = (
        f"set matplotlib.rcParams['pgf.texsystem'] to {' or '.join(map(repr, others))}, which is "
        "installed"
        if others
        else "install TeX Live, or save as .pdf, which \\includegraphics takes and LaTeX is not "
        "needed for"
    )
    raise RuntimeError(
        f"PGF needs LaTeX to measure text with, and {program!r} is not installed: {instead}"
    )


def save_beside(path: Path, save: Callable[[IO[str]], None]) -> None:
    """Save a PGF file and the pictures it refers to, each of them whole or not at all.

    Everything is made in a folder of its own first. The pictures take their places before the PGF
    file does, so that it never refers to one that is not there.

    Args:
        path: of the PGF file; the pictures get names of matplotlib's that begin with its stem.
        save: writes to an open file.
    """
    with whole(path, "a figure") as unfinished, tempfile.TemporaryDirectory() as folder:
        made = Path(folder, path.name)
        with made.open("w", encoding="utf-8") as file:
            save(file)
        for picture in sorted(Path(folder).glob("*.png")):
            with whole(path.with_name(picture.name), "a picture of a figure") as place:
                shutil.copyfile(picture, place)
        shutil.copyfile(made, unfinished)
