"""The linters and type checkers, as tests: one command checks all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "segviz" / "widgets" / "static"


def check(*command: str) -> None:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def tool(name: str) -> str:
    """A program that is no Python package; without it the test is skipped, but not in CI."""
    path = shutil.which(name)
    if path is None:
        message = f"{name} is not installed"
        pytest.fail(message) if os.environ.get("SEGVIZ_REQUIRE_TOOLS") else pytest.skip(message)
    return path


def test_ruff() -> None:
    check(sys.executable, "-m", "ruff", "check", ".")


def test_formatting() -> None:
    check(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_pyright() -> None:
    check(sys.executable, "-m", "pyright", "--pythonpath", sys.executable)
