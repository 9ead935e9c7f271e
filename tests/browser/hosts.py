"""Places other than JupyterLab that show widgets: Notebook 7, voila, marimo."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import ClassVar

from .servers import JupyterServer, Server, write_notebook


class NotebookServer(JupyterServer):
    """A Jupyter Notebook 7; a page of it is a :class:`browser.lab.NotebookPage`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "notebook", "notebooks")


class VoilaServer(Server):
    """A voila that runs one notebook for every visit, and shows what it displays.

    Args:
        folder: as of :class:`Server`.
        cells: of the notebook.
        theme: ``"light"`` or ``"dark"``.
    """

    health: ClassVar[str] = "/voila/static/voila.js"

    def __init__(self, folder: Path, cells: list[str], theme: str = "light") -> None:
        path = folder / "app.ipynb"
        write_notebook(path, cells)
        super().__init__(
            folder, "voila", str(path), "--no-browser", "--port={port}", f"--theme={theme}",
            "--Voila.ip=127.0.0.1",
        )  # fmt: skip


class MarimoServer(Server):
    """A marimo that runs one notebook as an app.

    Args:
        folder: as of :class:`Server`.
        cells: of the notebook.
    """

    health: ClassVar[str] = "/health"

    def __init__(self, folder: Path, cells: list[str]) -> None:
        functions = [f"@app.cell\ndef _():\n{textwrap.indent(cell, '    ')}\n" for cell in cells]
        path = folder / "app.py"
        path.write_text("import marimo\n\napp = marimo.App()\n\n" + "\n".join(functions))
        super().__init__(
            folder, "marimo", "run", str(path), "--headless", "--no-token", "--port={port}",
        )  # fmt: skip
