"""Every notebook runs from top to bottom, and is committed readable: with outputs, small."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))

# The bytes of a notebook. The larger one holds a picture of every kind of figure, a plot and a
# BertViz view, whose page carries its scripts.
LIMIT = {"05_paper_figures": 900_000}
USUAL_LIMIT = 300_000


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


def test_it_runs(path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(path.parents[1]))
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # as `segviz lab` sets it
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.pop("outputs", None) if cell.cell_type == "markdown" else cell.update(outputs=[])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert text_of(notebook) == text_of(nbformat.read(path, as_version=4))


def text_of(notebook) -> list[str]:
    """What its cells print: the same in every run, or the committed outputs are stale."""
    return [
        "".join(output.text for output in cell.outputs if output.output_type == "stream")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_it_can_be_read_without_running_it(path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < LIMIT.get(path.stem, USUAL_LIMIT)
    assert "widgets" not in notebook.metadata
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    for output in outputs:
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
            assert "image/png" in output.data, "a widget without a static picture"
