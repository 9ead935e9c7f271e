"""A real JupyterLab in temporary folders, and a notebook page in it, for tests."""

from __future__ import annotations

import ast
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import nbformat

READY = "window.jupyterapp?.shell?.currentWidget?.sessionContext"
ALL_READY = """async () => {
  const { jupyterapp } = window;
  const panel = jupyterapp.shell.currentWidget;
  await jupyterapp.restored;
  await panel.context.ready;
  await panel.sessionContext.ready;
}"""
EXECUTE = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({
    code: "0", silent: true, store_history: false, user_expressions: { result: code },
  });
  const reply = await future.done;
  return reply.content.user_expressions?.result ?? reply.content;
}"""
RUN = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const reply = await kernel.requestExecute({ code, store_history: false }).done;
  return reply.content;
}"""
OVERRIDES = {
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}


class LabServer:
    """A JupyterLab on a free port; its kernels run the interpreter that runs the tests."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "notebooks"
        settings = folder / "app-settings"
        for path in (self.root, settings):
            path.mkdir(parents=True)
        (settings / "overrides.json").write_text(json.dumps(OVERRIDES))
        kernel = folder / "data" / "kernels" / "python3"
        kernel.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
        (kernel / "kernel.json").write_text(json.dumps(spec))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        checkout = str(Path(__file__).parents[2])
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
            "PYTHONPATH": os.pathsep.join(
                filter(None, [checkout, os.environ.get("PYTHONPATH", "")])
            ),
        }
        self.log = folder / "lab.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
                    "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
                    "--IdentityProvider.token=", "--ServerApp.password=",
                    "--expose-app-in-browser", f"--ServerApp.root_dir={self.root}",
                    f"--LabApp.app_settings_dir={settings}",
                ],
                env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._wait(60)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/api/status", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End the server and its kernels."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def write(self, name: str, cells: list[str]) -> str:
        """A notebook of code cells in the server's folder; returns its name."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.root / name)
        return name

    def copy(self, notebook: Path) -> str:
        """An existing notebook, copied into the server's folder; returns its name."""
        (self.root / notebook.name).write_bytes(notebook.read_bytes())
        return notebook.name


class NotebookPage:
    """A notebook open in the Lab's page."""

    def __init__(self, page: Any, server: LabServer) -> None:
        self.page = page
        self.server = server

    def open(self, name: str) -> NotebookPage:
        """Open a notebook of the server's folder, with its kernel started."""
        self.page.goto(f"{self.server.url}/lab/tree/{name}?reset")
        self.page.wait_for_function(READY, timeout=60_000)
        self.page.evaluate(ALL_READY)
        return self

    def run_all(self, wait_for: str | None = None, timeout: float = 60) -> NotebookPage:
        """Run all cells, and wait until a selector is visible (and the cells are done)."""
        command = "notebook:run-all-cells"
        if wait_for is None:
            self.page.evaluate(f"window.jupyterapp.commands.execute('{command}')")
        else:
            self.page.evaluate(f"void window.jupyterapp.commands.execute('{command}')")
            self.page.wait_for_selector(wait_for, timeout=timeout * 1000)
        return self

    def start_all(self) -> None:
        """Set all cells running and return at once."""
        self.page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def run_code(self, code: str) -> None:
        """Run statements in the kernel; raises with the kernel's error."""
        reply = self.page.evaluate(RUN, code)
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply.get("traceback", [str(reply)])))

    def kernel(self, expression: str) -> Any:
        """The value of an expression in the kernel, by way of JSON."""
        code = f"__import__('json').dumps({expression})"
        reply = self.page.evaluate(EXECUTE, code)
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply.get("traceback", [str(reply)])))
        return json.loads(ast.literal_eval(reply["data"]["text/plain"]))

    def wait_kernel(self, expression: str, timeout: float = 15) -> Any:
        """Wait until an expression in the kernel is true; returns its value."""
        deadline = time.monotonic() + timeout
        while True:
            value = self.kernel(expression)
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"not true within {timeout} s: {expression} = {value!r}")
            self.page.wait_for_timeout(50)

    def save(self) -> Path:
        """Save the notebook; returns the file."""
        self.page.evaluate("window.jupyterapp.shell.currentWidget.context.save()")
        path = self.page.evaluate("window.jupyterapp.shell.currentWidget.context.path")
        return self.server.root / path
