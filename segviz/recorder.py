"""The recorder: gathers what a trace needs while the model runs."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

import torch
from transformers import DynamicCache

from segviz.masks import key_spans
from segviz.patterns import CapturedLayer
from segviz.prefix import Prefix
from segviz.receipt import output_errors, sampled_rows
from segviz.segments import Segmentation


class RunCancelledError(Exception):
    """The run was cancelled before it was done; nothing of it is kept.

    >>> import segviz as sv
    >>> cancel = threading.Event()
    >>> cancel.set()
    >>> sv.load().trace(sv.examples["chain"], cancel=cancel)
    Traceback (most recent call last):
    segviz.recorder.RunCancelledError: the run was cancelled
    """


class Recorder:
    """Gathers queries and final hidden states while the model runs, chunk by chunk of rows.

    Of the attention's output it takes a few rows of the prompt, for the receipt.

    Args:
        segmentation: of the prompt.
        prefix: of an earlier run.
        reused: how many positions of it are taken over.
        cancel: once set, the run ends at the next layer.
        on_layer: called in the prefill with each layer that begins.
        offload: whether what is captured leaves its device for main memory, layer by layer.
    """

    def __init__(
        self,
        segmentation: Segmentation,
        prefix: Prefix | None,
        reused: int,
        cancel: threading.Event | None,
        on_layer: Callable[[int], object] | None = None,
        *,
        offload: bool = False,
    ) -> None:
        self._segmentation = segmentation
        self._cancel = cancel
        self._on_layer = on_layer
        self.offload = offload
        self._sampled = sampled_rows(segmentation, reused)
        self._outputs: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._proofs: dict[int, dict[int, float]] = defaultdict(dict)
        self._layers: dict[int, list[torch.Tensor]] = {}
        self._settings: dict[int, tuple[float, int | None]] = {}
        self._recorded: dict[int, int] = {}
        self._devices: dict[int, torch.device] = {}
        self.hidden: list[torch.Tensor] = []
        self.length = reused
        if prefix is not None and reused:
            for number, layer in enumerate(prefix.layers):
                self._layers[number] = [layer.queries[:, :reused]]
                self._settings[number] = layer.scale, layer.window
                self._recorded[number] = reused
                self._devices[number] = layer.computes_on
                errors = layer.output_errors or {}
                self._proofs[number] = {r: e for r, e in errors.items() if r < reused}
            self.hidden.append(prefix.hidden[:reused])

    def observe(
        self, layer: int, start: int, queries: torch.Tensor, window: int | None, scale: float
    ) -> None:
        """Take ``queries`` ``[1, query head, row, head_dim]`` of the rows from ``start`` on."""
        if self._cancel is not None and self._cancel.is_set():
            raise RunCancelledError("the run was cancelled")
        known = self._recorded.get(layer, 0)
        if self._on_layer is not None and known < self._segmentation.length:
            self._on_layer(layer)
        # `generate` computes the last row of the prompt again: it is there already.
        new = queries[0, :, known - start :]
        self._devices[layer] = new.device
        # A decoded row waits for the others, since a copy would wait for the device.
        prefilled = self.offload and known < self._segmentation.length
        self._layers.setdefault(layer, []).append(new.cpu() if prefilled else new)
        self._recorded[layer] = start + queries.shape[2]
        self._settings[layer] = scale, window

    def observe_output(self, layer: int, start: int, output: torch.Tensor) -> None:
        """Take a few rows of ``output`` ``[1, query head, row, head_dim]`` of the prefill."""
        rows = torch.stack([output[0, :, row - start] for row in self._sampled], dim=1)
        self._outputs[layer] = rows, torch.linalg.vector_norm(output, ord=float("inf"))

    def observe_hidden(self, hidden: torch.Tensor, stop: int) -> None:
        """Take the final hidden states ``[1, row, hidden]`` of the rows before ``stop``."""
        new = stop - self.length
        if new > 0:
            rows = hidden[0, -new:]
            prefilled = self.offload and self.length < self._segmentation.length
            self.hidden.append(rows.cpu() if prefilled else rows)
            self.length = stop

    @property
    def windows(self) -> set[int | None]:
        """The sliding windows of the layers, None for those without."""
        return {window for _scale, window in self._settings.values()}

    def cut(self, length: int) -> None:
        """Forget what lies behind ``length`` positions: what a batch ran after an answer's end."""
        for number, chunks in self._layers.items():
            self._layers[number] = _first(chunks, length, dim=1)
        self.hidden = _first(self.hidden, length, dim=0)
        self.length = min(self.length, length)

    def hidden_states(self) -> torch.Tensor:
        """Final hidden states ``[position, hidden]``."""
        return _joined(self.hidden, dim=0)

    def prove(self, cache: DynamicCache) -> None:
        """At the end of the prefill, compare what was captured with what attention put out."""
        if not self._sampled:
            return
        segmentation = self._segmentation
        spans = {x: key_spans(segmentation.length, segmentation, window=x) for x in self.windows}
        errors = [
            output_errors(
                layer,
                kept.values[0],  # type: ignore[reportAttributeAccessIssue]
                spans[layer.window],
                self._sampled,
                *self._outputs.pop(number),
            )
            for number, (layer, kept) in enumerate(
                zip(self.layers(cache), cache.layers, strict=True)
            )
        ]
        # All at once, so that the device is waited for once.
        new = torch.stack([one.to(errors[0].device) for one in errors]).tolist()
        for number, of_rows in enumerate(new):
            self._proofs[number] |= dict(zip(self._sampled, of_rows, strict=True))

    def layers(self, cache: DynamicCache) -> list[CapturedLayer]:
        """The queries recorded so far, with the keys that the cache holds for them."""
        layers = []
        for number, kept in enumerate(cache.layers):
            queries = _joined(self._layers[number], dim=1)
            self._layers[number] = [queries]
            keys: torch.Tensor | None = getattr(kept, "keys", None)
            if keys is None or keys.shape[2] != queries.shape[1]:
                raise RuntimeError(
                    f"layer {number} recorded {queries.shape[1]} queries, but its cache does not "
                    "hold as many keys: the model does not keep its keys in the cache it was given"
                )
            scale, window = self._settings[number]
            proof, device = dict(self._proofs[number]), self._devices[number]
            layers.append(CapturedLayer(queries, keys[0], scale, window, proof, device))
        return layers


def _joined(chunks: list[torch.Tensor], dim: int) -> torch.Tensor:
    """The chunks as one tensor; a single one is not copied."""
    if len(chunks) == 1:
        return chunks[0]
    return torch.cat([chunk.to(chunks[0].device) for chunk in chunks], dim)


def _first(chunks: list[torch.Tensor], length: int, dim: int) -> list[torch.Tensor]:
    """The chunks up to ``length`` positions."""
    kept = []
    for chunk in chunks:
        part = chunk.narrow(dim, 0, min(length, chunk.shape[dim]))
        length -= part.shape[dim]
        kept.append(part)
    return kept
