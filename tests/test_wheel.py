"""The wheel, installed elsewhere: the embedded model and the notebooks are in it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIMIT = 3_000_000  # bytes of an embedded model


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with what the wheel holds."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.glob("segviz-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_what_it_holds(installed) -> None:
    held = {path.relative_to(installed).as_posix() for path in installed.rglob("*")}
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "segviz").rglob("*")}
    wanted = {name for name in wanted if "__pycache__" not in name}
    assert wanted <= held
    assert {f"segviz/notebooks/{p.name}" for p in (ROOT / "notebooks").glob("*.ipynb")} <= held
    assert not [name for name in held if name.startswith(("tests", "assets"))]
    model = installed / "segviz" / "tiny" / "weights" / "tiny-llama"
    assert 0 < sum(p.stat().st_size for p in model.rglob("*") if p.is_file()) < LIMIT


def test_it_runs_elsewhere(installed, tmp_path) -> None:
    code = """
import segviz as sv
from segviz.lab import find_notebook
trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
print(sv.__file__, trace.generated_text, find_notebook(None), sep="\\n")"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    *_, file, answer, notebook = done.stdout.splitlines()
    assert Path(file).is_relative_to(installed)
    assert answer == " Lena"
    assert Path(notebook) == tmp_path / "segviz-notebooks" / "01_segment_masks.ipynb"
    assert Path(notebook).is_file()
