"""What one run left behind: tokens, segments, captured queries and keys, likely next tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from segviz import patterns, trace_file
from segviz.masks import causal_mask, segment_mask
from segviz.patterns import CapturedLayer
from segviz.segments import Segmentation

MaskKind = Literal["causal", "segment"]

LIKELY_TOKENS = 64
"""How many of the most likely next tokens a trace keeps per position."""


@dataclass(frozen=True, eq=False, slots=True)
class LikelyTokens:
    """The most likely next tokens of every position.

    Args:
        token_ids: int ``[position, rank]``, the most likely first.
        log_probabilities: float32 ``[position, rank]``, natural logarithms under the full softmax.
    """

    token_ids: np.ndarray
    log_probabilities: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """One run of a model over a prompt, and over what it generated.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"], mask="segment", max_new_tokens=4)
    >>> attention = trace.attention(layer=1, head=0)
    >>> attention.shape == (len(trace.tokens), len(trace.tokens))
    True
    >>> bool(np.allclose(attention.sum(axis=1), 1, atol=1e-5))
    True

    A trace comes from :meth:`segviz.Model.trace` or :meth:`Trace.load`. Positions run over the
    prompt and the generated tokens, the end-of-sequence token included where one was produced;
    every row has been computed, the last token's too.

    Args:
        tokens: readable text of every token.
        token_ids: its ids.
        prompt_length: the number of prompt tokens; generated tokens stand behind them.
        generated_text: the answer, without special tokens.
        segmentation: the prompt's segments, and one causal ``response`` where there is one. Under
            a causal mask too, where it takes no part in the computation.
        mask_kind: ``"causal"`` or ``"segment"``: which mask was in force.
        layers: captured queries and keys, one item per layer.
        likely: the most likely next tokens of every position.
        recipe: how the run was made: model, adapter, dtype, seed, versions.
    """

    tokens: tuple[str, ...]
    token_ids: tuple[int, ...]
    prompt_length: int
    generated_text: str
    segmentation: Segmentation
    mask_kind: MaskKind
    layers: Sequence[CapturedLayer] = field(repr=False)
    likely: LikelyTokens = field(repr=False)
    recipe: Mapping[str, Any]
    decode: Callable[[int], str] = field(repr=False)
    """Readable text of any token id."""
    hidden: torch.Tensor | None = field(default=None, repr=False)
    """Final hidden states ``[position, hidden]``, for exact comparisons; not saved."""

    @property
    def heads(self) -> int:
        """Number of query heads per layer."""
        return self.layers[0].heads

    @property
    def kv_heads(self) -> int:
        """Number of KV heads per layer; under grouped-query attention fewer than query heads."""
        return self.layers[0].kv_heads

    @property
    def untuned(self) -> bool:
        """Whether weights that no one tuned for segment masks ran under one."""
        return self.mask_kind == "segment" and self.recipe.get("default_mask") != "segment"

    def attention(self, layer: int, head: int) -> np.ndarray:
        """The attention pattern of one head.

        Args:
            layer: 0-based, or negative from the last one.
            head: a query head, likewise.

        Returns:
            float32 ``[query, key]`` over prompt and generated tokens; a row sums to 1, and what
            was masked is exactly 0.

        Raises:
            IndexError: no such layer or head.
        """
        captured = self.layers[self._layer(layer)]
        head = _checked(head, captured.heads, "head")
        rows = slice(0, captured.length)
        return patterns.attention_rows(captured, self.mask(layer), rows, head)[0].cpu().numpy()

    def mask(self, layer: int | None = None) -> np.ndarray:
        """The mask that was in force.

        Args:
            layer: which layer; None where all layers share one mask.

        Returns:
            bool ``[query, key]``, True = could attend.

        Raises:
            IndexError: no such layer.
            ValueError: no layer was named, and they differ under sliding windows.
        """
        if layer is None:
            windows = {captured.window for captured in self.layers}
            if len(windows) > 1:
                raise ValueError(
                    "the layers of this model differ in their sliding window, and so in their "
                    f"mask: name one, trace.mask(layer=…) with 0 to {len(self.layers) - 1}"
                )
            layer = 0
        window = self.layers[self._layer(layer)].window
        if window not in self._masks:
            if self.mask_kind == "causal":
                self._masks[window] = causal_mask(len(self.tokens), window=window)
            else:
                self._masks[window] = segment_mask(self.segmentation, window=window)
            self._masks[window].setflags(write=False)
        return self._masks[window]

    @cached_property
    def _masks(self) -> dict[int | None, np.ndarray]:
        return {}

    def next_tokens(self, position: int = -1, k: int = 10) -> list[tuple[str, float]]:
        """What the model expected to follow a token position.

        Args:
            position: a token position; negative from the end, -1 being the last token.
            k: how many, at most 64.

        Returns:
            (token, probability), the most likely first.

        Raises:
            IndexError: no such position.
            ValueError: a ``k`` below 1 or above what a trace keeps.
        """
        position = _checked(position, len(self.tokens), "token position")
        kept = self.likely.token_ids.shape[1]
        if not 1 <= k <= kept:
            raise ValueError(
                f"k is {k}; a trace keeps the {kept} most likely tokens, k is 1 to that"
            )
        ids = self.likely.token_ids[position, :k]
        probabilities = np.exp(self.likely.log_probabilities[position, :k])
        return [(self.decode(int(i)), float(p)) for i, p in zip(ids, probabilities, strict=True)]

    def flow(self, layer: int | None = None, head: int | None = None) -> np.ndarray:
        """Mean attention mass from query segment to key segment.

        Args:
            layer: one layer, or None for the mean over all.
            head: one query head, or None for the mean over all.

        Returns:
            float32 ``[segment, segment]`` in the order of ``segmentation``; a row sums to 1.

        Raises:
            IndexError: no such layer or head.
        """
        chosen = range(len(self.layers)) if layer is None else [self._layer(layer)]
        if head is not None:
            head = _checked(head, self.heads, "head")
        stops = [segment.stop for segment in self.segmentation.segments]
        flows = [patterns.flow(self.layers[i], self.mask(i), stops).cpu() for i in chosen]
        stacked = torch.stack(flows)
        return (stacked if head is None else stacked[:, head, None]).mean(dim=(0, 1)).numpy()

    def thumbnails(self, size: int = 32) -> np.ndarray:
        """A small picture of every head, for grids.

        Args:
            size: pixels on a side; larger patterns are max-pooled.

        Returns:
            uint8 ``[layer, head, size, size]`` in square-root scale: 255 is a probability of 1.
        """
        if size < 1:
            raise ValueError(f"size is {size}; a thumbnail has at least 1 pixel on a side")
        return np.stack(
            [patterns.thumbnails(c, self.mask(i), size) for i, c in enumerate(self.layers)]
        )

    def save(self, path: str | Path) -> None:
        """Write the trace to a safetensors file; the way back is :meth:`load`."""
        tensors = {
            "likely.token_ids": torch.from_numpy(self.likely.token_ids),
            "likely.log_probabilities": torch.from_numpy(self.likely.log_probabilities),
        }
        for number, layer in enumerate(self.layers):
            tensors[f"layers.{number}.queries"] = layer.queries.cpu().contiguous()
            tensors[f"layers.{number}.keys"] = layer.keys.cpu().contiguous()
        mentioned = np.unique(self.likely.token_ids).tolist()
        metadata = {
            "segmentation": self.segmentation.to_dict(),
            "layers": [{"scale": layer.scale, "window": layer.window} for layer in self.layers],
            "vocabulary": {token_id: self.decode(token_id) for token_id in mentioned},
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
        }
        trace_file.write(Path(path), tensors, metadata)

    @staticmethod
    def load(path: str | Path) -> Trace:
        """Read a trace that :meth:`save` wrote; no model is needed, and no code is run.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a file that is no trace.
        """
        tensors, metadata = trace_file.read(Path(path))
        layers = [
            CapturedLayer(
                tensors[f"layers.{number}.queries"], tensors[f"layers.{number}.keys"], **settings
            )
            for number, settings in enumerate(metadata["layers"])
        ]
        likely = LikelyTokens(
            tensors["likely.token_ids"].numpy(), tensors["likely.log_probabilities"].numpy()
        )
        vocabulary = {int(token_id): text for token_id, text in metadata["vocabulary"].items()}
        kept = {name: metadata[name] for name in _AS_THEY_ARE}
        kept |= {name: tuple(kept[name]) for name in ("tokens", "token_ids")}
        return Trace(
            segmentation=Segmentation.from_dict(metadata["segmentation"]),
            layers=layers,
            likely=likely,
            decode=vocabulary.__getitem__,
            **kept,
        )

    def _layer(self, layer: int) -> int:
        return _checked(layer, len(self.layers), "layer")


def with_response(prompt_segments: Segmentation, length: int) -> Segmentation:
    """The prompt's segments, and one causal ``response`` up to ``length`` positions, if any."""
    generated = length - prompt_segments.length
    return prompt_segments.append(generated, "response") if generated else prompt_segments


# The fields that JSON holds as they are.
_AS_THEY_ARE = (
    "tokens",
    "token_ids",
    "prompt_length",
    "generated_text",
    "mask_kind",
    "recipe",
)


def _checked(index: int, count: int, what: str) -> int:
    try:
        return range(count)[index]
    except IndexError:
        raise IndexError(f"there is no {what} {index}: allowed are 0 to {count - 1}") from None
    except TypeError:
        raise TypeError(f"a {what} is an integer, not {index!r}") from None
