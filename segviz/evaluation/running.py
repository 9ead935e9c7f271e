"""Running a batch of prompts under a mask: answers by generation, and the likelihood of choices.

A batch is prefilled once, padded on the left, under a dense mask. The choices are scored against
its cache one after the other, each time with a row for every token but the first and the last;
then ``generate`` goes on from it, token by token. All of it is what :meth:`segviz.Model.trace`
computes for one prompt, without what that captures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from segviz.data import Collator, Encoded
from segviz.decoding import decodes_together, generate_arguments, only, until_end
from segviz.head import evaluating
from segviz.model import Model
from segviz.prompts import Prompt
from segviz.segments import Segment, Segmentation
from segviz.support import computing_device
from segviz.trace import MaskKind


@dataclass(frozen=True, eq=False, slots=True)
class Item:
    """A record as it is run.

    Args:
        number: of the record in its task, 0-based.
        prompt: what comes before the answer; nothing of it is scored.
        answers: token ids of each choice; empty where the likelihood is not asked for.
    """

    number: int
    prompt: Encoded
    answers: Sequence[Sequence[int]] = ()

    @property
    def length(self) -> int:
        """Number of tokens of the prompt."""
        return len(self.prompt.token_ids)


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of an item.

    Args:
        text: what was generated, without special tokens; None if that was not asked for.
        log_probabilities: of each choice, the sum over its tokens; empty likewise.
    """

    text: str | None = None
    log_probabilities: tuple[float, ...] = ()


def answer(
    model: Model, items: Sequence[Item], mask: MaskKind, max_new_tokens: int
) -> list[Answered]:
    """Run a batch.

    >>> import segviz as sv
    >>> from segviz.data import Encoder
    >>> model = sv.load()
    >>> prompt = model.chat(sv.examples["chain"])
    >>> nothing = np.zeros(prompt.length, dtype=bool)
    >>> encoded = Encoded(prompt.token_ids, prompt.segmentation.block_ids(), nothing, prompt.length)
    >>> [answered.text.strip() for answered in answer(model, [Item(0, encoded)], "segment", 4)]
    ['Lena']

    Args:
        model: which stays as it is: its training mode, its attention, its random numbers.
        items: of any lengths.
        mask: which they are read under.
        max_new_tokens: of each generated answer; 0: nothing is generated.

    Returns:
        one for each item, in their order.

    Raises:
        FloatingPointError: logits that are not finite.
    """
    hf_model = model.hf_model
    # Runs in other threads wait: they put their own attention into the model's configuration.
    with model.exclusive(), torch.no_grad(), evaluating(hf_model):
        with _dense_attention(hf_model):
            batch = _Batch(hf_model, items, mask)
            scores = batch.score() if any(item.answers for item in items) else [()] * len(items)
            texts: list[str | None] = [None] * len(items)
            generation: dict[str, Any] = {}
            if max_new_tokens:
                generation = generate_arguments(hf_model, model.tokenizer, max_new_tokens, {})
            if generation and decodes_together(generation) and not batch.ends_inside_a_segment():
                texts = [
                    str(model.tokenizer.decode(ids, skip_special_tokens=True))
                    for ids in batch.generate(generation["generation_config"])
                ]
        if generation and texts[0] is None:
            texts = [_alone(model, item, mask, max_new_tokens) for item in items]
    return [Answered(text, tuple(score)) for text, score in zip(texts, scores, strict=True)]


