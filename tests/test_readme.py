"""Every Python block of the README runs, in order, in one namespace."""

from __future__ import annotations

import re
from pathlib import Path

import segviz as sv

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?P<before>[^\n]*)\n```python\n(?P<code>.*?)```", re.DOTALL)


def test_the_code_runs(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    blocks = [m for m in BLOCK.finditer(README) if not m["before"].startswith("<!-- not run")]
    for block in blocks:
        exec(compile(block["code"], "README.md", "exec"), namespace)
    assert len(blocks) == 10
    assert isinstance(namespace["trace"], sv.Trace)


def test_there_are_two_commands_and_a_picture() -> None:
    assert len(re.findall(r"^python3 -m venv", README, re.MULTILINE)) == 2
    assert "@@" not in README
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (Path(__file__).parents[1] / picture).is_file()
