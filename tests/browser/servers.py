"""Servers of pages, each on a free port and with all its settings in temporary folders."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

import nbformat

OVERRIDES = {
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}
KERNEL = {
    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Python 3",
    "language": "python",
}


class Server:
    """A server whose kernels run the interpreter that runs the tests, on this checkout.

    It runs until :meth:`stop`, or until the end of a ``with`` block.

    Args:
        folder: an empty one, for everything that the server writes.
        module: started as ``python -m module``.
        arguments: of the module; ``{port}`` stands for the port.
    """

    health: ClassVar[str] = "/api/status"
    """A path that answers once the server is up."""

    def __init__(self, folder: Path, module: str, *arguments: str) -> None:
        self.root = folder / "notebooks"
        self.root.mkdir(parents=True, exist_ok=True)
        kernel = folder / "data" / "kernels" / "python3"
        kernel.mkdir(parents=True)
        (kernel / "kernel.json").write_text(json.dumps(KERNEL))
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *(one.format(port=port) for one in arguments)],
                cwd=folder, env=_environment(folder), stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self._wait(60)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url + self.health, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"the server did not start:\n{self.log.read_text()[-3000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server stand still: what happens in a page meanwhile, the page does by itself."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End the server and its kernels."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class JupyterServer(Server):
    """A Jupyter application that opens notebooks of its folder.

    Args:
        folder: as of :class:`Server`.
        module: the application.
        path: of a notebook's page, followed by the notebook's name.
    """

    def __init__(self, folder: Path, module: str, path: str) -> None:
        self.path = path
        settings = folder / "app-settings"
        settings.mkdir(parents=True)
        (settings / "overrides.json").write_text(json.dumps(OVERRIDES))
        super().__init__(
            folder, module, "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port={port}",
            "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.password=",
            "--expose-app-in-browser", f"--ServerApp.root_dir={folder / 'notebooks'}",
            f"--LabServerApp.app_settings_dir={settings}",
        )  # fmt: skip

    def page(self, name: str) -> str:
        """The address of a notebook's page."""
        return f"{self.url}/{self.path}/{name}"

    def write(self, name: str, cells: list[str]) -> str:
        """A notebook of code cells in the server's folder; returns its name."""
        write_notebook(self.root / name, cells)
        return name

    def copy(self, notebook: Path) -> str:
        """An existing notebook, copied into the server's folder; returns its name."""
        (self.root / notebook.name).write_bytes(notebook.read_bytes())
        return notebook.name


def write_notebook(path: Path, cells: list[str]) -> None:
    """Write a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, path)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _environment(folder: Path) -> dict[str, str]:
    checkout = str(Path(__file__).parents[2])
    return {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
        "PYTHONPATH": os.pathsep.join(filter(None, [checkout, os.environ.get("PYTHONPATH", "")])),
    }
