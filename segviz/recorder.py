"""The recorder: gathers what a trace needs while the model runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from transformers import DynamicCache

from segviz.masks import key_spans
from segviz.patterns import CapturedLayer
from segviz.prefix import Prefix
from segviz.receipt import output_errors, sampled_rows
from segviz.segments import Segmentation


class RunCancelledError(Exception):
    """The run was cancelled before it was done; nothing of it is kept."""


class Recorder:
    """Gathers queries and final hidden states while the model runs, chunk by chunk of rows.

    Of the attention's output it takes a few rows of the prompt, for the receipt.

    Args:
        segmentation: of the prompt.
        prefix: of an earlier run.
        reused: how many positions of it are taken over.
        cancel: once set, the run ends at the next layer.
        on_layer: called in the prefill with each layer that begins.
    """

    def __init__(
        self,
        segmentation: Segmentation,
        prefix: Prefix | None,
        reused: int,
        cancel: threading.Event | None,
        on_layer: Callable[[int], object] | None = None,
    ) -> None:
        self._segmentation = segmentation
        self._cancel = cancel
        self._on_layer = on_layer
        self._sampled = sampled_rows(segmentation, reused)
        self._outputs: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._known_errors: dict[int, Mapping[int, float]] = {}
        self._layers: dict[int, list[torch.Tensor]] = {}
        self._settings: dict[int, tuple[float, int | None]] = {}
        self._recorded: dict[int, int] = {}
        self.hidden: list[torch.Tensor] = []
        self.length = reused
        if prefix is not None and reused:
            for number, layer in enumerate(prefix.layers):
                self._layers[number] = [layer.queries[:, :reused]]
                self._settings[number] = layer.scale, layer.window
                self._recorded[number] = reused
                errors = layer.output_errors or {}
                self._known_errors[number] = {r: e for r, e in errors.items() if r < reused}
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
        self._layers.setdefault(layer, []).append(queries[0, :, known - start :])
        self._recorded[layer] = start + queries.shape[2]
        self._settings[layer] = scale, window

    def observe_output(self, layer: int, start: int, output: torch.Tensor) -> None:
        """Take a few rows of ``output`` ``[1, query head, row, head_dim]``, once per layer."""
        if layer in self._outputs or not self._sampled or start > self._sampled[0]:
            return  # decoded rows, and the last one of the prompt when it is computed again
        rows = torch.stack([output[0, :, row - start] for row in self._sampled], dim=1)
        self._outputs[layer] = rows, output.abs().amax()

    def observe_hidden(self, hidden: torch.Tensor, stop: int) -> None:
        """Take the final hidden states ``[1, row, hidden]`` of the rows before ``stop``."""
        new = stop - self.length
        if new > 0:
            self.hidden.append(hidden[0, -new:])
            self.length = stop

    def layers(self, cache: DynamicCache) -> list[CapturedLayer]:
        """The queries recorded so far, with the keys that the cache holds for them."""
        layers = []
        for number, kept in enumerate(cache.layers):
            queries = torch.cat(self._layers.pop(number), dim=1)
            keys: torch.Tensor | None = getattr(kept, "keys", None)
            if keys is None or keys.shape[2] != queries.shape[1]:
                raise RuntimeError(
                    f"layer {number} recorded {queries.shape[1]} queries, but its cache does not "
                    "hold as many keys: the model does not keep its keys in the cache it was given"
                )
            layers.append(CapturedLayer(queries, keys[0], *self._settings[number]))
        return self._checked(layers, cache)

    def _checked(self, layers: list[CapturedLayer], cache: DynamicCache) -> list[CapturedLayer]:
        """The layers with what the output says of them."""
        new: list[list[float]] = [[] for _ in layers]
        if self._sampled:
            errors = [
                self._errors(layer, kept.values[0], *self._outputs[number])  # type: ignore[reportAttributeAccessIssue]
                for number, (layer, kept) in enumerate(zip(layers, cache.layers, strict=True))
            ]
            # All at once, so that the device is waited for once.
            new = torch.stack([one.to(errors[0].device) for one in errors]).tolist()
        return [
            replace(
                layer,
                output_errors={
                    **self._known_errors.get(number, {}),
                    **dict(zip(self._sampled, new[number], strict=True)),
                },
            )
            for number, layer in enumerate(layers)
        ]

    def _errors(
        self,
        layer: CapturedLayer,
        values: torch.Tensor,
        output: torch.Tensor,
        largest: torch.Tensor,
    ) -> torch.Tensor:
        segmentation = self._segmentation
        spans = key_spans(segmentation.length, segmentation, window=layer.window)
        return output_errors(layer, values, spans, self._sampled, output, largest)
