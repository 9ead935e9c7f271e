"""Answers: what a record expects, what a text says, and the same record with another choice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from segviz.data import Record

# Digits, and letters of scripts that put spaces between words: Latin, Greek, Cyrillic, Armenian.
_WORD = r"[\d_A-Za-zÀ-ɏͰ-֏Ḁ-῿]"


def expected(record: Record) -> str:
    """The word that decides: the field ``answer``, or else the whole last assistant turn.

    >>> expected({"instruction": "Is 2 even?", "output": "It is true.", "answer": "true"})
    'true'
    >>> expected({"messages": [{"role": "user", "content": "Who leads Anna?"},
    ...                        {"role": "assistant", "content": " Ben"}]})
    'Ben'
    """
    return str(record.get("answer") or _said(record)).strip()


def with_answer(record: Record, choice: str) -> Record:
    """The record as if another choice were the right one.

    >>> record = {"instruction": "Is 2 odd?", "output": "the answer is true", "answer": "true"}
    >>> with_answer(record, "false")["output"]
    'the answer is false'

    A field ``answer`` is replaced where the answer says it last; without such a field the whole
    answer is.

    Raises:
        ValueError: an answer that does not hold its ``answer``.
    """
    said, word = _said(record), record.get("answer")
    text = choice
    if word is not None:
        places = list(_whole_words([word.strip()]).finditer(said))
        if not places:
            raise ValueError(
                f"the answer {said!r} does not hold the word {word!r} that its field 'answer' "
                "names: without it no other choice can be put in its place"
            )
        text = said[: places[-1].start()] + choice + said[places[-1].end() :]
    changed: dict[str, Any] = dict(record)
    if word is not None:
        changed["answer"] = choice
    if "messages" in record:
        *before, last = record["messages"]
        changed["messages"] = [*before, {**last, "content": text}]
    else:
        changed["output"] = text
    return changed


def predicted(record: Record, text: str, choices: Sequence[str] | None) -> str | None:
    """What a generated text answers.

    >>> record = {"instruction": "…", "output": "it is option1", "answer": "option1"}
    >>> predicted(record, "option10, not option1", ["option1", "option10"])
    'option10'

    As in the evaluation of LLM-Adapters (arXiv 2304.01933): with a field ``answer`` the first of
    the choices that the text names; here only as a whole word. Otherwise the text itself.

    Returns:
        a choice; the text without the white space around it; or None where no choice is named.
    """
    if record.get("answer") is None or not choices:
        return text.strip()
    found = _whole_words(choices).search(text)
    return found and found.group()


def is_right(record: Record, prediction: str | None) -> bool:
    """Whether a prediction is what the record expects."""
    # Where there are no choices to look for, the whole answer may be given in its own words.
    return prediction is not None and prediction in (expected(record), _said(record).strip())


def _said(record: Record) -> str:
    """What the last assistant turn says, as one text."""
    if "messages" not in record:
        return record["output"]
    content = record["messages"][-1].get("content")
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    if not content:
        raise ValueError(
            "the last assistant turn says nothing (it calls tools): an answer to compare with is a "
            "text"
        )
    return content


def _whole_words(words: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the words, where it is not a part of a longer one."""
    # The longest first, so that of two that begin at one place the longer one is found.
    return re.compile("|".join(map(_whole_word, sorted(words, key=len, reverse=True))))


def _whole_word(word: str) -> str:
    before = f"(?<!{_WORD})" if re.match(_WORD, word) else ""
    behind = f"(?!{_WORD})" if re.match(_WORD, word[-1]) else ""
    return f"{before}{re.escape(word)}{behind}"
