"""Command line: ``segviz lab``, ``segviz compare`` and ``segviz figure``.

Neither torch nor matplotlib is imported before a command needs it, so that ``--help`` is there at
once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from segviz import __version__
from segviz.cli import compare, figure, lab
from segviz.lab import LabError

__all__ = ["main"]

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended."""

BROKEN_PIPE = 141
"""That of one whose reader has gone, as ``head`` goes."""

_TOLD = (
    LabError,
    OSError,
    ValueError,
    TypeError,
    IndexError,
    NotImplementedError,
    ImportError,
    MemoryError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    >>> main(["compare", "--example", "chain", "--split", "x"])  # the sentence goes to stderr
    2

    Args:
        arguments: what stands behind ``segviz``; None takes them from ``sys.argv``.

    Returns:
        The exit code: 0, 2 for an error that was told, 130 after Ctrl-C, 141 where the reader of
        the output has gone.
    """
    options = _parser().parse_args(arguments)
    # What a terminal's encoding lacks shall not end a run that may have taken minutes.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _told_warning
            code = options.command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _close_output()
        return BROKEN_PIPE
    except (*_TOLD, RuntimeError) as error:
        sentence = _sentence(error)
        if options.traceback or sentence is None:
            raise
        print(f"segviz: {sentence}", file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segviz",
        description="See and touch segment-based attention masks on a live Llama or Qwen.",
    )
    parser.add_argument("--version", action="version", version=f"segviz {__version__}")
    parser.add_argument(
        "--traceback", action="store_true", help="show where an error came from, for a bug report"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (lab, compare, figure):
        command.add_to(commands)
    return parser


def _sentence(error: Exception) -> str | None:
    """What to tell of an error; None where it is none of those that are explained."""
    if type(error).__name__ == "OutOfMemoryError":
        first = str(error).split(". ", 1)[0]
        return f"{first}: shorten the prompt, or try --dtype bfloat16 or --device cpu"
    if not isinstance(error, _TOLD):
        return None
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fsdecode(error.filename)!r}: {error.strerror}"
    return str(error)


def _told_warning(message: Any, category: type[Warning], *place: Any) -> None:
    """A warning as a sentence; those for developers as Python shows them."""
    if issubclass(category, UserWarning):
        print(f"segviz: warning: {message}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, *place[:2]), end="", file=sys.stderr)


def _close_output() -> None:
    """Let what is still buffered go nowhere; Python would complain of it at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
