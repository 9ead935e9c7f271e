"""Places other than JupyterLab that show widgets: Notebook 7, voila, marimo."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import ClassVar

from .servers import JupyterServer, Server, write_notebook


class NotebookServer(JupyterServer):
    """A Jupyter Notebook 7, whose pages are steered as JupyterLab's are."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "notebook", "notebooks")


class VoilaServer(Server):
    """A voila that runs a notebook for every visit, and shows what it displays.

    Args:
        folder: as of :class:`Server`.
        cells: of the notebook.
        theme: ``"light"`` or ``"dark"``.
    """

    health: ClassVar[str] = "/voila/static/voila.js"

    def __init__(self, folder: Path, cells: list[str], theme: str) -> None:
        notebook = folder / "app.ipynb"
        write_notebook(notebook, cells)
        super().__init__(
            folder, "voila", str(notebook), "--no-browser", "--Voila.ip=127.0.0.1",
            "--port={port}", f"--theme={theme}",
        )  # fmt: skip


class MarimoServer(Server):
    """A marimo that runs a notebook as an app, for every visit.

    Args:
        folder: as of :class:`Server`.
        cells: of the notebook.
        theme: ``"light"``, ``"dark"`` or ``"system"``.
    """

    health: ClassVar[str] = "/health"

    def __init__(self, folder: Path, cells: list[str], theme: str) -> None:
        settings = folder / "config" / "marimo" / "marimo.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text(f'[display]\ntheme = "{theme}"\n')
        functions = (f"@app.cell\ndef _():\n{textwrap.indent(cell, '    ')}\n" for cell in cells)
        notebook = folder / "app.py"
        notebook.write_text("\n\n".join(["import marimo\n\napp = marimo.App()\n", *functions]))
        super().__init__(
            folder, "marimo", "run", str(notebook), "--headless", "--no-token", "--port={port}"
        )
