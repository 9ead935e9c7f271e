"""Where a chat template puts each message's content, found by marks that ride along in it.

A mark is a private-use character that occurs nowhere in the chat. Put into a content, it survives
whatever the template does around it (trimming, wrapping, changing the case), and a marked rendering
counts only if it equals the plain one as soon as the marks are taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

Message = Mapping[str, Any]
Render = Callable[[Sequence[Message]], str]

PRIVATE_USE = ((0xE000, 0xF8FF), (0xF0000, 0xFFFFD))  # the first plane's block, then plane 15
SAMPLES = 16  # inner places that are tried before a content counts as hidden


@dataclass(frozen=True, slots=True)
class Content:
    """Message ``index`` stands at ``text[start:stop]`` of the rendered chat.

    >>> Content(0, 6, 11)
    Content(index=0, start=6, stop=11)
    """

    index: int
    start: int
    stop: int


def locate(messages: Sequence[Message], plain: str, render: Render) -> list[Content | None]:
    r"""The place of every message's content in ``plain``; None where the template hides it.

    >>> def render(messages):
    ...     return "".join(f"<{m['role']}> {m['content'].strip()}\n" for m in messages)
    >>> chat = [{"role": "user", "content": " Hi "}, {"role": "user", "content": "Hi"}]
    >>> locate(chat, render(chat), render)
    [Content(index=0, start=7, stop=9), Content(index=1, start=17, stop=19)]

    Args:
        messages: contents are strings, lists of text parts, or None.
        plain: the rendered chat.
        render: renders messages as ``plain`` was; it may raise on a marked chat.
    """
    marks = _unused_marks(plain, messages)
    pairs = [(next(marks), next(marks)) for _ in messages]
    together = [
        message if content is None else _marked(message, _bounds(content), pair)
        for message, pair in zip(messages, pairs, strict=True)
        for content in (content_text(message),)
    ]
    places = _read(render, together, plain, list(chain(*pairs)))
    found: list[Content | None] = []
    for index, (opening, closing) in enumerate(pairs):
        start, stop = places.get(opening), places.get(closing)
        if start is None or stop is None:
            # One message that the template looks into spoils the rendering of all.
            found.append(_locate_alone(messages, index, plain, render, opening))
        else:
            found.append(Content(index, min(start, stop), max(start, stop)))
    return found


def content_text(message: Message) -> str | None:
    """A message's content as one string; None where it has none.

    >>> content_text({"role": "user", "content": [{"type": "text", "text": "Hi"}]})
    'Hi'
    """
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content
    return "".join(part["text"] for part in content)


def _unused_marks(plain: str, messages: Sequence[Message]) -> Iterator[str]:
    used = set(plain).union(*(content_text(message) or "" for message in messages))
    codes = chain.from_iterable(range(first, last + 1) for first, last in PRIVATE_USE)
    return (mark for mark in map(chr, codes) if mark not in used)


def _bounds(content: str) -> tuple[int, int]:
    """Behind the leading and before the trailing white space, because templates trim."""
    start = len(content) - len(content.lstrip())
    return start, max(start, len(content.rstrip()))


def _marked(message: Message, positions: Sequence[int], marks: Sequence[str]) -> Message:
    """The message with ``marks`` put before the characters at ``positions`` of its content."""
    content = message["content"]
    parts = [content] if isinstance(content, str) else [part["text"] for part in content]
    for position, mark in sorted(zip(positions, marks, strict=True), reverse=True):
        offset = position
        for number, part in enumerate(parts):
            if offset <= len(part):
                parts[number] = part[:offset] + mark + part[offset:]
                break
            offset -= len(part)
    if isinstance(content, str):
        return {**message, "content": parts[0]}
    texts = [{**part, "text": text} for part, text in zip(content, parts, strict=True)]
    return {**message, "content": texts}


def _read(
    render: Render, messages: Sequence[Message], plain: str, marks: Sequence[str]
) -> dict[str, int]:
    """Where each mark stands in ``plain``; nothing unless the rendering is the plain one."""
    try:
        rendered = render(messages)
    except Exception:  # noqa: BLE001 - a template may do anything to a content it does not expect
        return {}
    wanted = set(marks)
    places: dict[str, int] = {}
    kept: list[str] = []
    for character in rendered:
        if character not in wanted:
            kept.append(character)
        elif character in places:
            return {}  # a content that is written twice has no single place
        else:
            places[character] = len(kept)
    return places if "".join(kept) == plain else {}


def _locate_alone(
    messages: Sequence[Message], index: int, plain: str, render: Render, mark: str
) -> Content | None:
    """Place one content whose ends the template may drop or look at, with one mark at a time."""
    content = content_text(messages[index])
    if content is None:
        return None

    @cache
    def place(position: int) -> int | None:
        chat = [*messages]
        chat[index] = _marked(messages[index], (position,), (mark,))
        return _read(render, chat, plain, (mark,)).get(mark)

    def first_placed(outside: int, inside: int) -> int:
        """The placed position next to those that are not, between the two."""
        while abs(inside - outside) > 1:
            middle = (outside + inside) // 2
            outside, inside = (outside, middle) if place(middle) is not None else (middle, inside)
        return inside

    first, last = _bounds(content)
    tried = [first, last, 0, len(content)]
    tried += [first + (last - first) * n // SAMPLES for n in range(SAMPLES - 1, 0, -1)]
    inside = next((position for position in tried if place(position) is not None), None)
    if inside is None:
        return None
    if place(first) is None:
        first = first_placed(min(first, inside - 1), inside)
    if place(last) is None:
        last = first_placed(max(last, inside + 1), inside)
    start, stop = place(first), place(last)
    if start is None or stop is None or start > stop:
        return None
    # What the template only looked at (a prefix it tests for) stands there letter by letter.
    start -= _common_prefix(content[:first][::-1], plain[:start][::-1])
    stop += _common_prefix(content[last:], plain[stop:])
    return Content(index, start, stop)


def _common_prefix(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
