"""One run: prefill under a mask, decode with transformers' own ``generate``, capture on the way.

A run has three steps: :func:`prefill` reads the prompt, :func:`decode` generates (the answers of
several prefills together, as a batch), :func:`finish` gathers what a trace needs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from segviz.decoding import only, until_end
from segviz.head import OutputHead, evaluating
from segviz.hook import Activity, active, current_activity, installed
from segviz.likely import LikelyTokens
from segviz.masks import key_spans
from segviz.patterns import CapturedLayer
from segviz.prefix import Prefix, visibility
from segviz.recorder import Recorder, RunCancelledError
from segviz.segments import Segmentation
from segviz.support import computing_device

__all__ = [
    "Prefilled",
    "Result",
    "RunCancelledError",
    "decode",
    "decodes_as_one",
    "finish",
    "prefill",
    "prefix_of",
]


@dataclass(eq=False, slots=True)
class Prefilled:
    """A prompt that a model has read under a mask, and what it generated behind it.

    Args:
        token_ids: int ``[position]``, the prompt.
        segmentation: the mask.
        cache: keys and values of all positions so far, of this prompt alone.
        recorder: holds what was captured.
        generated_ids: of the answer, the end-of-sequence token included.
    """

    token_ids: np.ndarray
    segmentation: Segmentation
    cache: DynamicCache
    recorder: Recorder
    generated_ids: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Result:
    """A run's outcome; tensors stay on the model's devices, unless they are kept elsewhere.

    Args:
        generated_ids: of the answer, the end-of-sequence token included.
        layers: captured queries and keys, prompt and answer.
        hidden: final hidden states ``[position, hidden]``.
        head: works out next-token probabilities, with the weights of this run.
        likely: most likely next tokens of every position.
        prefix: what a later run may reuse.
    """

    generated_ids: tuple[int, ...]
    layers: list[CapturedLayer]
    hidden: torch.Tensor
    head: OutputHead
    likely: LikelyTokens
    prefix: Prefix


def prefill(
    model: PreTrainedModel,
    token_ids: np.ndarray,
    segmentation: Segmentation,
    head: OutputHead,
    *,
    reuse: tuple[Prefix, int] | None = None,
    cancel: threading.Event | None = None,
    on_layer: Callable[[int], object] | None = None,
    offload: bool = False,
) -> Prefilled:
    """Read the prompt under a mask.

    Args:
        model: a causal language model of transformers.
        token_ids: int ``[position]``, the prompt.
        segmentation: the mask; one causal segment for a causal run.
        head: of the model.
        reuse: an earlier run's prefix, and how many positions of it are still exact.
        cancel: once set, the run ends at the next layer.
        on_layer: called with each layer that begins.
        offload: whether what is captured leaves its device for main memory, layer by layer.

    Raises:
        RunCancelledError: ``cancel`` was set.
        RuntimeError: the model did not call the attention function in every layer.
    """
    prefix, reused = reuse or (None, 0)
    cache = DynamicCache()  # built from the config it would forget keys outside a sliding window
    if prefix is not None and reused:
        for number, layer in enumerate(prefix.layers):
            keys, values = layer.keys[None, :, :reused], prefix.values[number][None, :, :reused]
            cache.update(keys.to(layer.computes_on), values.to(layer.computes_on), number)
    recorder = Recorder(segmentation, prefix, reused, cancel, on_layer, offload=offload)
    if reused < len(token_ids):
        activity = Activity(segmentation, recorder.observe, recorder.observe_output)
        with _running(model, activity, recorder.observe_hidden):
            logits = _forward(model, _on_device(model, token_ids[None, reused:]), cache)
        head.check(logits[0], recorder.hidden[-1][-1])
        recorder.prove(cache)
    return Prefilled(token_ids, segmentation, cache, recorder)


def decodes_as_one(prompts: Sequence[Prefilled]) -> bool:
    """Whether several prompts, of one length, may be decoded as a batch.

    The last row of the prompt is computed again, then under one mask for all: under a sliding
    window a bidirectional segment at the end shows it more than a causal one does.
    """
    seen = {
        (window, *key_spans(prompt.segmentation.length, prompt.segmentation, window=window)[-1])
        for prompt in prompts
        for window in prompt.recorder.windows
    }
    return len(seen) == len({window for window, *_keys in seen})


def decode(
    model: PreTrainedModel, prompts: Sequence[Prefilled], generation: dict[str, Any]
) -> None:
    """Generate an answer behind each prompt, causally; several at once as a batch.

    Args:
        model: what read them.
        prompts: each gets its ``generated_ids``; see :func:`decodes_as_one`.
        generation: arguments of ``generate``.

    Raises:
        RunCancelledError: ``cancel`` of a prompt was set.
    """
    ids = _on_device(model, np.stack([prompt.token_ids for prompt in prompts]))
    recorders = [prompt.recorder for prompt in prompts]
    cache = prompts[0].cache if len(prompts) == 1 else _stacked([x.cache for x in prompts])

    def observe(layer: int, start: int, queries: torch.Tensor, *settings: Any) -> None:
        for recorder, own in zip(recorders, queries.split(1), strict=True):
            recorder.observe(layer, start, own, *settings)

    def observe_hidden(hidden: torch.Tensor, stop: int) -> None:
        for recorder, own in zip(recorders, hidden.split(1), strict=True):
            recorder.observe_hidden(own, stop)

    activity = Activity(prompts[0].segmentation, observe, _ignore)
    with _running(model, activity, observe_hidden):
        cache.crop(-1)
        # Without a mask `generate` would take pad tokens in the prompt for padding.
        every = torch.ones_like(ids)
        with only(generation["generation_config"], model):
            ids = model.generate(ids, attention_mask=every, past_key_values=cache, **generation)  # type: ignore[operator]
        _forward(model, ids[:, -1:], cache)  # so that the last token has its row, too
    for number, prompt in enumerate(prompts):
        generated = ids[number, len(prompt.token_ids) :].tolist()
        if len(prompts) > 1:
            generated = until_end(generated, generation["generation_config"])
            prompt.cache = _one_of(cache, number, len(prompt.token_ids) + len(generated))
        prompt.generated_ids = tuple(generated)
        prompt.recorder.cut(len(prompt.token_ids) + len(generated))


def finish(prompt: Prefilled, head: OutputHead, weights: Hashable) -> Result:
    """Gather what a trace needs.

    Args:
        prompt: prefilled, and decoded if there is an answer.
        head: of the model.
        weights: state of the weights, kept with the new prefix.
    """
    layers, values = prompt.recorder.layers(prompt.cache), _values(prompt.cache)
    if prompt.recorder.offload:
        layers = [replace(layer, keys=layer.keys.cpu()) for layer in layers]
        values = [one.cpu() for one in values]
    hidden = prompt.recorder.hidden_states()
    every = [*prompt.token_ids.tolist(), *prompt.generated_ids]
    return Result(
        generated_ids=prompt.generated_ids,
        layers=layers,
        hidden=hidden,
        head=head,
        likely=head.likely_tokens(hidden, every, len(prompt.token_ids)),
        prefix=_prefix(prompt, weights, layers, values),
    )


def prefix_of(prompt: Prefilled, weights: Hashable) -> Prefix:
    """What another prompt may reuse of this one while it still runs."""
    layers = prompt.recorder.layers(prompt.cache)
    return _prefix(prompt, weights, layers, _values(prompt.cache))


def _prefix(
    prompt: Prefilled,
    weights: Hashable,
    layers: list[CapturedLayer],
    values: list[torch.Tensor],
) -> Prefix:
    """The prompt's part of what was computed; it shares its storage."""
    length = len(prompt.token_ids)
    return Prefix(
        weights=weights,
        token_ids=prompt.token_ids,
        visibility=visibility(prompt.segmentation),
        layers=[
            replace(layer, queries=layer.queries[:, :length], keys=layer.keys[:, :length])
            for layer in layers
        ],
        values=[one[:, :length] for one in values],
        hidden=prompt.recorder.hidden_states()[:length],
    )


