"""Measure: seconds and bytes of what is compared, side by side."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.common import Cell

Way = Callable[[], object]
"""One way to do something."""


class NotRunError(Exception):
    """A way that cannot be gone here; the message stands in the table."""


# What stands in the table in place of a number: a GPU that is full, and a run that was refused.
FAILURES = (NotRunError, torch.OutOfMemoryError, MemoryError)


def said(error: BaseException) -> str:
    """The words for a failure."""
    return str(error) if isinstance(error, NotRunError) else "out of memory"


def compiled(way: Way) -> Way:
    """The same for a way that is compiled first, which not every machine can do.

    Raises:
        NotRunError: whatever a missing compiler brings about.
    """

    def run() -> object:
        try:
            return way()
        except FAILURES:
            raise
        except Exception as error:
            raise NotRunError(f"does not run here: {type(error).__name__}") from error

    return run


def medians(ways: Mapping[str, Way], repeats: int, device: str = "cpu") -> dict[str, Cell]:
    """Median seconds of each, after one run to warm up.

    They take turns, so that a slow moment of the machine slows all of them.

    Args:
        ways: by name.
        repeats: runs of each that count.
        device: where they run.

    Returns:
        by name the median, or the words for what failed.
    """
    found: dict[str, Cell] = {}
    for name, way in ways.items():
        try:
            way()
        except FAILURES as error:
            found[name] = said(error)
    times: dict[str, list[float]] = {name: [] for name in ways if name not in found}
    for _ in range(repeats):
        for name, kept in times.items():
            kept.append(seconds(ways[name], device))
    found |= {name: statistics.median(kept) for name, kept in times.items()}
    return {name: found[name] for name in ways}


def seconds(way: Way, device: str = "cpu") -> float:
    """Seconds of one run, up to the end of what it started on the device."""
    if torch.device(device).type == "cuda":
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record()
        result = way()
        stop.record()
        stop.synchronize()
        del result
        return start.elapsed_time(stop) / 1000
    started = time.perf_counter()
    result = way()
    stopped = time.perf_counter()
    del result  # to give memory back is not part of it
    return stopped - started


def peak(way: Way, device: str = "cpu") -> int:
    """Bytes that one run held at most, above what was held before.

    Of a GPU's memory what torch allocated; of a CPU's what the process had in memory. There it
    says something only in a process that has freed little: see :func:`in_fresh_process`.
    """
    gc.collect()
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        result = way()
        torch.cuda.synchronize(device)
        del result
        return torch.cuda.max_memory_allocated(device) - before
    before = _begin_peak()
    result = way()
    del result
    return max(_highest() - before, 0)


def in_fresh_process(
    function: Callable[..., Any], *arguments: Any, gives_back: bool = False
) -> Any:
    """What a function returns in a Python process of its own.

    Args:
        function: to call, and its arguments.
        arguments: what to call it with.
        gives_back: whether freed memory shall go back to the system at once, which takes time, but
            without it glibc's heap keeps a part that differs from run to run.

    Raises:
        NotRunError: the process was killed, as Linux does when memory runs out.
    """
    context = multiprocessing.get_context("spawn")
    settings = {"MALLOC_MMAP_THRESHOLD_": "65536"} if gives_back else {}
    with patch.dict(os.environ, settings), ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise NotRunError("killed (out of memory?)") from error


_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _begin_peak() -> int:
    """Begin a new peak where the system can do that; the bytes that are held now."""
    if not _STATUS.exists():
        return _highest()
    # Freed memory that the allocator keeps would hide what the next run takes.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    _RESET.write_text("5", encoding="ascii")
    return _highest()


def _highest() -> int:
    """Bytes of memory that this process has held at most.

    On Linux not from ``ru_maxrss``, in which a new process inherits its parent's peak.
    """
    if _STATUS.exists():
        text = _STATUS.read_text(encoding="utf-8")
        return 1024 * int(text.split("VmHWM:")[1].split()[0])
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else 1024 * highest
