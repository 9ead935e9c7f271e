"""A causal and a segment run side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from segviz.pattern_tiles import DifferenceTiles
from segviz.patterns import Head
from segviz.summaries import Differences, LookCancelledError
from segviz.trace import MaskKind, Trace, checked_size

if TYPE_CHECKING:
    from segviz.model import Messages, Model
    from segviz.prompts import Prompt

_TINY = 1e-9

_ROWS = 64
"""Positions whose full next-token distributions are held at a time."""


class Comparison:
    """Two traces of one prompt: under the causal and under the segment mask.

    >>> import segviz as sv
    >>> comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)
    >>> comparison.causal.generated_text != comparison.segment.generated_text
    True
    >>> comparison.difference(layer=1, head=0).shape == (comparison.shared_length,) * 2
    True

    Args:
        causal: the run under the causal mask.
        segment: the run under the segment mask.

    Raises:
        ValueError: traces of different prompts, with the masks the other way round, or of models
            that differ in their number of layers or query heads.
    """

    def __init__(self, causal: Trace, segment: Trace) -> None:
        if (causal.mask_kind, segment.mask_kind) != ("causal", "segment"):
            raise ValueError(
                "a comparison takes a trace under the causal mask, then one under a segment mask; "
                f"given were {causal.mask_kind!r} and {segment.mask_kind!r}"
            )
        if causal.token_ids[: causal.prompt_length] != segment.token_ids[: segment.prompt_length]:
            raise ValueError(
                f"these are runs of different prompts, of {causal.prompt_length} and "
                f"{segment.prompt_length} tokens: compare two runs of the same token ids"
            )
        shapes = [(len(trace.layers), trace.heads) for trace in (causal, segment)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"these are runs of different models, of {shapes[0][0]} layers with "
                f"{shapes[0][1]} query heads and of {shapes[1][0]} with {shapes[1][1]}: their "
                "heads cannot be compared"
            )
        self.causal = causal
        self.segment = segment
        self._divergence: np.ndarray | None = None

    @property
    def shared_length(self) -> int:
        """Number of token positions before the answers part.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> comparison.shared_length == comparison.causal.prompt_length  # they part at once
        True
        """
        return shared_length(self.causal, self.segment)

    @property
    def parted(self) -> bool:
        """Whether the answers differ: one that has not come as far as the other does not.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> comparison.parted, sv.compare(sv.load(), sv.examples["chain"]).parted
        (True, False)
        """
        lengths = len(self.causal.token_ids), len(self.segment.token_ids)
        return self.shared_length < min(lengths)

    @property
    def position(self) -> int:
        """The token position to look at: that which predicts the first differing token.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> comparison.position == comparison.shared_length - 1
        True

        Where the answers do not part, that of the largest :meth:`divergence`, which is then worked
        out, and raises what it raises.
        """
        return self.shared_length - 1 if self.parted else int(np.argmax(self.divergence()))

    @property
    def exact(self) -> bool:
        """Whether :meth:`divergence` is exact; otherwise it is a lower bound.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"])
        >>> comparison.exact
        True

        False where one of the traces comes from a file.
        """
        return None not in (self.causal.output_head, self.segment.output_head)

    def difference(self, layer: int, head: Head) -> np.ndarray:
        """Attention under the segment mask minus attention under the causal mask.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"])
        >>> difference = comparison.difference(layer=1, head=0)
        >>> runs = comparison.segment.attention(1, 0), comparison.causal.attention(1, 0)
        >>> bool(np.allclose(difference, runs[0] - runs[1]))
        True

        Args:
            layer: 0-based, or negative from the last one.
            head: a query head, likewise; or ``"mean"`` or ``"max"`` over those of the layer, taken
                in each run before the difference.

        Returns:
            float32 ``[query, key]`` in [-1, 1], over the positions before the answers part.

        Raises:
            IndexError, TypeError: no such layer or head.
            ValueError: a word that is neither ``"mean"`` nor ``"max"``.
        """
        whole = slice(0, self.shared_length)
        return self.tiles(layer, head).tile(whole, whole)[0]

    def tiles(self, layer: int, head: Head) -> DifferenceTiles:
        """The :meth:`difference` of one head, computed part by part where somebody looks.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"])
        >>> tiles = comparison.tiles(layer=1, head=0)
        >>> values, visible = tiles.tile(slice(8, 24), slice(0, 16), factor=4)
        >>> values.shape
        (4, 4)

        Args:
            layer: as in :meth:`difference`.
            head: likewise.

        Returns:
            :class:`segviz.tiles.Tiles` over the positions before the answers part; a cell is
            visible where it is under either mask.

        Raises:
            IndexError, TypeError, ValueError: as in :meth:`difference`.
        """
        tiles = self.segment.tiles(layer, head), self.causal.tiles(layer, head)
        return DifferenceTiles(*tiles, self.shared_length)

    def largest_difference(self) -> np.ndarray:
        """The largest difference of any cell, over the positions before the answers part.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"])
        >>> largest = comparison.largest_difference()
        >>> largest.shape, bool(largest[1, 0] == abs(comparison.difference(1, 0)).max())
        ((3, 4), True)

        Returns:
            float32 ``[layer, head]`` in [0, 1], whatever its sign.
        """
        return np.stack([self.layer_largest_difference(i) for i in self._layers()])

    def layer_largest_difference(self, layer: int) -> np.ndarray:
        """The :meth:`largest_difference` of one layer, float32 ``[head]``.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"])
        >>> comparison.layer_largest_difference(-1).shape
        (4,)

        Raises:
            IndexError, TypeError: no such layer.
        """
        return self.differences(layer).largest()

    def thumbnails(self, size: int = 32) -> np.ndarray:
        """A small picture of every head's difference, for grids.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"])
        >>> pictures = comparison.thumbnails(size=16)
        >>> pictures.shape, pictures.dtype
        ((3, 4, 16, 16), dtype('uint8'))

        Args:
            size: pixels on a side; each shows the cell furthest from 0 of those it stands for.

        Returns:
            uint8 ``[layer, head, size, size]`` in square-root scale: ``128 ± 127 · sqrt(|d|)``,
            rounded: 128 is no difference, 255 a difference of 1, 1 one of -1.

        Raises:
            ValueError: a size below 1.
        """
        return np.stack([self.layer_thumbnails(i, size) for i in self._layers()])

    def layer_thumbnails(self, layer: int, size: int = 32) -> np.ndarray:
        """The :meth:`thumbnails` of one layer, uint8 ``[head, size, size]``.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"])
        >>> comparison.layer_thumbnails(-1, size=16).shape
        (4, 16, 16)

        Raises:
            IndexError, TypeError: no such layer.
            ValueError: a size below 1.
        """
        return self.differences(layer).thumbnails(checked_size(size))

    def differences(self, layer: int) -> Differences:
        """All heads of one layer, segment minus causal, to be read block by block.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"])
        >>> pictures, largest = comparison.differences(layer=1).overview(size=16)
        >>> pictures.shape, largest.shape
        ((4, 16, 16), (4,))

        Returns:
            :class:`segviz.summaries.Differences` over the positions before the answers part.

        Raises:
            IndexError, TypeError: no such layer.
        """
        spans = self.segment.key_spans(layer), self.causal.key_spans(layer)
        layers = self.segment.layers[layer], self.causal.layers[layer]
        return Differences(layers, spans, self.shared_length)

    def _layers(self) -> range:
        return range(len(self.segment.layers))

    def divergence(self, *, cancel: threading.Event | None = None) -> np.ndarray:
        """KL(segment || causal) of the next-token distributions.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> divergence = comparison.divergence()
        >>> divergence.shape == (comparison.shared_length,), bool(divergence[-1] > 1)
        (True, True)

        ``Σ p ln(p / q)`` over the vocabulary, ``p`` under the segment and ``q`` under the causal
        mask (Kullback and Leibler, *On Information and Sufficiency*, 1951); of the model itself,
        without a temperature or other settings of the sampling.

        Exact, and worked out when it is first asked for. A trace from a file keeps only the most
        likely tokens: then it is a lower bound, the divergence between the distributions over the
        tokens that both traces keep, those that only the segment trace keeps as one class, and all
        others as another (the log-sum inequality: classes never diverge more than their tokens).

        Args:
            cancel: set it from another thread to end what is worked out; for a long prompt and a
                large vocabulary that takes seconds on a CPU.

        Returns:
            float64 ``[position]`` in nats, read-only, up to and including the position that
            predicts the first differing token.

        Raises:
            RuntimeError: a model's output head has changed since its run.
            LookCancelledError: ``cancel`` was set meanwhile.
        """
        if self._divergence is None:
            if self.exact:
                self._divergence = _exact(self.causal, self.segment, cancel)
            else:
                self._divergence = _bound(self.causal, self.segment)
            self._divergence.setflags(write=False)
        return self._divergence


def compare(
    model: Model,
    prompt: Prompt | str | Messages,
    max_new_tokens: int = 0,
    *,
    causal_model: Model | None = None,
    on_token: Callable[[MaskKind, str], object] | None = None,
    cancel: threading.Event | None = None,
    **options: Any,
) -> Comparison:
    """Run a prompt under both masks, by default with the same weights.

    >>> import segviz as sv
    >>> comparison = sv.compare(sv.load(), sv.examples["chain"])
    >>> comparison.divergence().shape == (comparison.causal.prompt_length,)
    True

    Args:
        model: runs under the segment mask, and under the causal one, too.
        prompt: a prompt, or text, or messages.
        max_new_tokens: how many tokens each may generate.
        causal_model: runs under the causal mask in its place: for a fair pair of tuned models.
        on_token: called with the mask and the text of each token as it is generated.
        cancel: set it from another thread to end the run.
        options: as in :meth:`segviz.Model.trace`.

    Returns:
        Both runs; sampled answers with the same seed.

    Raises:
        ValueError: models with different vocabularies, or with different numbers of layers or
            query heads; and all else that :meth:`segviz.Model.trace` raises.
    """
    causal_model = causal_model or model
    sizes = model.vocabulary, causal_model.vocabulary
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"the models have {sizes[0]} and {sizes[1]} tokens: what they expect next can only be "
            "compared over one vocabulary"
        )
    prompt = model.as_prompt(prompt)
    options = model.with_seed(prompt, max_new_tokens, options)
    shared = {"on_token": on_token, "cancel": cancel, **options}
    if causal_model is model:
        traces = model.traces(prompt, max_new_tokens, **shared)
    else:
        traces = {
            **causal_model.traces(prompt, max_new_tokens, masks=("causal",), **shared),
            **model.traces(prompt, max_new_tokens, masks=("segment",), **shared),
        }
    return Comparison(traces["causal"], traces["segment"])


def shared_length(a: Trace, b: Trace) -> int:
    """Number of leading tokens that two traces have in common."""
    shared = min(len(a.token_ids), len(b.token_ids))
    same = np.array(a.token_ids[:shared]) == np.array(b.token_ids[:shared])
    return shared if same.all() else int(same.argmin())


def _exact(causal: Trace, segment: Trace, cancel: threading.Event | None) -> np.ndarray:
    """The divergence over the whole vocabulary."""
    shared = shared_length(causal, segment)
    parts = []
    for start in range(0, shared, _ROWS):
        if cancel is not None and cancel.is_set():
            raise LookCancelledError("nobody waits for this divergence any more")
        rows = slice(start, min(start + _ROWS, shared))
        p, q = segment.log_probabilities(rows), causal.log_probabilities(rows)
        parts.append((p.exp() * (p - q.to(p.device))).sum(dim=-1).cpu())
    return torch.cat(parts).double().numpy()


def _bound(causal: Trace, segment: Trace) -> np.ndarray:
    """A lower bound on the divergence, from the tokens that both traces keep."""
    bounds = np.zeros(shared_length(causal, segment))
    for position in range(len(bounds)):
        _ids, p, q = np.intersect1d(
            segment.likely.token_ids[position],
            causal.likely.token_ids[position],
            assume_unique=True,
            return_indices=True,
        )
        log_p = segment.likely.log_probabilities[position, p].astype(float)
        log_q = causal.likely.log_probabilities[position, q].astype(float)
        bounds[position] = (np.exp(log_p) * (log_p - log_q)).sum()
        rest_p, rest_q = 1 - np.exp(log_p).sum(), 1 - np.exp(log_q).sum()
        # Tokens that only the segment trace keeps are less likely under the causal mask than all
        # that its trace keeps: at most `most`, together. Of what that allows take the least.
        only = np.delete(np.exp(segment.likely.log_probabilities[position].astype(float)), p)
        least_kept = np.exp(causal.likely.log_probabilities[position, -1].astype(float))
        most = min(len(only) * least_kept, rest_q)
        only_p = only.sum()
        only_q = min(most, rest_q * only_p / rest_p) if rest_p > _TINY else 0.0
        bounds[position] += _term(only_p, only_q) + _term(rest_p - only_p, rest_q - only_q)
    return bounds


def _term(p: float, q: float) -> float:
    """One class's part of a divergence; what rounding has made of nothing counts as nothing."""
    return p * np.log(p / q) if p > _TINY and q > _TINY else 0.0
