"""Traces on disk: tensors and JSON metadata in one safetensors file, never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from segviz.files import whole
from segviz.likely import LikelyTokens
from segviz.patterns import CapturedLayer

FORMAT = 1


def pack(
    layers: Sequence[CapturedLayer], likely: LikelyTokens
) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """What was captured as named tensors, and the rest of each layer for the metadata."""
    tensors = {
        "likely.token_ids": torch.from_numpy(likely.token_ids),
        "likely.log_probabilities": torch.from_numpy(likely.log_probabilities),
    }
    if likely.generated is not None:
        tensors["likely.generated"] = torch.from_numpy(likely.generated)
    settings = []
    for number, layer in enumerate(layers):
        tensors[f"layers.{number}.queries"] = layer.queries.cpu().contiguous()
        tensors[f"layers.{number}.keys"] = layer.keys.cpu().contiguous()
        one: dict[str, Any] = {"scale": layer.scale, "window": layer.window}
        if layer.output_errors:
            one["output_errors"] = list(layer.output_errors.items())
        settings.append(one)
    return tensors, settings


def unpack(
    tensors: Mapping[str, torch.Tensor], settings: Sequence[Mapping[str, Any]]
) -> tuple[list[CapturedLayer], LikelyTokens]:
    """What :func:`pack` packed; files of earlier versions hold less."""
    layers = [
        CapturedLayer(
            tensors[f"layers.{number}.queries"],
            tensors[f"layers.{number}.keys"],
            one["scale"],
            one["window"],
            dict(one["output_errors"]) if "output_errors" in one else None,
        )
        for number, one in enumerate(settings)
    ]
    generated = tensors.get("likely.generated")
    likely = LikelyTokens.known(
        tensors["likely.token_ids"].numpy(),
        tensors["likely.log_probabilities"].numpy(),
        None if generated is None else generated.numpy(),
    )
    return layers, likely


def write(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a trace's tensors and metadata to ``path``, whole or not at all.

    Raises:
        FileNotFoundError: no such folder.
    """
    text = json.dumps({"format": FORMAT, **metadata})
    with whole(path, "a trace") as unfinished:
        save_file(dict(tensors), unfinished, metadata={"segviz": text})


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What :func:`write` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is no trace, or of another format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no trace file {str(path)!r}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["segviz"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{str(path)!r} is no trace: Trace.load reads what trace.save(path) wrote ({error})"
        ) from error
    if metadata["format"] != FORMAT:
        raise ValueError(
            f"{str(path)!r} has trace format {metadata['format']}; this version of segviz reads "
            f"format {FORMAT}"
        )
    return tensors, metadata
