"""The linters and the type checker, as tests: one command checks all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["pyright"]],
    ids=["lint", "format", "types"],
)
def test_python(command) -> None:
    run = [sys.executable, "-m", *command]
    if command == ["pyright"]:
        run += ["--pythonpath", sys.executable]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
