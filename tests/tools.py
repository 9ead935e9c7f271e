"""Programs that are no Python packages: where one is missing, a test is skipped, but not in CI."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the test; fail it where the tools are required (``SEGVIZ_REQUIRE_TOOLS=1``)."""
    if os.environ.get("SEGVIZ_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def find(*names: str) -> str:
    """The path of the first of these programs that is installed."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        missing(f"not installed: {' or '.join(names)}")
    return path
