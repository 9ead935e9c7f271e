"""Lab: ``segviz lab`` on the command line."""

from __future__ import annotations

import argparse

from segviz import lab


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
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
