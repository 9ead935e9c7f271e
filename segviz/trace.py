"""What one run left behind: tokens, segments, captured queries and keys, likely next tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from segviz import summaries, trace_file
from segviz.checks import checked_index
from segviz.likely import LikelyTokens
from segviz.masks import key_spans, mask_tile
from segviz.pattern_tiles import PatternTiles
from segviz.patterns import CapturedLayer, Head
from segviz.receipt import HeadCheck, Receipt, head_check, receipt_of
from segviz.segments import Segmentation

__all__ = ["HeadCheck", "MaskKind", "Receipt", "Trace", "with_response"]

MaskKind = Literal["causal", "segment"]


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
    """Final hidden states ``[position, hidden]``; not saved."""
    output_head: Callable[[torch.Tensor], torch.Tensor] | None = field(default=None, repr=False)
    """Next-token log-probabilities of final hidden states, as the run had them; not saved."""

    @property
    def heads(self) -> int:
        """Number of query heads per layer.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> trace.heads, trace.kv_heads
        (4, 2)
        """
        return self.layers[0].heads

    @property
    def kv_heads(self) -> int:
        """Number of KV heads per layer; under grouped-query attention fewer than query heads.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> trace.heads // trace.kv_heads  # query heads that share one
        2

        Query head ``h`` reads the keys of KV head ``h // (heads // kv_heads)`` (Ainslie et al.,
        arXiv 2305.13245).
        """
        return self.layers[0].kv_heads

    @property
    def untuned(self) -> bool:
        """Whether weights that no one tuned for segment masks ran under one.

        >>> import segviz as sv
        >>> base = sv.load("tiny-llama", adapter=None)
        >>> base.trace(sv.examples["chain"], mask="segment").untuned
        True

        Such weights are off their training distribution. Under the causal mask always False.
        """
        return self.mask_kind == "segment" and self.recipe.get("default_mask") != "segment"

    @property
    def receipt(self) -> Receipt | None:
        """The proof that each layer used the attention that was captured.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> len(trace.receipt.output_error), max(trace.receipt.output_error) < 1e-4
        (3, True)

        Errors are relative to the largest output of their layer, at a few query rows of the prompt;
        see :class:`segviz.receipt.Receipt`. None where there is none: in traces from files of
        earlier versions.
        """
        return receipt_of(self.layers)

    def attention(self, layer: int, head: Head) -> np.ndarray:
        """The attention pattern of one head.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> pattern = trace.attention(layer=-1, head="mean")
        >>> pattern.shape == trace.mask().shape, bool((pattern[~trace.mask()] == 0).all())
        (True, True)

        ``softmax(q kᵀ · scale + mask)`` (Vaswani et al., arXiv 1706.03762, equation 1) of the
        queries and keys that were captured, computed anew at every call. All of a long pattern is
        large, 4 bytes a cell; :meth:`tiles` computes a part.

        Args:
            layer: 0-based, or negative from the last one.
            head: a query head, likewise; or ``"mean"`` or ``"max"``: of every cell, over the query
                heads of the layer.

        Returns:
            float32 ``[query, key]`` over prompt and generated tokens; a row sums to 1 (to more
            under ``"max"``), and what was masked is exactly 0.

        Raises:
            IndexError, TypeError: no such layer or head.
            ValueError: a word that is neither ``"mean"`` nor ``"max"``.
        """
        whole = slice(0, len(self.tokens))
        return self.tiles(layer, head).tile(whole, whole)[0]

    def tiles(self, layer: int, head: Head) -> PatternTiles:
        """The attention pattern of one head, computed part by part where somebody looks.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> tiles = trace.tiles(layer=1, head=0)
        >>> values, visible = tiles.tile(slice(8, 24), slice(0, 16), factor=4)
        >>> values.shape
        (4, 4)

        Args:
            layer: 0-based, or negative from the last one.
            head: as in :meth:`attention`.

        Returns:
            :class:`segviz.tiles.Tiles` over prompt and generated tokens.

        Raises:
            IndexError, TypeError, ValueError: as in :meth:`attention`.
        """
        captured = self.layers[self._layer(layer)]
        return PatternTiles(captured, self.key_spans(layer), _head(head, captured))

    def check(self, layer: int, head: int) -> HeadCheck:
        """One head's receipt: that the mask was applied, and the pattern is what the layer used.

        >>> import segviz as sv
        >>> check = sv.load().trace(sv.examples["chain"]).check(layer=1, head=0)
        >>> check.ok, check.masked_nonzero
        (True, 0)

        The evidence is the output error, measured during the run. That masked cells are 0 holds by
        construction: see :class:`segviz.receipt.HeadCheck`.

        Args:
            layer: 0-based, or negative from the last one.
            head: a query head, likewise.

        Raises:
            IndexError, TypeError: no such layer or head.
        """
        captured = self.layers[self._layer(layer)]
        return head_check(
            captured, self.key_spans(layer), checked_index(head, captured.heads, "head")
        )

    def key_spans(self, layer: int) -> np.ndarray:
        """The mask that was in force in a layer, in two numbers per query.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> trace.key_spans(layer=0)[:3].tolist()  # a causal BOS token, then a segment of 7
        [[0, 1], [0, 8], [0, 8]]

        Args:
            layer: 0-based, or negative from the last one.

        Returns:
            int ``[query, 2]``, read-only: the first key seen, and the position behind the last one.

        Raises:
            IndexError, TypeError: no such layer.
        """
        window = self.layers[self._layer(layer)].window
        if window not in self._spans:
            segmentation = None if self.mask_kind == "causal" else self.segmentation
            self._spans[window] = key_spans(len(self.tokens), segmentation, window=window)
            self._spans[window].setflags(write=False)
        return self._spans[window]

    @property
    def one_mask(self) -> bool:
        """Whether all layers share one mask; they do not where sliding windows differ.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> trace.one_mask
        True
        """
        return len({captured.window for captured in self.layers}) == 1

    def mask(self, layer: int | None = None) -> np.ndarray:
        """The mask that was in force.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"], mask="segment")
        >>> bool((trace.mask() == sv.segment_mask(trace.segmentation)).all())
        True

        The rule is ``mask[q, k] = (k <= q) or (block[q] == block[k] != -1)`` (Katz et al., arXiv
        2412.18487); in a layer with a sliding window, see :func:`segviz.segment_mask`.

        Args:
            layer: which layer; None where all layers share one mask.

        Returns:
            bool ``[query, key]``, read-only, True = could attend.

        Raises:
            IndexError, TypeError: no such layer.
            ValueError: no layer was named, and they differ under sliding windows.
        """
        if layer is None:
            if not self.one_mask:
                raise ValueError(
                    "the layers of this model differ in their sliding window, and so in their "
                    f"mask: name one, trace.mask(layer=…) with 0 to {len(self.layers) - 1}"
                )
            layer = 0
        window = self.layers[self._layer(layer)].window
        if window not in self._masks:
            self._masks[window] = mask_tile(self.key_spans(layer), slice(0, len(self.tokens)))
            self._masks[window].setflags(write=False)
        return self._masks[window]

    @cached_property
    def _spans(self) -> dict[int | None, np.ndarray]:
        return {}

    @cached_property
    def _masks(self) -> dict[int | None, np.ndarray]:
        return {}

    def next_tokens(self, position: int = -1, k: int = 10) -> list[tuple[str, float]]:
        """What the model expected to follow a token position.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> token, probability = trace.next_tokens(position=-1)[0]
        >>> token, probability > 0.5
        (' Lena', True)

        Probabilities are those of the full softmax: a temperature or other settings of the sampling
        take no part.

        Args:
            position: a token position; negative from the end, -1 being the last token.
            k: how many, at most 64, or the whole of a smaller vocabulary.

        Returns:
            (token, probability), the most likely first.

        Raises:
            IndexError, TypeError: no such position.
            ValueError: a ``k`` below 1 or above what a trace knows.
            RuntimeError: a position before the prompt's last one, and the model's output head has
                changed since the run.
        """
        position = checked_index(position, len(self.tokens), "token position")
        kept = self.likely.ranks
        if not 1 <= k <= kept:
            raise ValueError(
                f"k is {k}; a trace knows the {kept} most likely tokens, k is 1 to that"
            )
        ids, log_probabilities = self.likely.at(position)
        probabilities = np.exp(log_probabilities[:k])
        return [
            (self.decode(int(i)), float(p)) for i, p in zip(ids[:k], probabilities, strict=True)
        ]

    def log_probabilities(self, positions: slice) -> torch.Tensor:
        """What the model expected next, over the whole vocabulary.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> trace.log_probabilities(slice(0, 4)).exp().sum(dim=1).round(decimals=3).tolist()
        [1.0, 1.0, 1.0, 1.0]

        Args:
            positions: token positions.

        Returns:
            float32 ``[position, vocabulary]``, natural logarithms, on the model's device.

        Raises:
            ValueError: a trace from a file, which knows the most likely tokens only.
            RuntimeError: the model's output head has changed since the run.
        """
        if self.output_head is None or self.hidden is None:
            raise ValueError(
                "a trace from a file knows the most likely tokens only (next_tokens): run it again"
            )
        return self.output_head(self.hidden[positions])

    def token_probabilities(self) -> np.ndarray:
        """How likely the model found each generated token, under the full softmax.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
        >>> trace.token_probabilities().shape == (len(trace.tokens) - trace.prompt_length,)
        True

        Of the model itself: a temperature or other settings of the sampling take no part.

        Returns:
            float32 ``[generated token]``, 0 to 1; NaN only in files of earlier versions, for tokens
            that are not among those that :meth:`next_tokens` gives.
        """
        return np.exp(self.likely.of_generated(self.token_ids, self.prompt_length))

    def alternatives(self, k: int = 10) -> list[list[tuple[str, float]]]:
        """The most likely tokens in place of each generated one.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
        >>> [likely[0][0] for likely in trace.alternatives()]
        [' Lena', '<|end|>']

        Args:
            k: how many at most; a trace knows 64, or the whole of a smaller vocabulary.

        Returns:
            for each generated token (token, probability), the most likely first.

        Raises:
            ValueError: a ``k`` below 1.
        """
        k = min(k, self.likely.ranks)
        # What a position generates is expected by the one before it.
        expecting = range(self.prompt_length - 1, len(self.tokens) - 1)
        return [self.next_tokens(position, k) for position in expecting]

    def flow(self, layer: int | None = None, head: int | None = None) -> np.ndarray:
        """Mean attention mass from query segment to key segment.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> flow = trace.flow(layer=1, head=0)
        >>> flow.shape == (len(trace.segmentation.segments),) * 2
        True
        >>> bool(np.allclose(flow.sum(axis=1), 1, atol=1e-5))
        True

        ``flow[i, j]`` is the mean over the queries ``q`` of segment ``i`` of the sum of
        ``attention[q, k]`` over the keys ``k`` of segment ``j``. The attention flow of Abnar and
        Zuidema (arXiv 2005.00928), which runs through all layers, is something else.

        Args:
            layer: one layer, or None for the mean over all.
            head: one query head, or None for the mean over all.

        Returns:
            float32 ``[query segment, key segment]`` in the order of ``segmentation``, shares of
            attention; a row sums to 1.

        Raises:
            IndexError, TypeError: no such layer or head.
        """
        chosen = range(len(self.layers)) if layer is None else [self._layer(layer)]
        if head is not None:
            head = checked_index(head, self.heads, "head")
        stops = [segment.stop for segment in self.segmentation.segments]
        flows = [summaries.flow(self.layers[i], self.key_spans(i), stops).cpu() for i in chosen]
        stacked = torch.stack(flows)
        return (stacked if head is None else stacked[:, head, None]).mean(dim=(0, 1)).numpy()

    def thumbnails(self, size: int = 32) -> np.ndarray:
        """A small picture of every head, for grids.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> pictures = trace.thumbnails(size=16)
        >>> pictures.shape, pictures.dtype
        ((3, 4, 16, 16), dtype('uint8'))

        Args:
            size: pixels on a side; larger patterns are max-pooled, smaller ones stretched.

        Returns:
            uint8 ``[layer, head, size, size]`` in square-root scale: ``255 · sqrt(p)``, rounded.

        Raises:
            ValueError: a size below 1.
        """
        return np.stack([self.layer_thumbnails(i, size) for i in range(len(self.layers))])

    def layer_thumbnails(self, layer: int, size: int = 32) -> np.ndarray:
        """The :meth:`thumbnails` of one layer, uint8 ``[head, size, size]``.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> trace.layer_thumbnails(-1, size=16).shape
        (4, 16, 16)

        Raises:
            IndexError, TypeError: no such layer.
            ValueError: a size below 1.
        """
        captured = self.layers[self._layer(layer)]
        return summaries.thumbnails(captured, self.key_spans(layer), checked_size(size))

    def summaries(self) -> dict[str, np.ndarray]:
        """A few numbers for every head, each a mean over the query positions.

        >>> import segviz as sv
        >>> numbers = sv.load().trace(sv.examples["chain"]).summaries()
        >>> list(numbers)
        ['forward mass', 'entropy', 'distance', 'first-token mass']

        ``forward mass`` is the attention on later tokens, which under a segment mask are those of
        the same segment; ``entropy`` that of a row, ``-Σ p ln p``, in nats; ``distance`` the mean
        of |query - key| under a row's probabilities, in tokens; ``first-token mass`` the attention
        on token position 0. Masses are shares of attention, 0 to 1.

        Returns:
            float32 ``[layer, head]`` by name.
        """
        layers = [self.layer_summaries(i) for i in range(len(self.layers))]
        return {name: np.stack([one[name] for one in layers]) for name in summaries.SUMMARIES}

    def layer_summaries(self, layer: int) -> dict[str, np.ndarray]:
        """The :meth:`summaries` of one layer, float32 ``[head]`` by name.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> trace.layer_summaries(-1)["entropy"].shape
        (4,)

        Raises:
            IndexError, TypeError: no such layer.
        """
        captured = self.layers[self._layer(layer)]
        return summaries.summaries(captured, self.key_spans(layer))

    def save(self, path: str | Path) -> None:
        """Write the trace to a safetensors file; the way back is :meth:`load`.

        >>> import tempfile
        >>> import segviz as sv
        >>> path = Path(tempfile.mkdtemp()) / "run.safetensors"
        >>> sv.load().trace(sv.examples["chain"]).save(path)

        What :meth:`log_probabilities` needs is not in it. A file that is there stays until the new
        one is whole.

        Raises:
            FileNotFoundError: no such folder.
            IsADirectoryError: a folder of that name.
            RuntimeError: the model's output head has changed since the run.
        """
        tensors, layers = trace_file.pack(self.layers, self.likely)
        mentioned = np.unique(self.likely.token_ids).tolist()
        metadata = {
            "segmentation": self.segmentation.to_dict(),
            "layers": layers,
            "vocabulary": {token_id: self.decode(token_id) for token_id in mentioned},
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
        }
        trace_file.write(Path(path), tensors, metadata)

    @staticmethod
    def load(path: str | Path) -> Trace:
        """Read a trace that :meth:`save` wrote; no model is needed, and no code is run.

        >>> import tempfile
        >>> import segviz as sv
        >>> path = Path(tempfile.mkdtemp()) / "run.safetensors"
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> trace.save(path)
        >>> sv.Trace.load(path).tokens == trace.tokens
        True

        Raises:
            FileNotFoundError: no such file.
            ValueError: a file that is no trace.
        """
        tensors, metadata = trace_file.read(Path(path))
        layers, likely = trace_file.unpack(tensors, metadata["layers"])
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
        return checked_index(layer, len(self.layers), "layer")


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


def checked_size(size: int) -> int:
    """A thumbnail's ``size``, or a ValueError."""
    if size < 1:
        raise ValueError(f"size is {size}; a thumbnail has at least 1 pixel on a side")
    return size


def _head(head: Head, layer: CapturedLayer) -> Head:
    if not isinstance(head, str):
        return checked_index(head, layer.heads, "head")
    if head not in ("mean", "max"):
        raise ValueError(
            f"there is no head {head!r}: allowed are 0 to {layer.heads - 1}, 'mean' and 'max'"
        )
    return head
