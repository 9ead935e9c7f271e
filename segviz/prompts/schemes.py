"""Schemes: how an instruction is written as a prompt, and where its segments are."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, cast

from segviz.prompts.chat import chat_prompt
from segviz.prompts.names import checked_name
from segviz.prompts.prompt import Prompt
from segviz.prompts.text import text_prompt, tokens_and_bos
from segviz.prompts.tokens import Turn, prompt_from

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Scheme = Literal["chat", "commonsense", "alpaca"]

SCHEMES: Mapping[Scheme, str] = {
    "chat": "a user message, through the chat template",
    "commonsense": "the indented Alpaca layout of LLM-Adapters; segments end at ' ###'",
    "alpaca": "the Alpaca layout; segments system, user (instruction and input) and assistant",
}
"""What each scheme does."""

SEPARATOR = " ###"
"""Where the segments of ``"commonsense"`` end."""

# The Alpaca layout (Taori et al. 2023). Adapters expect it to the letter.
_TASK = "Below is an instruction that describes a task"
_WITH_INPUT = ", paired with an input that provides further context"
_REQUEST = ". Write a response that appropriately completes the request."
_INSTRUCTION, _INPUT, _RESPONSE = "### Instruction:\n", "### Input:\n", "### Response:\n"

_INDENTATION = " " * 16
"""In LLM-Adapters every line but the first stands inside of an indented string."""


def instruction_prompt(
    tokenizer: PreTrainedTokenizerBase,
    instruction: str | Mapping[str, Any],
    scheme: str = "chat",
) -> Prompt:
    r"""Write an instruction in a scheme, ready for the answer, and cut it into segments.

    >>> import segviz as sv
    >>> record = {"instruction": "Who leads Anna?", "input": "Ben leads Anna.", "output": "Ben"}
    >>> prompt = instruction_prompt(sv.load().tokenizer, record, "alpaca")
    >>> segments = prompt.segmentation.segments
    >>> [(segment.name, segment.attention) for segment in segments[1:]]
    [('system', 'bidirectional'), ('user', 'bidirectional'), ('assistant', 'causal')]
    >>> "".join(prompt.tokens[segments[2].start : segments[2].stop])
    '### Instruction:\nWho leads Anna?\n\n### Input:\nBen leads Anna.\n\n'

    The schemes:

    - ``"chat"``: a user message, input below the instruction, through the chat template.
    - ``"commonsense"``: the layout in which LLM-Adapters asks for an answer (Hu et al.,
      arXiv 2304.01933, ``commomsense_evaluate.py``; its ``finetune.py`` differs in white space and
      in a stray ``# noqa: E501``), with the segments of Katz et al. (arXiv 2412.18487): each ends
      behind a `` ###``, all are bidirectional. The same as :func:`text_prompt` with that delimiter.
    - ``"alpaca"``: the same layout without indentation (Taori et al. 2023), and a line break before
      the answer. What stands before the first ``###`` is the segment ``system``; instruction and
      input are one segment ``user``; ``### Response:`` is ``assistant``, causal.

    Args:
        tokenizer: a fast tokenizer; for ``"chat"`` with a chat template.
        instruction: the text, or a mapping with ``instruction`` and optional ``input`` (None and
            ``""`` are no input); what else a record holds is left alone.
        scheme: one of :data:`SCHEMES`.

    Raises:
        TypeError: an instruction or an input that is no text.
        ValueError: an unknown scheme, an empty instruction, a mapping without one.
    """
    task, context = _parts(instruction)
    if checked_scheme(scheme) == "chat":
        content = f"{task}\n\n{context}" if context else task
        return chat_prompt(tokenizer, [{"role": "user", "content": content}])
    if scheme == "commonsense":
        return text_prompt(tokenizer, _indented(task, context), SEPARATOR)
    system, user = _plain(task, context)
    tokens, bos = tokens_and_bos(tokenizer, system + user + _RESPONSE)
    turns = [
        Turn(0, "system"),
        Turn(len(system), "user"),
        Turn(len(system + user), "assistant", "causal"),
    ]
    return prompt_from(tokens, turns, bos=bos)


def checked_scheme(scheme: str) -> Scheme:
    """A scheme that is known.

    >>> checked_scheme("alpaca")
    'alpaca'

    Raises:
        ValueError: another name; the sentence tells those that are known, and which is close.
    """
    return cast("Scheme", checked_name(scheme, SCHEMES, "scheme"))


def _parts(instruction: str | Mapping[str, Any]) -> tuple[str, str]:
    """The instruction and its input, ``""`` if there is none."""
    record = {"instruction": instruction} if isinstance(instruction, str) else instruction
    if not isinstance(record, Mapping):
        raise TypeError(
            "an instruction is a text, or a mapping with 'instruction' and optional 'input', not "
            f"{instruction!r}"
        )
    for key in record:
        _check_spelling(key)
    if "instruction" not in record:
        raise ValueError(
            f"there is no 'instruction' among {', '.join(map(repr, record)) or 'no keys'}: an "
            "instruction is a text, or a mapping with 'instruction' and optional 'input'"
        )
    task, context = record["instruction"], record.get("input") or ""
    for name, text in (("instruction", task), ("input", context)):
        if not isinstance(text, str):
            raise TypeError(f"{name!r} is a text, not {text!r}")
    if not task.strip():
        raise ValueError(f"the instruction {task!r} is empty; a prompt needs one")
    return task, context


def _check_spelling(key: Any) -> None:
    """Refuse what would be left out by mistake."""
    for known in ("instruction", "input"):
        if key != known and get_close_matches(str(key).lower(), [known], cutoff=0.85):
            raise ValueError(f"there is {key!r} in the instruction; did you mean {known!r}?")


def _plain(task: str, context: str) -> tuple[str, str]:
    """The text before the instruction, and the text with it and its input."""
    system = f"{_TASK}{_WITH_INPUT if context else ''}{_REQUEST}\n\n"
    given = f"{_INPUT}{context}\n\n" if context else ""
    return system, f"{_INSTRUCTION}{task}\n\n{given}"


def _indented(task: str, context: str) -> str:
    """As in LLM-Adapters, where the first line without an input ends in a space."""
    first = f"{_TASK}{_WITH_INPUT}{_REQUEST}" if context else f"{_TASK}{_REQUEST} "
    parts = [(_INSTRUCTION, task), (_INPUT, context), (_RESPONSE, "")]
    written = [
        f"\n\n{_INDENTATION}{header}{_INDENTATION}{text}"
        for header, text in parts
        if text or header != _INPUT
    ]
    return first + "".join(written)
