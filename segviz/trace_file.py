"""Traces on disk: tensors and JSON metadata in one safetensors file, never pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from segviz.patterns import CapturedLayer
from segviz.segments import Segmentation
from segviz.trace import LikelyTokens, Trace

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The texts of the token ids that a file mentions."""

    texts: dict[int, str]

    def __call__(self, token_id: int) -> str:
        return self.texts[token_id]


def save_trace(trace: Trace, path: Path) -> None:
    """Write ``trace`` to ``path``, whole or not at all."""
    tensors = {
        "likely.token_ids": torch.from_numpy(trace.likely.token_ids),
        "likely.log_probabilities": torch.from_numpy(trace.likely.log_probabilities),
    }
    for number, layer in enumerate(trace.layers):
        tensors[f"layers.{number}.queries"] = layer.queries.cpu().contiguous()
        tensors[f"layers.{number}.keys"] = layer.keys.cpu().contiguous()
    metadata = {
        "format": _FORMAT,
        "tokens": trace.tokens,
        "token_ids": trace.token_ids,
        "prompt_length": trace.prompt_length,
        "generated_text": trace.generated_text,
        "segmentation": trace.segmentation.to_dict(),
        "mask_kind": trace.mask_kind,
        "layers": [{"scale": layer.scale, "window": layer.window} for layer in trace.layers],
        "recipe": dict(trace.recipe),
        "vocabulary": {int(i): trace.decode(int(i)) for i in np.unique(trace.likely.token_ids)},
    }
    unfinished = path.with_name(path.name + ".part")
    try:
        save_file(tensors, unfinished, metadata={"segviz": json.dumps(metadata)})
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_trace(path: Path) -> Trace:
    """Read the trace at ``path``."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no trace file {str(path)!r}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["segviz"])
            if metadata["format"] != _FORMAT:
                raise ValueError(
                    f"{str(path)!r} has trace format {metadata['format']}; this version of segviz "
                    f"reads format {_FORMAT}"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{str(path)!r} is no trace: Trace.load reads what trace.save(path) wrote ({error})"
        ) from error
    return Trace(
        tokens=tuple(metadata["tokens"]),
        token_ids=tuple(metadata["token_ids"]),
        prompt_length=metadata["prompt_length"],
        generated_text=metadata["generated_text"],
        segmentation=Segmentation.from_dict(metadata["segmentation"]),
        mask_kind=metadata["mask_kind"],
        layers=[
            CapturedLayer(
                tensors[f"layers.{number}.queries"], tensors[f"layers.{number}.keys"], **layer
            )
            for number, layer in enumerate(metadata["layers"])
        ],
        likely=LikelyTokens(
            tensors["likely.token_ids"].numpy(), tensors["likely.log_probabilities"].numpy()
        ),
        recipe=metadata["recipe"],
        decode=_Vocabulary({int(i): text for i, text in metadata["vocabulary"].items()}),
    )
