"""A real JupyterLab in temporary folders, and a notebook page in it, for tests."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path
from typing import Any

from .servers import JupyterServer

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


class LabServer(JupyterServer):
    """A JupyterLab."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "jupyterlab", "lab/tree")


class NotebookPage:
    """A notebook open in the page of a JupyterLab or a Notebook 7."""

    def __init__(self, page: Any, server: JupyterServer) -> None:
        self.page = page
        self.server = server

    def open(self, name: str) -> NotebookPage:
        """Open a notebook of the server's folder, with its kernel started."""
        self.page.goto(f"{self.server.page(name)}?reset")
        self.page.wait_for_function(READY, timeout=60_000)
        self.page.evaluate(ALL_READY)
        return self

    def go_dark(self) -> None:
        """Change to JupyterLab's dark theme."""
        command = "'apputils:change-theme', {theme: 'JupyterLab Dark'}"
        self.page.evaluate(f"window.jupyterapp.commands.execute({command})")

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
