"""A list of chat messages to a prompt with one segment per turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from segviz.prompts.marks import Message, Render, content_text, locate
from segviz.prompts.prompt import Prompt
from segviz.prompts.tokens import Tokens, Turn, prompt_from, tokenized
from segviz.prompts.turns import Division, HiddenTurnError
from segviz.prompts.wrapping import learn_wrapping, markers_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OWN_OPTIONS = {
    "tokenize",
    "return_dict",
    "return_tensors",
    "return_assistant_tokens_mask",
    "padding",
    "truncation",
    "max_length",
    "tokenizer_kwargs",
}
RENDERINGS = 3  # a template may print the time, and a minute may end in between


def chat_prompt(
    tokenizer: PreTrainedTokenizerBase, messages: Iterable[Message], **template_options: Any
) -> Prompt:
    r"""Render messages with the tokenizer's chat template; every turn becomes a segment.

    >>> from tokenizers import Tokenizer, models
    >>> from transformers import PreTrainedTokenizerFast
    >>> letters = {letter: number for number, letter in enumerate("BHaeirstu: \n")}
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(letters, [])))
    >>> tokenizer.chat_template = (
    ...     "{% for m in messages %}{{ m.role }}: {{ m.content | trim }}{{ '\n' }}{% endfor %}"
    ...     "{% if add_generation_prompt %}assistant:{% endif %}")
    >>> prompt = chat_prompt(tokenizer, [{"role": "user", "content": "Hi "}])
    >>> [("".join(prompt.tokens[s.start : s.stop]), s.name, s.attention)
    ...  for s in prompt.segmentation.segments]
    [('user: Hi\n', 'user', 'bidirectional'), ('assistant:', 'assistant', 'causal')]

    A segment holds a turn's header, content and end-of-turn token, and the white space behind it.
    It is named by the message's role, numbered from the second of a kind (``user``, ``user 2``).
    The generation prompt is the last segment and counts as an ``assistant`` turn (``assistant 2``
    where the assistant spoke before). A turn that the template injects (a default system prompt)
    is named ``system``. Tool messages that the template puts into one wrapper are one segment. A
    leading BOS token is a segment ``bos`` of its own. ``bos`` and ``assistant`` segments are
    causal, all others bidirectional. A token belongs to the segment that holds its first
    character. The token ids are those of ``tokenizer.apply_chat_template``.

    Args:
        tokenizer: a fast tokenizer with a chat template.
        messages: mappings with ``role`` and ``content``: a string, or a list of text parts
            ``{"type": "text", "text": …}``, which are joined to one string if the template takes
            no lists. Only a message with ``tool_calls`` may do without content.
        template_options: for the template (``tools=``, ``enable_thinking=``, ``date_string=``, …).
            ``add_generation_prompt`` is True unless the last message is the assistant's: then its
            turn is the end of the prompt (``continue_final_message=True`` leaves it open).

    Raises:
        TypeError: messages of another form.
        ValueError: no messages, no chat template, a template that refuses the messages, one that
            alters a content so that its segment cannot be found, or options that change tokens.
    """
    chat = _checked(messages)
    if not (getattr(tokenizer, "chat_template", None) or template_options.get("chat_template")):
        raise ValueError(
            "this tokenizer has no chat template, so there is no way to write messages; use "
            "model.prompt(text), pass chat_template=…, or set model.tokenizer.chat_template"
        )
    if clash := sorted(OWN_OPTIONS.intersection(template_options)):
        raise ValueError(
            f"{', '.join(clash)} cannot be given here: a prompt is one whole token sequence; "
            "options are for the chat template (add_generation_prompt, tools, …)"
        )
    options = dict(template_options)
    open_ended = chat[-1]["role"] == "assistant" or options.get("continue_final_message", False)
    options.setdefault("add_generation_prompt", not open_ended)
    prompt = _as_parts_or_joined(tokenizer, chat, options)
    return replace(prompt, kind="chat", messages=chat, template_options=template_options)


def _as_parts_or_joined(
    tokenizer: PreTrainedTokenizerBase, chat: Sequence[Message], options: dict[str, Any]
) -> Prompt:
    if not any(isinstance(message.get("content"), list) for message in chat):
        return _rendered(tokenizer, chat, options)
    try:
        return _rendered(tokenizer, chat, options)
    except ValueError:  # most templates of text models print a list as Python would
        joined = [
            {**message, "content": content_text(message)} if "content" in message else message
            for message in chat
        ]
        return _rendered(tokenizer, joined, options)


def _checked(messages: Iterable[Message]) -> list[dict[str, Any]]:
    if isinstance(messages, str | Mapping) or not isinstance(messages, Iterable):
        raise TypeError(
            f'messages are a list like [{{"role": "user", "content": "…"}}], not {messages!r}; '
            "plain text goes to model.prompt(text)"
        )
    chat = []
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise TypeError(
                f'message {index} is {message!r}; a message is {{"role": …, "content": …}}'
            )
        if not isinstance(message.get("role"), str):
            raise TypeError(
                f"message {index} has the role {message.get('role')!r}; "
                'a role is a string, such as "system", "user" or "assistant"'
            )
        _check_content(index, message)
        chat.append(deepcopy(dict(message)))
        if isinstance(message.get("content"), Sequence) and not isinstance(message["content"], str):
            chat[-1]["content"] = list(message["content"])
    if not chat:
        raise ValueError("there are no messages; a chat needs at least one")
    return chat


def _check_content(index: int, message: Message) -> None:
    content = message.get("content")
    if isinstance(content, str) or (content is None and message.get("tool_calls")):
        return
    where = f"message {index} ({message['role']!r})"
    if not isinstance(content, list | tuple):
        raise TypeError(
            f"{where} has the content {content!r}; a content is a string or a list of text parts"
        )
    for part in content:
        if not (isinstance(part, Mapping) and isinstance(part.get("text"), str)):
            raise TypeError(
                f"{where} has the part {part!r}; segviz reads text alone: "
                '{"type": "text", "text": "…"}'
            )


def _rendered(
    tokenizer: PreTrainedTokenizerBase, chat: Sequence[Message], options: dict[str, Any]
) -> Prompt:
    render = _renderer(tokenizer, options)
    for _ in range(RENDERINGS):
        try:
            plain = render(chat)
        except Exception as error:
            raise ValueError(
                f"the chat template of this tokenizer refuses these messages: {error}"
            ) from error
        if not plain:
            raise ValueError("the chat template writes nothing for these messages")
        tokens = tokenized(tokenizer, plain, add_special_tokens=False)
        conversation: Any = [*chat]
        encoding: Any = tokenizer.apply_chat_template(
            conversation, **options, return_dict=True, tokenizer_kwargs={"verbose": False}
        )
        try:
            turns, bos = _turns(tokenizer, tokens, chat, options)
        except HiddenTurnError as error:
            if render(chat) != plain:
                continue
            raise ValueError(_hidden_message(chat, error.index)) from None
        if tokens.ids == tuple(encoding["input_ids"]):
            return prompt_from(tokens, turns, bos=bos)
        if render(chat) == plain:
            raise ValueError(
                "apply_chat_template gives other token ids than the tokenizer does for the chat "
                "it renders, so segments cannot be placed; use model.prompt(text)"
            )
    raise ValueError(
        f"the chat template rendered the same messages in {RENDERINGS} different ways; pass the "
        "options it needs to be repeatable (such as date_string=…)"
    )


def _renderer(tokenizer: PreTrainedTokenizerBase, options: Mapping[str, Any]) -> Render:
    def render(messages: Sequence[Message]) -> str:
        conversation: Any = [*messages]
        text: Any = tokenizer.apply_chat_template(conversation, **options, tokenize=False)
        return text

    return render


def _turns(
    tokenizer: PreTrainedTokenizerBase,
    tokens: Tokens,
    chat: Sequence[Message],
    options: Mapping[str, Any],
) -> tuple[list[Turn], int]:
    """The turns of a rendered chat, and the number of leading BOS tokens, 0 or 1."""
    render = _renderer(tokenizer, options)
    contents = locate(chat, tokens.text, render)
    hidden = {
        index
        for index, content in enumerate(contents)
        if content is None and not _dropped(chat, index, tokens.text, render)
    }
    for index in sorted(hidden):
        if isinstance(chat[index].get("content"), list):
            raise HiddenTurnError(index)
    probing = {key: value for key, value in options.items() if key != "continue_final_message"}
    wrapping = learn_wrapping(
        tokenizer,
        _renderer(tokenizer, {**probing, "add_generation_prompt": False}),
        _renderer(tokenizer, {**probing, "add_generation_prompt": True}),
    )
    markers = markers_of(tokenizer, tokens)
    bos = tokens.ids[0] == tokenizer.bos_token_id
    division = Division(
        tokens.text,
        markers,
        wrapping,
        [message["role"] for message in chat],
        begin=tokens.stops[0] if bos else 0,
        prompted=options["add_generation_prompt"],
    )
    turns = division.turns([content for content in contents if content is not None], hidden)
    if not turns:
        raise HiddenTurnError(0)
    # Some templates open every turn with the token that is the tokenizer's BOS: no sink of its own.
    opening = {marker.start for marker in markers if marker.token_id == tokenizer.bos_token_id}
    if bos and len(turns) > 1 and all(turn.start in opening for turn in turns[1:]):
        bos = False
    return turns, int(bos)


def _dropped(chat: Sequence[Message], index: int, plain: str, render: Render) -> bool:
    """Whether the template writes the same without a message."""
    try:
        return render([*chat[:index], *chat[index + 1 :]]) == plain
    except Exception:  # noqa: BLE001 - a template may refuse the rest
        return False


def _hidden_message(chat: Sequence[Message], index: int) -> str:
    return (
        f"the chat template changes the content of message {index} ({chat[index]['role']!r}) in a "
        "way that hides where its turn stands; change that message, or render the chat with "
        "tokenizer.apply_chat_template(messages, tokenize=False) and cut the text yourself with "
        "model.prompt(text, split=…)"
    )
