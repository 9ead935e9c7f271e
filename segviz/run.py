"""One run: prefill under a mask, decode with transformers' own ``generate``, capture on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from segviz.decoding import only
from segviz.hook import Activity, active, current_activity, installed
from segviz.likely import LIKELY_TOKENS, LikelyTokens
from segviz.patterns import CapturedLayer
from segviz.prefix import Prefix, visibility
from segviz.recorder import Recorder, RunCancelledError
from segviz.segments import Segmentation

__all__ = ["Result", "RunCancelledError", "logits_of", "run"]

_LOGIT_ELEMENTS = 1 << 24
"""Logits held at a time while the most likely tokens are picked: 64 MB in float32."""


@dataclass(frozen=True, eq=False, slots=True)
class Result:
    """A run's outcome; tensors stay on the model's devices.

    Args:
        generated_ids: of the answer, the end-of-sequence token included.
        layers: captured queries and keys, prompt and answer.
        hidden: final hidden states ``[position, hidden]``.
        likely: most likely next tokens of every position.
        prefix: what a later run may reuse.
    """

    generated_ids: tuple[int, ...]
    layers: list[CapturedLayer]
    hidden: torch.Tensor
    likely: LikelyTokens
    prefix: Prefix


def run(
    model: PreTrainedModel,
    token_ids: np.ndarray,
    segmentation: Segmentation,
    *,
    weights: Hashable,
    reuse: tuple[Prefix, int] | None = None,
    generation: dict[str, Any] | None = None,
    cancel: threading.Event | None = None,
    on_layer: Callable[[int], object] | None = None,
) -> Result:
    """Run the prompt, decode an answer, and gather what a trace needs.

    Args:
        model: a causal language model of transformers.
        token_ids: int ``[position]``, the prompt.
        segmentation: the mask; one causal segment for a causal run.
        weights: state of the weights, kept with the new prefix.
        reuse: an earlier run's prefix, and how many positions of it are still exact.
        generation: arguments of ``generate``, or None to prefill only.
        cancel: once set, the run ends at the next layer.
        on_layer: called in the prefill with each layer that begins.

    Raises:
        RunCancelledError: ``cancel`` was set.
        RuntimeError: the model did not call the attention function in every layer.
    """
    prefix, reused = reuse or (None, 0)
    cache = DynamicCache()  # built from the config it would forget keys outside a sliding window
    if prefix is not None and reused:
        for number, layer in enumerate(prefix.layers):
            keys, values = layer.keys[None, :, :reused], prefix.values[number][None, :, :reused]
            cache.update(keys, values, number)
    recorder = Recorder(segmentation, prefix, reused, cancel, on_layer)
    ids = torch.from_numpy(token_ids)[None].to(str(model.device))
    with _running(model, segmentation, recorder):
        if reused < len(token_ids):
            logits = _forward(model, ids[:, reused:], cache)
            _check_head(model, logits, recorder.hidden[-1][-1])
        if generation is not None:
            cache.crop(-1)
            # Without a mask `generate` would take pad tokens in the prompt for padding.
            every = torch.ones_like(ids)
            with only(generation["generation_config"], model):
                ids = model.generate(ids, attention_mask=every, past_key_values=cache, **generation)  # type: ignore[operator]
            _forward(model, ids[:, -1:], cache)  # so that the last token has its row, too
        hidden = torch.cat(recorder.hidden)
        known = prefix.likely if prefix is not None else None
        likely = _likely_tokens(model, hidden, known, reused)
        likely = replace(likely, generated=_taken(model, hidden, ids[0], len(token_ids)))
    layers = recorder.layers(cache)
    length = len(token_ids)
    return Result(
        generated_ids=tuple(ids[0, length:].tolist()),
        layers=layers,
        hidden=hidden,
        likely=likely,
        prefix=Prefix(
            weights=weights,
            token_ids=token_ids,
            visibility=visibility(segmentation),
            layers=[
                replace(x, queries=x.queries[:, :length], keys=x.keys[:, :length]) for x in layers
            ],
            values=[kept.values[0, :, :length] for kept in cache.layers],  # type: ignore[reportIndexIssue]
            hidden=hidden[:length],
            likely=likely.until(length),
        ),
    )


@contextmanager
def _running(
    model: PreTrainedModel, segmentation: Segmentation, recorder: Recorder
) -> Iterator[None]:
    """Install and activate the attention function, record hidden states, switch dropout off."""
    activity = Activity(segmentation, recorder.observe, recorder.observe_output)
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
        recorder.observe_hidden(output[0], kwargs["past_key_values"].get_seq_length())

    hook = model.get_decoder().register_forward_hook(record, with_kwargs=True)
    try:
        with torch.no_grad(), _evaluating(model), installed(model), active(activity):
            yield
    finally:
        hook.remove()


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Switch dropout off, and give every module its own mode back."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


def _forward(model: PreTrainedModel, ids: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
    """One pass; the logits ``[vocabulary]`` of the last row."""
    outputs = model(
        input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1, return_dict=True
    )
    return outputs.logits[0, -1]


def _check_head(model: PreTrainedModel, logits: torch.Tensor, hidden: torch.Tensor) -> None:
    """See to it that the head alone gives the model's logits: later ones are computed with it."""
    expected, own = logits.float(), logits_of(model, hidden).to(logits.device)
    if (expected - own).abs().max() > 0.05 * expected.abs().max().clamp(min=1):
        raise NotImplementedError(
            f"{type(model).__name__} changes its logits behind the output head (a cap or a scale); "
            "segviz supports models whose head is one linear layer, as in Llama and Qwen"
        )


def logits_of(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """Logits ``[…, vocabulary]`` in float32 of final hidden states ``[…, hidden]``."""
    head: Any = model.get_output_embeddings()
    with torch.no_grad(), _evaluating(head):
        return head(hidden).float()


def _likely_tokens(
    model: PreTrainedModel, hidden: torch.Tensor, known: LikelyTokens | None, reused: int
) -> LikelyTokens:
    """The most likely next tokens of every position; those of reused positions are ``known``."""
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    kept = min(LIKELY_TOKENS, vocabulary)
    ids = [known.token_ids[:reused]] if known is not None else []
    scores = [known.log_probabilities[:reused]] if known is not None else []
    for rows in hidden[reused:].split(max(1, _LOGIT_ELEMENTS // vocabulary)):
        top = logits_of(model, rows).log_softmax(dim=-1).topk(kept, dim=-1)
        ids.append(top.indices.cpu().numpy())
        scores.append(top.values.cpu().numpy())
    return LikelyTokens(np.concatenate(ids), np.concatenate(scores))


def _taken(
    model: PreTrainedModel, hidden: torch.Tensor, ids: torch.Tensor, length: int
) -> np.ndarray:
    """Log-probabilities of the generated ones of ``ids``, which stand behind ``length``."""
    if len(ids) == length:
        return np.empty(0, np.float32)
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    step = max(1, _LOGIT_ELEMENTS // vocabulary)
    # A token is expected by the position before it.
    scores = [
        logits_of(model, rows).log_softmax(dim=-1).gather(1, taken[:, None].to(rows.device))
        for rows, taken in zip(
            hidden[length - 1 : -1].split(step), ids[length:].split(step), strict=True
        )
    ]
    return torch.cat(scores)[:, 0].cpu().numpy()