def _values(cache: DynamicCache) -> list[torch.Tensor]:
    """Per layer ``[KV head, position, head_dim]``, of a cache of one sequence."""
    return [kept.values[0] for kept in cache.layers]  # type: ignore[reportOptionalSubscript]


@contextmanager
def _running(
    model: PreTrainedModel,
    activity: Activity,
    observe_hidden: Callable[[torch.Tensor, int], object],
) -> Iterator[None]:
    """Install and activate the attention function, record hidden states, switch dropout off."""
    layers = model.config.get_text_config(decoder=True).num_hidden_layers

    def record(_module: object, _args: object, kwargs: dict[str, Any], output: Any) -> None:
        if current_activity() is not activity:
            return  # the same model, called by somebody else in another thread
        if activity.calls != layers:
            raise RuntimeError(
                f"{type(model).__name__} called segviz's attention function {activity.calls} times "
                f"in a pass through {layers} layers: its mask was not applied. Was the attention "
                "implementation changed during the run, or does the model not use transformers' "
                "attention interface?"
            )
        activity.calls = 0
        observe_hidden(output[0], kwargs["past_key_values"].get_seq_length())

    hook = model.get_decoder().register_forward_hook(record, with_kwargs=True)
    try:
        with torch.no_grad(), evaluating(model), installed(model), active(activity):
            yield
    finally:
        hook.remove()


def _forward(model: PreTrainedModel, ids: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
    """One pass; the logits ``[batch, vocabulary]`` of the last row."""
    outputs = model(
        input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1, return_dict=True
    )
    return outputs.logits[:, -1]


def _on_device(model: PreTrainedModel, token_ids: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(token_ids).to(computing_device(model.get_input_embeddings()))


def _ignore(*_: object) -> None:
    """Nothing is to be proved of decoded rows."""


def _stacked(caches: Sequence[DynamicCache]) -> DynamicCache:
    """The caches of several prompts of one length as one, a batch."""
    batch = DynamicCache()
    for number, layers in enumerate(zip(*(cache.layers for cache in caches), strict=True)):
        keys, values = ([getattr(layer, name) for layer in layers] for name in ("keys", "values"))
        batch.update(torch.cat(keys), torch.cat(values), number)
    return batch


def _one_of(batch: DynamicCache, index: int, length: int) -> DynamicCache:
    """One sequence's part of a batch, its first ``length`` positions; a cache copies it."""
    own = DynamicCache()
    for number, layer in enumerate(batch.layers):
        kept: list[Any] = [getattr(layer, name) for name in ("keys", "values")]
        keys, values = (x[index : index + 1, :, :length] for x in kept)
        own.update(keys, values, number)
    return own
