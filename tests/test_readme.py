"""The README's code blocks run, in order: Python in one namespace, commands in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import segviz as sv

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Two are commands for a fresh environment: CI runs one, and a test below knows what the other does.
LEFT_OUT = ("<!-- not run: ", "<!-- open command -->", "<!-- test command -->")
SHOWN_ELSEWHERE = "bibtex"

MOVING_PICTURE = 1_200_000  # bytes


class Block(NamedTuple):
    before: str
    language: str
    code: str

    @property
    def runs(self) -> bool:
        return not self.before.startswith(LEFT_OUT) and self.language != SHOWN_ELSEWHERE


BLOCKS = [
    Block(*groups) for groups in re.findall(r"([^\n]*)\n```(\w*)\n(.*?)\n```", README, re.DOTALL)
]


def blocks(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages and block.runs]


def test_every_block_is_of_a_known_kind() -> None:
    assert {block.language for block in BLOCKS} == {"python", "bash", "console", "bibtex"}
    left_out = [block for block in BLOCKS if not block.runs and block.language == "python"]
    assert all("network" in block.before for block in left_out)


def test_the_python_runs(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block.code, "README.md", "exec"), namespace)
    assert isinstance(namespace["trace"], sv.Trace)
    assert isinstance(namespace["session"], sv.Session)


def test_the_commands_run_and_print_what_is_shown(tmp_path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    shown = 0
    for block in blocks("bash", "console"):
        command, lines = block.code, ""
        if block.language == "console":
            command, _, lines = block.code.removeprefix("$ ").partition("\n")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        for part in filter(None, lines.split("…\n")):
            assert part.strip("\n") in done.stdout
            shown += 1
    assert shown
    assert (tmp_path / "comparison.pdf").read_bytes().startswith(b"%PDF")


def test_the_first_command_installs_what_opens_the_first_tutorial() -> None:
    [opens], [tests] = (
        [block.code for block in BLOCKS if block.before == f"<!-- {which} command -->"]
        for which in ("open", "test")
    )
    install = tests.partition(" -e ")[0]
    assert opens == f"{install} -e '.[lab]' && .venv/bin/segviz lab"


def test_links_and_pictures_are_there() -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)\)", README)
    targets += re.findall(r'src="([^"]+)"', README)
    assert len(targets) > 10
    for target in targets:
        assert (ROOT / target).is_file(), target
    assert "@@" not in README


def test_the_moving_picture_is_small() -> None:
    assert (ROOT / "assets" / "explorer.gif").stat().st_size < MOVING_PICTURE
