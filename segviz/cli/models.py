"""Models: the options that choose one, and loading it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import segviz as sv
from segviz.cli.terminal import Progress

if TYPE_CHECKING:
    from segviz.model import Model

OPTIONS = ("model", "adapter", "dtype", "device", "offload")

NO_ADAPTER = "none"

_DTYPES = ("auto", "float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Choice:
    """Which model to load; None stands for :func:`segviz.load`'s own default.

    Args:
        name: an embedded model, a folder, or a name on the hub.
        adapter: as there; ``"none"`` is no adapter.
        dtype: of the weights.
        device: where to put them.
        revision: of a model on the hub.
        offload: where what a run captures goes, ``"cpu"``.
    """

    name: str | None = None
    adapter: str | None = None
    dtype: str | None = None
    device: str | None = None
    revision: str | None = None
    offload: str | None = None

    @staticmethod
    def of(options: argparse.Namespace) -> Choice:
        """What the options say."""
        given = {name: getattr(options, name) for name in OPTIONS if name != "model"}
        return Choice(options.model, **given)

    def load(self, progress: Progress) -> Model:
        """Load it.

        Raises:
            ValueError: a device that there is not.
            OSError, ImportError, NotImplementedError: as in :func:`segviz.load`.
        """
        name = self.name or "tiny-llama"
        progress.say(f"loading {name} …")
        given = {key: value for key, value in asdict(self).items() if key != "name"}
        arguments: dict[str, Any] = {
            key: value for key, value in given.items() if value is not None
        }
        if self.adapter == NO_ADAPTER:
            arguments["adapter"] = None
        with _quiet(), _explained(name, self.device):
            return sv.load(name, **arguments)


def add_options(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the options that choose a model.

    Args:
        parser: gets them.
        default: says in ``--help`` which model it is without them.
    """
    group = parser.add_argument_group("the model")
    group.add_argument(
        "--model",
        metavar="NAME",
        help="an embedded model (tiny-llama, tiny-qwen), a folder, or a name on the hub "
        f"(default: {default})",
    )
    group.add_argument(
        "--adapter",
        metavar="NAME",
        help="a LoRA adapter's folder or name on the hub; of an embedded model a folder, 'segment' "
        f"(the default), 'causal' or '{NO_ADAPTER}'",
    )
    group.add_argument("--dtype", choices=_DTYPES, help="of the weights")
    group.add_argument(
        "--device", help="cpu, cuda, cuda:1, mps, … (default: the first GPU, if there is one)"
    )
    group.add_argument(
        "--offload",
        choices=("cpu",),
        help="move what is captured to main memory, for long prompts on a GPU",
    )


@contextmanager
def _explained(name: str, device: str | None) -> Iterator[None]:
    """What torch says of a device, as a sentence."""
    try:
        yield
    except (RuntimeError, AssertionError) as error:
        if device is None or type(error).__name__ == "OutOfMemoryError":
            raise
        first = str(error).strip().split("\n", 1)[0]
        raise ValueError(f"{name!r} could not be put on the device {device!r}: {first}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars of transformers in a log file."""
    from transformers.utils import logging  # noqa: PLC0415 (takes a second)

    if sys.stderr.isatty() or not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
