"""The comparison with peers: what it checks comes out as the README says, for those at hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tools
from benchmarks import measure, peer_views
from benchmarks.common import Table
from benchmarks.peer_tools import TOOLS, Chromium
from browser.conftest import BROWSERS
from playwright.sync_api import sync_playwright


def peer_tables(names: list[str]) -> list[Table]:
    return list(peer_views.tables(names, **peer_views.SIZES["tiny"]))


def test_peer_views() -> None:
    tools.find(*BROWSERS)
    # Two playwrights do not run in one thread, and that of the browser tests may be running.
    checks, sizes, longest = measure.in_fresh_process(peer_tables, ["segviz", "BertViz"])
    assert [row[1:] for row in checks.rows] == [
        ["0", "1"],
        ["yes", "no"],
        ["yes", "yes"],
        ["yes", "no"],
        ["no", "yes"],
        ["no", "no"],
    ]
    assert [row[:2] for row in sizes.rows] == [
        [case, name]
        for case in ("1 × 4 heads, 24 tokens", "2 × 4 heads, 24 tokens")
        for name in ("segviz", "BertViz")
    ]
    assert all(not isinstance(cell, str) and cell > 0 for row in sizes.rows for cell in row[2:])
    assert [row[:2] for row in longest.rows] == [["segviz", 24], ["BertViz", 24]]


def test_missing_peers_are_named(monkeypatch, capsys) -> None:
    monkeypatch.setattr(peer_views.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit):
        peer_views.main(["--only", "inspectus", "segviz"])
    said = capsys.readouterr().err
    assert "not installed: inspectus, segviz" in said
    assert "pip install circuitsvis inspectus" in said


def test_a_page_that_hangs_is_given_up() -> None:
    tools.find(*BROWSERS)
    assert measure.in_fresh_process(hanging) == "not in 2 s"


def hanging() -> object:
    """In a process of its own: the seconds of a page that never answers."""
    with sync_playwright() as playwright:
        page = "<!doctype html><script>setTimeout(() => { for (;;); }, 100)</script>"
        return Chromium(playwright).seconds(
            replace(TOOLS["segviz"], drawn="() => false"), page, (1, 1, 1, 1), 2.0
        )
