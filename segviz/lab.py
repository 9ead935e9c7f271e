"""JupyterLab on the tutorial notebooks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

COPIES = "segviz-notebooks"
"""The folder, in the current one, that installed notebooks are copied to."""

_PACKAGE = Path(__file__).parent


class LabError(Exception):
    """JupyterLab cannot be opened as asked; the sentence says what to do."""


def open_lab(notebook: str | None = None, *, browser: bool = True, port: int | None = None) -> int:
    """Start JupyterLab and wait until it ends.

    It listens on the loopback interface only and keeps Jupyter's token.

    Args:
        notebook: a tutorial's name (``01_segment_masks``) or a path; None for the first tutorial.
        browser: open a browser; else the address is printed.
        port: to listen on; an occupied one is an error. None: 8888, or the next free one.

    Returns:
        JupyterLab's exit code.

    Raises:
        LabError: JupyterLab is not installed, or there is no such notebook.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise LabError("JupyterLab is not installed: pip install 'segviz-attention[lab]'")
    path = find_notebook(notebook)
    command = [
        sys.executable,
        *("-m", "jupyterlab"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={path.parent}",
        # So that the printed address leads to the notebook, too.
        f"--LabApp.default_url=/lab/tree/{quote(path.name)}",
    ]
    if not browser:
        command.append("--no-browser")
    if port is not None:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        print("segviz: running as root; fine in a container, else better as a user of your own")
        command.append("--allow-root")
    print(f"segviz: opening {path}", flush=True)
    try:
        return subprocess.run(command, check=False, env=_environment()).returncode  # noqa: S603
    except KeyboardInterrupt:
        return 0


def _environment() -> dict[str, str]:
    """The kernels' environment; what the user has set stays.

    PyTorch's threads spin while they wait for each other. A small model on a machine that is busy
    otherwise (with a browser, say) is then many times slower than with threads that sleep.
    """
    return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}


def find_notebook(notebook: str | None) -> Path:
    """The notebook to open, copied out of the installed package if need be."""
    if notebook is not None and Path(notebook).is_file():
        return Path(notebook).resolve()
    folder = notebooks_folder()
    available = sorted(folder.glob("*.ipynb"))
    wanted = notebook.removesuffix(".ipynb") if notebook is not None else available[0].stem
    for path in available:
        if path.stem == wanted:
            return path
    raise LabError(
        f"there is no notebook {notebook!r}, neither a file nor a tutorial; the tutorials are "
        f"{', '.join(path.stem for path in available)}"
    )


def notebooks_folder() -> Path:
    """The tutorials of a checkout, or copies of the installed ones in the current folder."""
    checkout = _PACKAGE.parent / "notebooks"
    if (_PACKAGE.parent / "pyproject.toml").is_file() and checkout.is_dir():
        return checkout
    return copy_notebooks(_PACKAGE / "notebooks", Path.cwd() / COPIES)


def copy_notebooks(source: Path, target: Path) -> Path:
    """Copy the notebooks that are missing in ``target``; what is there already stays."""
    target.mkdir(exist_ok=True)
    for notebook in sorted(source.glob("*.ipynb")):
        copy = target / notebook.name
        if not copy.exists():
            shutil.copyfile(notebook, copy)
        elif copy.read_bytes() != notebook.read_bytes():
            print(f"segviz: keeping your {copy}; delete it to get this version's")
    print(f"segviz: the notebooks are in {target}")
    return target.resolve()
