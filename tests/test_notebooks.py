"""Every notebook runs from top to bottom, and is committed readable: with its outputs, small."""

from __future__ import annotations

import base64
import re
import sys
import tomllib
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbformat.v4 import new_output
from PIL import Image, ImageDraw
from stale import VARIES, code_cells, differences

import segviz as sv

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAME = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]

# The bytes of a notebook. The larger one holds a picture of every kind of figure.
LIMIT = {"05_paper_figures": 500_000}
USUAL_LIMIT = 300_000

BEGINNING = f"""\
try:
    import segviz as sv
except ModuleNotFoundError:  # Colab, or an environment without it
    %pip install -q "{NAME}[lab]"
    import segviz as sv
"""
SWAP = re.compile(r'sv\.load\("[^"]+/[^"]+".*device="cuda"')


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def test_it_runs_and_its_outputs_are_those_of_the_code(path, monkeypatch) -> None:
    """If they are stale, execute it again: CONTRIBUTING.md says how."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # as `segviz lab` sets it
    executed = read(path)
    for cell in code_cells(executed):
        cell.outputs = []
    NotebookClient(executed, timeout=60, kernel_name="python3").execute()
    assert not differences(read(path), executed)


def test_it_can_be_read_without_running_it(path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert path.stat().st_size < LIMIT.get(path.stem, USUAL_LIMIT)
    assert "widgets" not in notebook.metadata
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    for output in outputs:
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
            assert "image/png" in output.data, "a widget without a static picture"


def test_it_begins_as_the_others_do(path) -> None:
    title, first = read(path).cells[:2]
    assert title.source.startswith("# ")
    assert f"{first.source}\n".startswith(BEGINNING)
    assert any(SWAP.search(cell.source) for cell in code_cells(read(path))[:2])


def test_every_code_cell_is_announced_and_the_reader_asked_to_try_something(path) -> None:
    cells = read(path).cells
    assert ("code", "code") not in pairwise(cell.cell_type for cell in cells)
    assert sum("**Try it" in cell.source for cell in cells) >= 2


def test_each_leads_to_the_next() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{i:02}" for i in range(1, 8)]
    for path, following in pairwise(NOTEBOOKS):
        assert following.name in read(path).cells[-1].source


def test_where_segviz_is_missing_the_first_cell_installs_it(monkeypatch) -> None:
    asked = []

    def pip(line: str) -> None:
        asked.append(line)
        monkeypatch.setitem(sys.modules, "segviz", sv)

    monkeypatch.setitem(sys.modules, "segviz", None)  # importing it raises ModuleNotFoundError
    shell = InteractiveShell()
    shell.register_magic_function(pip, "line", "pip")
    assert shell.run_cell(BEGINNING).success
    assert asked == [f'install -q "{NAME}[lab]"']
    assert shell.user_ns["sv"] is sv


# Stale outputs are noticed


def outputs_with(notebook, kind: str) -> list[nbformat.NotebookNode]:
    return [o for c in code_cells(notebook) for o in c.outputs if kind in o.get("data", {})]


def print_more(notebook) -> None:
    code_cells(notebook)[0].outputs.append(new_output("stream", text="more\n"))


def say_something_else(notebook) -> None:
    outputs_with(notebook, "text/plain")[0].data["text/plain"] += "!"


def leave_the_picture_out(notebook) -> None:
    del outputs_with(notebook, "image/png")[0].data["image/png"]


def write_a_word_on_the_picture(notebook) -> None:
    data = outputs_with(notebook, "image/png")[0].data
    with Image.open(BytesIO(base64.b64decode(data["image/png"]))) as image:
        ImageDraw.Draw(image).text((20, 20), "stale", fill="black", font_size=20)
        image.save(written := BytesIO(), "PNG")
    data["image/png"] = base64.b64encode(written.getvalue()).decode()


def add_to_the_code(notebook) -> None:
    code_cells(notebook)[-1].source += "\n1 + 1"


@pytest.mark.parametrize(
    "change",
    [
        print_more,
        say_something_else,
        leave_the_picture_out,
        write_a_word_on_the_picture,
        add_to_the_code,
    ],
)
def test_a_stale_output_is_noticed(change) -> None:
    committed, executed = read(NOTEBOOKS[0]), read(NOTEBOOKS[0])
    assert not differences(committed, executed)
    change(committed)
    assert len(differences(committed, executed)) == 1


def test_of_a_cell_that_measures_only_the_kinds_are_compared() -> None:
    committed, executed = read(NOTEBOOKS[0]), read(NOTEBOOKS[0])
    for notebook in (committed, executed):
        for cell in code_cells(notebook):
            cell.metadata["tags"] = [VARIES]
    say_something_else(committed)
    write_a_word_on_the_picture(committed)
    assert not differences(committed, executed)
    leave_the_picture_out(committed)
    assert len(differences(committed, executed)) == 1
