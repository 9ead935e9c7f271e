"""Traces on disk: tensors and JSON metadata in one safetensors file, never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

FORMAT = 1


def write(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a trace's tensors and metadata to ``path``, whole or not at all.

    Raises:
        FileNotFoundError: no such folder.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(path.parent)!r} to save {path.name!r} in")
    unfinished = path.with_name(path.name + ".part")
    text = json.dumps({"format": FORMAT, **metadata})
    try:
        save_file(dict(tensors), unfinished, metadata={"segviz": text})
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


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
