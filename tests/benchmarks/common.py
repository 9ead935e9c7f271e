"""Common: tables in Markdown, and the line that says on what they were made."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

import segviz as sv

Cell = float | str
"""A number, or the words that stand in its place."""

_STARTED = time.monotonic()


@dataclass(frozen=True)
class Table:
    """One table of the report.

    Args:
        title: above it.
        columns: names, and how their numbers are written (``".2f"``).
        rows: of cells, one per column; words are written as they are.
        note: a sentence or two beneath the title.
    """

    title: str
    columns: Mapping[str, str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def markdown(self) -> str:
        """The table in Markdown."""
        lines = [f"### {self.title}", "", *([self.note, ""] if self.note else [])]
        if self.rows:
            lines += [_line(self.columns), _line("---" for _ in self.columns)]
        for row in self.rows:
            cells = zip(row, self.columns.values(), strict=True)
            lines.append(_line(x if isinstance(x, str) else format(x, spec) for x, spec in cells))
        return "\n".join(lines) + "\n"


def ratio(value: Cell, floor: Cell) -> Cell:
    """One number over another; a dash where either is none."""
    if isinstance(value, str) or isinstance(floor, str) or not floor:
        return "–"
    return value / floor


def minus(value: Cell, floor: Cell) -> Cell:
    """One number less another; a dash where either is none."""
    if isinstance(value, str) or isinstance(floor, str):
        return "–"
    return value - floor


def progress(text: str) -> None:
    """Say on stderr what is going on, so that the tables on stdout stay clean."""
    print(f"[{time.monotonic() - _STARTED:4.0f} s] {text}", file=sys.stderr, flush=True)


def machine() -> str:
    """Processor, memory, versions, threads and date."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    hardware = f"{os.cpu_count()} cores ({_processor()}, {platform.system()}), {memory:.0f} GB"
    if torch.cuda.is_available():
        hardware += f", {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "bertviz"))
    return (
        f"{hardware}; {torch.get_num_threads()} threads; Python {platform.python_version()}, "
        f"{versions}, segviz {sv.__version__}; {datetime.now(UTC):%Y-%m-%d}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{named[0]}, {platform.machine()}" if named else platform.machine()


def _line(cells: Sequence[str] | Mapping[str, str] | object) -> str:
    return "| " + " | ".join(cells) + " |"  # type: ignore[arg-type]
