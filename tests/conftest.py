"""For all tests."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small models run faster on one thread, most of all while a browser wants the other core."""
    import torch  # noqa: PLC0415 (tests without torch start faster)

    torch.set_num_threads(1)
