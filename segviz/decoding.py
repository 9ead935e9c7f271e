"""Decoding options, checked and completed, and the stream of generated tokens."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.generation.streamers import BaseStreamer

# Arguments of `generate` that are not part of its configuration and mean the same in a run.
_PASSED_ON = ("stopping_criteria", "logits_processor", "prefix_allowed_tokens_fn", "streamer")

# What decodes several sequences, or passes the model more than one row at a time.
_UNSUPPORTED = {
    "num_beams": 1,
    "num_return_sequences": 1,
    "num_beam_groups": 1,
    "penalty_alpha": None,
    "prompt_lookup_num_tokens": None,
    "assistant_early_exit": None,
    "dola_layers": None,
    "guidance_scale": 1,
    "constraints": None,
    "force_words_ids": None,
    "token_healing": False,
    "use_mtp": False,
}

# What the run itself decides.
_FIXED = {
    "use_cache": True,
    "cache_implementation": None,
    "prefill_chunk_size": None,
    "return_dict_in_generate": False,
    "output_attentions": False,
    "output_hidden_states": False,
    "output_scores": False,
    "output_logits": False,
    "disable_compile": True,
}

# Read only when sampling; a greedy run is warned about other values than these.
_SAMPLING = {
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
    "typical_p": 1.0,
    "min_p": None,
    "top_h": None,
}


def generate_arguments(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    max_new_tokens: int,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Arguments for ``model.generate``: the model's own defaults, made greedy, and the options.

    Args:
        model: whose generation configuration is the base.
        tokenizer: finds stop strings.
        max_new_tokens: at least 1.
        options: what the user asked for.

    Raises:
        TypeError: an option that ``generate`` does not know, or that the run itself sets.
        NotImplementedError: beams, several sequences, assisted and other many-row decoding.
    """
    options = dict(options)
    passed_on = {name: options.pop(name) for name in _PASSED_ON if name in options}
    if options.get("assistant_model") is not None or options.get("custom_generate") is not None:
        raise NotImplementedError(_refusal("assistant_model or custom_generate"))
    _check_rows(options)  # before transformers has its own words for it
    given = options.pop("generation_config", None)
    config = copy.deepcopy(model.generation_config)
    if given is not None:
        config.update(
            **{name: value for name, value in given.to_dict().items() if value is not None}
        )
    sampling = bool(options.pop("do_sample", given is not None and given.do_sample))
    if not sampling:
        for name, neutral in _SAMPLING.items():
            if options.get(name) is not None:
                raise TypeError(f"{name} is for sampling: add do_sample=True, or leave {name} out")
            setattr(config, name, neutral)
    config.max_length = None
    unknown = config.update(**options, do_sample=sampling, max_new_tokens=max_new_tokens)
    if unknown:
        raise TypeError(
            f"unknown decoding options: {', '.join(unknown)}. Allowed are the fields of "
            f"transformers.GenerationConfig (temperature, top_p, …) and {', '.join(_PASSED_ON)}"
        )
    _check(config, options)
    if config.stop_strings is not None:
        passed_on["tokenizer"] = tokenizer
    return {"generation_config": config, **passed_on}


def _check_rows(asked: Mapping[str, Any]) -> None:
    for name, allowed in _UNSUPPORTED.items():
        if asked.get(name, allowed) not in (allowed, None):
            raise NotImplementedError(_refusal(f"{name}={asked[name]!r}"))


def _check(config: GenerationConfig, options: dict[str, Any]) -> None:
    _check_rows(vars(config))
    for name, value in _FIXED.items():
        if options.get(name, value) != value:
            raise TypeError(f"{name}={options[name]!r} cannot be set: a run needs {value!r}")
        setattr(config, name, value)


@contextmanager
def only(config: GenerationConfig, model: PreTrainedModel) -> Iterator[None]:
    """Keep ``generate`` from filling what ``config`` leaves open with the model's defaults.

    They are part of ``config`` already, but for what was taken out on purpose.
    """
    own = model.generation_config
    taken_out = {
        name: value
        for name, value in vars(own).items()  # type: ignore[arg-type]
        if value is not None and getattr(config, name, value) is None
    }
    for name in taken_out:
        setattr(own, name, None)
    try:
        yield
    finally:
        for name, value in taken_out.items():
            setattr(own, name, value)


def _refusal(what: str) -> str:
    return (
        f"{what}: segviz decodes one sequence, one token at a time (greedy, or sampled with "
        "do_sample=True). Beams, several sequences, assisted and prompt-lookup decoding are not "
        "supported"
    )


def token_text(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> str:
    """The text that the last of ``token_ids`` adds; � while a character is incomplete."""
    # A character has at most four bytes, so the tokens before the last few change nothing.
    recent = list(token_ids[-8:])
    before = str(tokenizer.decode(recent[:-1])).rstrip("�")
    return str(tokenizer.decode(recent))[len(before) :]


def decodes_together(generation: dict[str, Any]) -> bool:
    """Whether several answers may be decoded as a batch, and are the same as one by one.

    Not when sampled: the draws would be others. Not with the user's own criteria, processors and
    streamers, which may have been made for one sequence; nor with what ends an answer other than
    an end-of-sequence token or its length, which a batch does not tell apart.
    """
    config = generation["generation_config"]
    own = set(generation) - {"generation_config"}
    return not own and not config.do_sample and config.stop_strings is config.max_time is None


def until_end(generated: Sequence[int], config: GenerationConfig) -> list[int]:
    """The ids up to the first end-of-sequence token; a batch pads what lies behind it.

    >>> until_end([7, 2, 0, 0], GenerationConfig(eos_token_id=[2, 5]))
    [7, 2]
    """
    ends = _end_ids(config)
    stop = next((i + 1 for i, token_id in enumerate(generated) if token_id in ends), None)
    return list(generated[:stop])


def _end_ids(config: GenerationConfig) -> set[int]:
    ends = config.eos_token_id
    return set() if ends is None else {ends} if isinstance(ends, int) else set(ends)


class TokenStream(BaseStreamer):
    """Hands every generated token to a callback, and on to the user's own streamer.

    Args:
        tokenizer: makes text of ids.
        config: says which tokens end an answer.
        listeners: one for each sequence of the batch, called with the text of each token of it, as
            it comes.
        streamer: a streamer of transformers that listens, too.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        config: GenerationConfig,
        listeners: Sequence[Callable[[str], object]],
        streamer: BaseStreamer | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._ends = _end_ids(config)
        self._listeners = listeners
        self._streamer = streamer
        self._generated: list[list[int]] | None = None

    def put(self, value: torch.Tensor) -> None:
        """Called by ``generate``: first with the prompt, then with each token."""
        if self._streamer is not None:
            self._streamer.put(value)
        if self._generated is None:
            self._generated = [[] for _ in self._listeners]
            return
        for generated, heard, token_id in zip(
            self._generated, self._listeners, value.flatten().tolist(), strict=True
        ):
            if not self._ends.intersection(generated[-1:]):
                generated.append(token_id)
                heard(token_text(self._tokenizer, generated))

    def end(self) -> None:
        """Called by ``generate`` when it is done."""
        if self._streamer is not None:
            self._streamer.end()
