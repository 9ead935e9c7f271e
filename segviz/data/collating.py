"""Collating: records of unequal length as one batch, with the mask as a dense tensor.

Training cannot use the hook of a run, whose context a backward pass with recomputation does not
see; so the mask travels with the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from segviz.data.encoding import Encoded

MaskKind = Literal["causal", "segment"]
Side = Literal["left", "right"]

IGNORED = -100
"""The label that no loss counts."""


class Collator:
    """Makes batches.

    >>> from transformers import LlamaConfig
    >>> one = Encoded((5, 6, 7), np.array([0, 0, -1]), np.array([False, False, True]), 2)
    >>> two = Encoded((8, 9), np.array([-1, -1]), np.array([False, True]), 1)
    >>> batch = Collator(LlamaConfig(attn_implementation="sdpa"), pad_id=0)([one, two])
    >>> batch["input_ids"].tolist(), batch["position_ids"].tolist()
    ([[5, 6, 7], [0, 8, 9]], [[0, 1, 2], [0, 0, 1]])
    >>> batch["attention_mask"][:, 0].int().tolist()
    [[[1, 1, 0], [1, 1, 0], [1, 1, 1]], [[1, 0, 0], [0, 1, 0], [0, 1, 1]]]
    >>> batch["labels"].tolist(), batch["logits_to_keep"]
    ([[-100, 7, -100], [-100, 9, -100]], 3)

    A batch holds, ``length`` being that of its longest record:

    - ``input_ids`` and ``position_ids``, int ``[record, length]``; positions count from each
      record's own first token.
    - ``attention_mask`` ``[record, 1, query, key]``: where a model has sliding-window layers
      beside full ones a mapping from the type of a layer to it.
      ``(k <= q and inside the window) or block[q] == block[k] != -1``; padding is never attended,
      but by itself: a row of a softmax needs a key.
    - ``labels`` int ``[record, K]``, already shifted: what the last K positions should predict,
      -100 where nothing is scored. The first column is always -100: Trainer leaves it out when it
      counts labels.
    - ``logits_to_keep``, the int K: of how many last positions the model shall make logits.

    Args:
        config: of the model: its attention implementation and its sliding windows.
        pad_id: the token id of padding; any will do.
        mask: ``"segment"`` or ``"causal"``.
        padding_side: ``"left"`` or ``"right"``.
        dtype: of the mask where attention adds it to the scores (eager); SDPA takes bool.

    Raises:
        ValueError: an unknown mask or side.
        NotImplementedError: an attention implementation that takes no dense mask.
    """

    def __init__(
        self,
        config: Any,
        pad_id: int,
        mask: MaskKind = "segment",
        padding_side: Side = "left",
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if mask not in ("causal", "segment"):
            raise ValueError(f"mask={mask!r} is unknown; allowed are 'causal' and 'segment'")
        if padding_side not in ("left", "right"):
            raise ValueError(
                f"padding_side={padding_side!r} is unknown; allowed are 'left' and 'right'"
            )
        implementation = config._attn_implementation  # noqa: SLF001 (there is no public question)
        if implementation not in ("sdpa", "eager"):
            raise NotImplementedError(
                f"attn_implementation={implementation!r} takes no dense mask, which batches need; "
                "use model.set_attn_implementation('sdpa'), or 'eager'"
            )
        self.pad_id = pad_id
        self.mask: MaskKind = mask
        self.padding_side: Side = padding_side
        self._additive = dtype if implementation == "eager" else None
        self._windows = _windows(config)

    def __call__(self, records: Sequence[Encoded]) -> dict[str, Any]:
        """A batch of at least one record."""
        lengths = torch.tensor([len(record.token_ids) for record in records])
        longest = int(lengths.max())
        firsts = longest - lengths if self.padding_side == "left" else torch.zeros_like(lengths)
        # What the very first column predicts has no column before it, which _labels asks for.
        scores = [
            int(first) + int(r.scored.argmax()) for first, r in zip(firsts, records, strict=True)
        ]
        if 1 in scores:
            longest, firsts = longest + 1, firsts + 1
        columns = torch.arange(longest)
        positions = columns - firsts[:, None]
        is_token = (positions >= 0) & (positions < lengths[:, None])

        ids = torch.full(is_token.shape, self.pad_id)
        blocks = torch.full(is_token.shape, -1)
        scored = torch.zeros_like(is_token)
        # Row by row, the tokens stand in the order of the records on either side.
        ids[is_token] = torch.tensor([i for record in records for i in record.token_ids])
        blocks[is_token] = torch.from_numpy(
            np.concatenate([record.block_ids for record in records]).astype(np.int64)
        )
        scored[is_token] = torch.from_numpy(np.concatenate([record.scored for record in records]))

        labels = _labels(ids, scored)
        return {
            "input_ids": ids,
            "attention_mask": self._attention_mask(is_token, blocks),
            "position_ids": positions.clamp(min=0) * is_token,
            "labels": labels,
            "logits_to_keep": labels.shape[1],
        }

    def _attention_mask(self, is_token: torch.Tensor, blocks: torch.Tensor) -> Any:
        seen = blocks if self.mask == "segment" else None
        masks = {
            kind: self._added(dense_mask(is_token, seen, window))
            for kind, window in self._windows.items()
        }
        return masks if len(masks) > 1 else next(iter(masks.values()))

    def _added(self, mask: torch.Tensor) -> torch.Tensor:
        if self._additive is None:
            return mask
        # Eager attention would add True and False to the scores.
        lowest = torch.finfo(self._additive).min
        return torch.zeros(mask.shape, dtype=self._additive).masked_fill(~mask, lowest)


def dense_mask(
    is_token: torch.Tensor, blocks: torch.Tensor | None = None, window: int | None = None
) -> torch.Tensor:
    """Which keys each query may attend to, bool ``[record, 1, query, key]``.

    >>> dense_mask(torch.tensor([[True, True, True]]), torch.tensor([[0, 0, -1]]))[0, 0].int()
    tensor([[1, 1, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)

    Args:
        is_token: bool ``[record, position]``, False where there is padding, which only itself sees.
        blocks: int of the same shape, the number of the bidirectional segment, -1 where causal;
            None: all is causal.
        window: of sliding-window layers.
    """
    length = is_token.shape[1]
    mask = torch.ones(length, length, dtype=torch.bool).tril()
    if window is not None:
        mask = mask.triu(1 - window)
    if blocks is not None:
        mask = mask | (blocks[:, :, None] == blocks[:, None, :]) & (blocks != -1)[:, None, :]
    return ((mask & is_token[:, None, :]) | torch.eye(length, dtype=torch.bool))[:, None]


def _labels(ids: torch.Tensor, scored: torch.Tensor) -> torch.Tensor:
    """What each of the last positions should predict; one column more than need be, see above."""
    labels = torch.full_like(ids, IGNORED)
    labels[:, :-1] = ids[:, 1:].masked_fill(~scored[:, 1:], IGNORED)
    counted = (labels != IGNORED).any(dim=0).nonzero()
    first = int(counted[0]) if len(counted) else ids.shape[1] - 1
    return labels[:, max(0, first - 1) :]


def _windows(config: Any) -> dict[str, int | None]:
    """The sliding window of each type of layer, as the forward pass of a model asks for them."""
    config = config.get_text_config(decoder=True)
    window = getattr(config, "sliding_window", None)
    types = getattr(config, "layer_types", None)
    if types is None:  # all layers are alike
        return {"all": window}
    if "sliding_attention" not in types:
        return {"full_attention": None}
    return {"full_attention": None, "sliding_attention": window}
