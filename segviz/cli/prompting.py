"""Prompting: a prompt from an argument, a file, standard input or an example."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import segviz as sv

if TYPE_CHECKING:
    from segviz.model import Model
    from segviz.prompts import Prompt

STDIN = "-"

OPTIONS = ("prompt", "file", "example", "system", "plain", "split")

_DESCRIPTION = """\
The text is one user message in the model's chat template, or plain text where
the model has none. Every turn of a chat is a segment. One line break at the
end of a file or of standard input does not count."""

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


@dataclass(frozen=True)
class Source:
    """What the prompt will be, before there is a model.

    Args:
        text: what the user wrote; None with an example.
        example: a name in ``segviz.examples``.
        system: the system prompt of a chat.
        plain: no chat template.
        split: the delimiter that cuts plain text into segments.
    """

    text: str | None = None
    example: str | None = None
    system: str | None = None
    plain: bool = False
    split: str | None = None

    def prompt(self, model: Model) -> Prompt:
        """The prompt for a model.

        Raises:
            ValueError: what :meth:`segviz.Model.chat` and :meth:`segviz.Model.prompt` raise.
        """
        if self.example is not None:
            return model.chat(sv.examples[self.example])
        text = self.text or ""
        template = getattr(model.tokenizer, "chat_template", None)
        if self.plain or self.split is not None or (self.system is None and not template):
            return model.prompt(text, self.split)
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        return model.chat([*system, {"role": "user", "content": text}])


def add_options(parser: argparse.ArgumentParser, title: str = "the prompt") -> None:
    """Add the options of a prompt, but the one that holds its text."""
    group = parser.add_argument_group(
        title,
        _DESCRIPTION,
    )
    group.add_argument("--file", metavar="PATH", type=Path, help="read the prompt from a file")
    group.add_argument(
        "--example", metavar="NAME", help="an example chat (chain, chain-2, one-link, …)"
    )
    group.add_argument("--system", metavar="TEXT", help="put a system message before the prompt")
    group.add_argument(
        "--plain", action="store_true", help="plain text as it is, without the chat template"
    )
    group.add_argument(
        "--split",
        metavar="DELIMITER",
        type=unescaped,
        help=r"plain text, cut into segments behind every delimiter; \n, \t, \r and \\ stand for "
        r"a line break, a tab, a carriage return and a backslash ('\n\n': paragraphs)",
    )


def given(options: argparse.Namespace) -> bool:
    """Whether any option concerns the prompt."""
    return any(getattr(options, name) for name in OPTIONS)


def source(options: argparse.Namespace) -> Source:
    """Read the prompt that the options name.

    Raises:
        ValueError: no prompt, more than one, an empty one, options that do not go together, or
            text that is not UTF-8.
        OSError: no such file.
    """
    _check(options)
    if options.example is not None:
        if options.example not in sv.examples:
            raise ValueError(
                f"there is no example {options.example!r}; there are {', '.join(sv.examples)}"
            )
        return Source(example=options.example)
    text = _text(options)
    if not text.strip():
        raise ValueError("the prompt is empty: a prompt needs at least one token")
    return Source(text, None, options.system, options.plain, options.split)


def _check(options: argparse.Namespace) -> None:
    named = {
        "a prompt": options.prompt,
        "--file": options.file,
        "--example": options.example,
    }
    sources = [name for name, value in named.items() if value is not None]
    if len(sources) > 1:
        raise ValueError(f"{' and '.join(sources)} were given: give one of them")
    chat = [name for name in ("system", "example") if getattr(options, name) is not None]
    if chat and (options.plain or options.split is not None):
        other = "--plain" if options.plain else "--split"
        raise ValueError(f"--{chat[0]} makes a chat and {other} plain text: leave one of them out")
    if chat == ["system", "example"]:
        raise ValueError("an example has a system message of its own: leave --system out")


def _text(options: argparse.Namespace) -> str:
    if options.file is not None:
        if not options.file.is_file():
            raise FileNotFoundError(f"there is no file {str(options.file)!r} to read the prompt in")
        return _decoded(options.file.read_bytes(), str(options.file))
    if options.prompt not in (None, STDIN):
        return options.prompt
    if options.prompt is None and (sys.stdin is None or sys.stdin.isatty()):
        raise ValueError(
            "there is no prompt: give its text, pipe it in, or use --file PATH or --example chain"
        )
    return _decoded(sys.stdin.buffer.read(), "standard input")


def _decoded(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where} is not UTF-8 text (byte {error.start})") from error
    return text.replace("\r\n", "\n").removesuffix("\n")


def unescaped(text: str) -> str:
    r"""A delimiter as it was meant.

    >>> unescaped(r"\n\n"), unescaped("Q:"), unescaped(r"\\n")
    ('\n\n', 'Q:', '\\n')

    Raises:
        argparse.ArgumentTypeError: an empty delimiter, or a backslash that stands for nothing.
    """
    if not text:
        raise argparse.ArgumentTypeError("the delimiter is empty")
    unknown = re.sub(r"\\[ntr\\]", "", text)
    if "\\" in unknown:
        raise argparse.ArgumentTypeError(
            f"{text!r} holds a backslash that stands for nothing; allowed are \\n, \\t, \\r, and "
            "\\\\ for a backslash"
        )
    return re.sub(r"\\([ntr\\])", lambda match: _ESCAPES[match[1]], text)
