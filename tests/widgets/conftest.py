"""What the tests of the views share."""

from __future__ import annotations

import pytest

from segviz.widgets import View


@pytest.fixture
def sent(monkeypatch):
    """Custom messages, as (content, buffers)."""
    messages: list[tuple[dict, list[bytes]]] = []

    def send(self: View, content: dict, buffers: list[bytes] | None = None) -> None:  # noqa: ARG001
        messages.append((content, [bytes(buffer) for buffer in buffers or []]))

    monkeypatch.setattr(View, "send", send)
    return messages