class _Batch:
    """Prompts that are prefilled together.

    Args:
        model: a causal language model of transformers.
        items: their prompts, and the choices.
        mask: they are read under.
    """

    def __init__(self, model: PreTrainedModel, items: Sequence[Item], mask: MaskKind) -> None:
        self._model = model
        self._config: Any = model.config.get_text_config(decoder=True)
        self._items = items
        self._mask: MaskKind = mask
        self._device = computing_device(model.get_input_embeddings())
        # Any padding will do: nothing attends to it.
        self._collator = Collator(model.config, 0, mask, "left", dtype=model.dtype)
        self._longest = max(item.length for item in items)
        self._cache = DynamicCache()  # one from the config forgets keys outside a sliding window
        batch = self._collator([item.prompt for item in items])
        self._rows: dict[int, tuple[Any, torch.Tensor]] = {}  # by the number of tokens behind
        self._logits = self._forward(
            batch["input_ids"], batch["attention_mask"], batch["position_ids"]
        )

    def score(self) -> list[list[float]]:
        """The log-probability of each choice of each item."""
        scores: list[list[float]] = [[] for _ in self._items]
        for choice in range(max(len(item.answers) for item in self._items)):
            having = [i for i, item in enumerate(self._items) if choice < len(item.answers)]
            sums = self._score([item.answers[choice : choice + 1] for item in self._items])
            for i in having:
                scores[i].append(float(sums[i]))
        return scores

    def _score(self, answers: Sequence[Sequence[Sequence[int]]]) -> torch.Tensor:
        """Log-probabilities ``[item]`` of one answer for each item, or of none."""
        counts = torch.tensor([len(one[0]) if one else 0 for one in answers])
        ids = torch.zeros(len(answers), int(counts.max()), dtype=torch.long)
        for row, one in zip(ids, answers, strict=True):
            if one:
                row[: len(one[0])] = torch.tensor(one[0])
        logits = self._logits
        if ids.shape[1] > 1:
            logits = torch.cat([logits, self._behind(ids[:, :-1])], dim=1)
        chosen = logits.gather(-1, ids.to(logits.device)[:, :, None])[:, :, 0].double()
        likely = (chosen - logits.float().logsumexp(-1)).cpu()
        is_answer = torch.arange(ids.shape[1]) < counts[:, None]
        return (likely * is_answer).sum(1)

    def _behind(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits ``[item, token, vocabulary]`` of tokens behind the prompts; the cache stays."""
        added = ids.shape[1]
        if added not in self._rows:
            # Shorter answers are filled up at their end, which no token before it sees.
            whole = self._collator([_longer(item.prompt, added) for item in self._items])
            mask, positions = (
                _last_rows(whole[x], added) for x in ("attention_mask", "position_ids")
            )
            # What fills up may lie beyond the positions that a model has learned.
            limit = getattr(self._config, "max_position_embeddings", None)
            positions = positions.clamp(min=0, max=None if limit is None else limit - 1)
            self._rows[added] = mask, positions
        mask, positions = self._rows[added]
        logits = self._forward(ids, mask, positions, keep=added)
        self._cache.crop(-added)
        return logits

    def generate(self, config: Any) -> list[list[int]]:
        """The generated ids of each item, greedily, through its end-of-sequence token.

        Args:
            config: of the generation; its padding token is set if it has none. Nothing else may
                end an answer.
        """
        if config.pad_token_id is None:
            ends = config.eos_token_id
            config.pad_token_id = ends[0] if isinstance(ends, list) else ends
        ids = torch.empty(len(self._items), self._longest, dtype=torch.long)
        is_token = torch.zeros_like(ids)
        for row, own, item in zip(ids, is_token, self._items, strict=True):
            # What punishes repetition looks at padding, too: so it repeats what is there.
            row[:] = item.prompt.token_ids[0]
            row[-item.length :] = torch.tensor(item.prompt.token_ids)
            own[-item.length :] = 1
        self._cache.crop(-1)
        with only(config, self._model):
            output = self._model.generate(  # type: ignore[operator]
                ids.to(self._device),
                attention_mask=is_token.to(self._device),
                past_key_values=self._cache,
                generation_config=config,
            )
        return [until_end(one, config) for one in output[:, self._longest :].tolist()]

    def ends_inside_a_segment(self) -> bool:
        """Whether the last row of a prompt sees more than ``generate`` would show it.

        It computes that row again, within a sliding window; a bidirectional segment at the end of
        the prompt may reach further back.
        """
        window = getattr(self._config, "sliding_window", None)
        if window is None or self._mask == "causal":
            return False
        return any(
            blocks[-1] != -1 and len(blocks) > window and blocks[-1 - window] == blocks[-1]
            for blocks in (item.prompt.block_ids for item in self._items)
        )

    def _forward(
        self, ids: torch.Tensor, mask: Any, positions: torch.Tensor, keep: int = 1
    ) -> torch.Tensor:
        """One pass; the logits of the last ``keep`` rows, all of them numbers."""
        if isinstance(mask, dict):
            mask = {kind: one.to(self._device) for kind, one in mask.items()}
        else:
            mask = mask.to(self._device)
        outputs = self._model(
            input_ids=ids.to(self._device),
            attention_mask=mask,
            position_ids=positions.to(self._device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=keep,
            return_dict=True,
        )
        # It is -inf that rules a token out.
        broken = (~(outputs.logits < torch.inf)).flatten(1).any(1).nonzero()
        if len(broken):
            number = self._items[int(broken[0])].number + 1
            raise FloatingPointError(
                f"the model gives no number for record {number} (NaN or inf): are its weights "
                "whole, and its dtype wide enough?"
            )
        return outputs.logits


def _longer(prompt: Encoded, added: int) -> Encoded:
    """A prompt with room behind it."""
    return replace(
        prompt,
        token_ids=(*prompt.token_ids, *[0] * added),
        block_ids=np.append(prompt.block_ids, [-1] * added),
        scored=np.append(prompt.scored, [False] * added),
    )


def _last_rows(whole: Any, count: int) -> Any:
    """The rows of the last queries: of a mask, of one for each type of layer, or of positions."""
    if isinstance(whole, dict):
        return {kind: _last_rows(one, count) for kind, one in whole.items()}
    return whole[:, :, -count:] if whole.ndim > 2 else whole[:, -count:]  # noqa: PLR2004


def _alone(model: Model, item: Item, mask: MaskKind, max_new_tokens: int) -> str:
    """The answer of one item, generated by itself."""
    blocks = item.prompt.block_ids
    starts = [0, *(np.flatnonzero(np.diff(blocks)) + 1).tolist()]
    segments = [
        Segment(start, stop, f"{start}", "causal" if blocks[start] == -1 else "bidirectional")
        for start, stop in zip(starts, [*starts[1:], item.length], strict=True)
    ]
    ids = item.prompt.token_ids
    prompt = Prompt(ids, [""] * len(ids), "", Segmentation(segments))  # type: ignore[arg-type]
    return model.trace(prompt, mask, max_new_tokens).generated_text


@contextmanager
def _dense_attention(model: PreTrainedModel) -> Iterator[None]:
    """An attention implementation that takes a dense mask; the model's own comes back."""
    own = model.config._attn_implementation or "eager"  # noqa: SLF001 (no public question)
    if own in ("sdpa", "eager"):
        yield
        return
    model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        model.set_attn_implementation(own)
