"""Plain text to a prompt, cut into segments by a delimiter."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from segviz.prompts.prompt import Prompt
from segviz.prompts.tokens import Tokens, Turn, prompt_from, tokenized

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SEGMENT_NAME = "text"


def text_prompt(
    tokenizer: PreTrainedTokenizerBase, text: str, split: str | re.Pattern[str] | None = None
) -> Prompt:
    r"""Tokenize plain text and cut it into bidirectional segments ``text``, ``text 2``, ….

    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> from transformers import PreTrainedTokenizerFast
    >>> letters = {letter: number for number, letter in enumerate("aQ:? \n")}
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(letters, [])))
    >>> prompt = text_prompt(tokenizer, "a a\n\nQ: a?", split="\n\n")
    >>> [("".join(prompt.tokens[s.start : s.stop]), s.name) for s in prompt.segmentation.segments]
    [('a a\n\n', 'text'), ('Q: a?', 'text 2')]
    >>> text_prompt(tokenizer, "aQ: aQ: a", split=re.compile("(?=Q:)")).segmentation.boundaries
    (1, 5)

    Args:
        tokenizer: a fast tokenizer; its usual special tokens are added. Those it puts in front
            (BOS) become a causal segment of their own, ``bos``. A text that itself begins with
            the BOS token, like a rendered chat, gets no second one.
        text: at least one character.
        split: None: one segment. A string, or a compiled pattern: a segment ends behind every
            match. A pattern that matches nothing but a position (a lookahead, ``(?=Q:)``) cuts
            there, so that the delimiter begins the next segment. Delimiters in a row count as
            one, and at the very start as part of the first segment. A token on a cut belongs to
            the segment that holds its first character; a segment without a token vanishes.

    Raises:
        TypeError: a text or a delimiter of another type.
        ValueError: a text without a token, or an empty delimiter.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"text is a string, not {text!r}; a list of messages goes to model.chat, and a mapping "
            "with an instruction needs a scheme"
        )
    cuts = _cuts(text, split)
    tokens, bos = tokens_and_bos(tokenizer, text)
    prompt = prompt_from(tokens, [Turn(cut, SEGMENT_NAME) for cut in (0, *cuts)], bos=bos)
    return replace(prompt, kind="text", split=split)


def tokens_and_bos(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[Tokens, int]:
    """The tokens of a text with the usual special ones, and how many in front are no content.

    >>> from tokenizers import Tokenizer, models
    >>> from transformers import PreTrainedTokenizerFast
    >>> letters = {letter: number for number, letter in enumerate("Hi")}
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(letters, [])))
    >>> tokens_and_bos(tokenizer, "Hi")[1]
    0

    Raises:
        ValueError: a text without a token.
    """
    tokens = tokenized(tokenizer, text, add_special_tokens=True)
    bos_id = tokenizer.bos_token_id
    if bos_id is not None and tokens.ids[:2] == (bos_id, bos_id):
        tokens = tokenized(tokenizer, text, add_special_tokens=False)
    added = [start == stop for start, stop in zip(tokens.starts, tokens.stops, strict=True)]
    if all(added):
        raise ValueError(f"the text {text!r} holds no token; a prompt needs at least one")
    bos = added.index(False)
    if bos == 0 and len(tokens.ids) > 1 and tokens.ids[0] == bos_id:
        bos = 1  # the text itself begins with the BOS token
    return tokens, bos


def _cuts(text: str, split: str | re.Pattern[str] | None) -> list[int]:
    """The character positions, in order, at which the second and later segments start."""
    if split is None:
        return []
    if split == "":
        raise ValueError("split is an empty string; give a delimiter, or None for one segment")
    pattern = re.compile(re.escape(split)) if isinstance(split, str) else split
    if not isinstance(pattern, re.Pattern) or not isinstance(pattern.pattern, str):
        raise TypeError(
            f"split is a string, a compiled pattern of strings (re.compile), or None; not {split!r}"
        )
    cuts: list[int] = []
    delimited = 0  # where the last delimiter ended
    for match in pattern.finditer(text):
        start, stop = match.span()
        in_a_row = start == delimited < stop
        if start < stop:
            delimited = stop
        if in_a_row and not cuts:
            continue  # nothing but delimiters so far: they begin the first segment
        if in_a_row:
            cuts.pop()
        if 0 < stop < len(text) and cuts[-1:] != [stop]:
            cuts.append(stop)
    return cuts
