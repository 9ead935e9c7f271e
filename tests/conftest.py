"""For all tests."""

from __future__ import annotations

import pytest

# Looking for doctests imports every file, and these change torch for the rest of the process.
# `test_devices.py` runs them in one of their own.
collect_ignore = ["placed.py", "placed_cases.py"]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small models run faster on one thread, most of all while a browser wants the other core."""
    import torch  # noqa: PLC0415 (tests without torch start faster)

    torch.set_num_threads(1)
