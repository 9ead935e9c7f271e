"""The command line: ``segviz lab``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from segviz import __version__, lab


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="segviz",
        description="See and touch segment-based attention masks on a live Llama or Qwen.",
    )
    parser.add_argument("--version", action="version", version=f"segviz {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_lab(commands)
    options = parser.parse_args(arguments)
    try:
        return options.command(options)
    except lab.LabError as error:
        print(f"segviz: {error}", file=sys.stderr)
        return 2


def _add_lab(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "lab",
        help="open JupyterLab on a tutorial notebook",
        description="Open JupyterLab on the first tutorial notebook, with the embedded model. "
        "No network and no GPU are needed.",
    )
    parser.add_argument(
        "notebook", nargs="?", help="a tutorial's name or a path; by default the first tutorial"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--port", type=_port, help="listen on this port (default: 8888 or next)")
    parser.set_defaults(
        command=lambda o: lab.open_lab(o.notebook, browser=not o.no_browser, port=o.port)
    )


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):  # noqa: PLR2004 (the largest port)
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
