"""Terminal: columns, colour and progress for whoever looks at one."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TextIO

from segviz.labels import columns_of, readable

_ELLIPSIS = "…"
_CODES = {"bold": "1", "dim": "2", "note": "33", "causal": "36", "segment": "35"}
_EIGHTHS = " ▏▎▍▌▋▊▉"


def shortened(text: str, columns: int) -> str:
    """A text that fits, shortened in the middle.

    >>> shortened("internationalisation", 9), shortened("short", 9)
    ('inte…tion', 'short')
    """
    if columns_of(text) <= columns:
        return text
    room = columns - 1
    head = _front(text, room - room // 2)
    return head + _ELLIPSIS + _front(text[::-1], room // 2)[::-1]


def _front(text: str, columns: int) -> str:
    """As much of the text's beginning as fits."""
    used = 0
    for index, character in enumerate(text):
        used += columns_of(character)
        if used > columns:
            return text[:index]
    return text


def padded(text: str, columns: int) -> str:
    """A text with spaces behind it, up to a number of columns.

    >>> padded("東", 4) + "|"
    '東  |'
    """
    return text + " " * (columns - columns_of(text))


def wrapped(text: str, columns: int) -> Iterator[str]:
    r"""The lines of a text, broken at spaces, with what would not be seen made visible.

    >>> list(wrapped("one two three\n\n\x1b[2Jfour", 8))
    ['one two', 'three', '', '⟨001B⟩[2', 'Jfour']

    A terminal obeys control characters, and a model may write any.
    """
    for line in text.splitlines():
        core = line.strip(" ")
        kept = line[: len(line) - len(line.lstrip(" "))] + readable(core) if core else ""
        yield from _broken(kept, columns)


def _broken(line: str, columns: int) -> Iterator[str]:
    current = ""
    for piece in re.findall(r"\s*\S+", line):
        word = piece
        if current and columns_of(current + word) > columns:
            yield current
            current, word = "", word.lstrip()
        current += word
        while columns_of(current) > columns:
            # At least one character, however narrow the column is.
            front = _front(current, columns) or current[0]
            yield front
            current = current[len(front) :]
    yield current


class Page:
    """How a stream is written to: with or without colour, with or without block characters.

    >>> import io
    >>> Page(io.StringIO()).paint("segment", "bold")
    'segment'

    Args:
        stream: colour is for terminals only, and not where ``NO_COLOR`` is set.
    """

    def __init__(self, stream: TextIO) -> None:
        dumb = os.environ.get("TERM") == "dumb"
        self.colour = stream.isatty() and not os.environ.get("NO_COLOR") and not dumb
        try:
            _EIGHTHS.encode(getattr(stream, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            self.blocks = False
        else:
            self.blocks = True

    def paint(self, text: str, style: str) -> str:
        """A text in a style: bold, dim, note, causal or segment."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.colour else text

    def bar(self, share: float, columns: int) -> str:
        """A bar for a share from 0 to 1, padded to ``columns``.

        >>> import io
        >>> Page(io.StringIO()).bar(0.53125, 4) + "|"
        '██▏ |'
        """
        if not self.blocks:
            return ("#" * round(share * columns)).ljust(columns)
        full, eighths = divmod(round(share * columns * 8), 8)
        return ("█" * full + _EIGHTHS[eighths].strip()).ljust(columns)


class Progress:
    """One line on a terminal that says what is being done; nothing where nobody looks.

    >>> import io
    >>> stream = io.StringIO()
    >>> with Progress(stream) as progress:
    ...     progress.say("loading …")
    >>> stream.getvalue()
    ''

    The line is gone at the end, after an error too.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None
        self._columns = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._write("")

    def say(self, text: str) -> None:
        """Put a text in place of the one before."""
        # The last column stays free: some terminals wrap there.
        self._write(shortened(text, shutil.get_terminal_size().columns - 1))

    def _write(self, text: str) -> None:
        if self._stream is not None:
            # With spaces, since a notebook's output knows no command that erases.
            rest = " " * max(0, self._columns - columns_of(text))
            self._stream.write(f"\r{text}{rest}\r{text}")
            self._stream.flush()
            self._columns = columns_of(text)

    def done(self, text: str) -> None:
        """A last line, which stays."""
        self._write(text)
        if self._stream is not None:
            self._stream.write("\n")
            self._columns = 0
