"""Configuration: a training as a YAML file, for several processes."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import yaml

from segviz.loading import load
from segviz.training.finetune import finetune, own_device
from segviz.training.options import check_options
from segviz.training.settings import NAMES, Settings

_OF_LOADING = ("model", "adapter", "dtype")
_NEEDED = ("model", "examples")


class _Loader(yaml.SafeLoader):
    """Reads ``2e-4`` as the number it is; YAML 1.1 wants a dot in it."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+"), list("-+0123456789")
)


def read_config(path: str | Path) -> dict[str, Any]:
    r"""Read and check a configuration.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "config.yaml"
    >>> _ = file.write_text("model: tiny-llama\nexamples: chats.jsonl\nlearning_rate: 2e-4\n")
    >>> read_config(file)
    {'model': 'tiny-llama', 'examples': 'chats.jsonl', 'learning_rate': 0.0002}

    Args:
        path: of a YAML file. Its keys are the arguments of :func:`segviz.finetune`, and those of
            :func:`segviz.load` in ``model`` (its name), ``adapter`` (by default none; a merged one
            of an embedded model) and ``dtype``. Paths are seen from the working directory.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file of another form, or without a key that is needed.
        TypeError: an unknown key.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no configuration {str(path)!r}; give a YAML file")
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{str(path)!r} is no YAML: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(  # noqa: TRY004 (data, no argument)
            f"{str(path)!r} holds no keys; it needs {' and '.join(_NEEDED)}, and may have every "
            "other argument of finetune"
        )
    missing = [name for name in _NEEDED if not config.get(name)]
    if missing:
        raise ValueError(f"{str(path)!r} has no {' and no '.join(missing)}; add it")
    arguments = {*inspect.signature(finetune).parameters, *_OF_LOADING} - {"callbacks", "options"}
    check_options({str(name): value for name, value in config.items() if name not in arguments})
    return config


def run(config: dict[str, Any]) -> Path:
    """Train what a configuration says.

    Returns:
        the adapter's folder.
    """
    arguments = {name: value for name, value in config.items() if name not in _OF_LOADING}
    # Before a large model is loaded.
    Settings(**{name: value for name, value in arguments.items() if name in NAMES})
    model = load(
        config["model"],
        config.get("adapter"),
        dtype=config.get("dtype", "auto"),
        device=own_device(arguments),
    )
    return finetune(model, **arguments)
