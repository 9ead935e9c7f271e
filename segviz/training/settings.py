"""Settings: what decides which adapter a run gives, checked and comparable."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from segviz.data.collating import Side
from segviz.data.encoding import Answers
from segviz.prompts import checked_name
from segviz.trace import MaskKind

# Options that decide how a run is watched and kept, and not which adapter it gives.
_WATCHING = ("dataloader_", "eval_", "log_", "logging_", "report_", "run_", "save_")

_RANGES: Mapping[str, tuple[float, float, str]] = {
    "rank": (1, float("inf"), "1 or more"),
    "alpha": (0, float("inf"), "0 or more"),
    "dropout": (0, 0.999, "at least 0 and below 1"),
    "epochs": (sys.float_info.min, float("inf"), "more than 0"),
    "steps": (1, float("inf"), "1 or more"),
    "batch_size": (1, float("inf"), "1 or more"),
    "learning_rate": (0, sys.float_info.max, "a finite number from 0 on"),
    "warmup_steps": (0, float("inf"), "0 or more"),
    "max_length": (2, float("inf"), "2 or more"),
    "seed": (0, 2**32 - 1, "0 to 2**32 - 1"),
}

_WHOLE = ("rank", "steps", "batch_size", "warmup_steps", "max_length", "seed")


@dataclass(frozen=True)
class Settings:
    """The arguments of :func:`segviz.finetune` that decide which adapter comes out.

    >>> one, other = Settings(seed=1), Settings(seed=2, options={"logging_steps": 5})
    >>> one.differences(other)
    ['seed: 1 instead of 2']

    Raises:
        ValueError: a value out of its range; the sentence gives it.
        TypeError: a value of another type.
    """

    mask: MaskKind = "segment"
    scheme: str = "chat"
    preset: str = "segment"
    answers: Answers = "all"
    rank: int = 32
    alpha: float = 64
    dropout: float = 0.05
    targets: tuple[str, ...] | str = ("q_proj", "v_proj")
    epochs: float = 3
    steps: int | None = None
    batch_size: int = 16
    learning_rate: float = 2e-4
    warmup_steps: int = 100
    max_length: int | None = None
    padding_side: Side = "left"
    gradient_checkpointing: bool = False
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked_name(self.mask, ("segment", "causal"), "mask")
        checked_name(self.padding_side, ("left", "right"), "padding_side")
        if (self.mask, self.preset) == ("segment", "causal"):
            raise ValueError(
                "the preset 'causal' makes every segment causal, under which mask='segment' is the "
                "causal mask: give mask='causal', or another preset"
            )
        for name in _WHOLE:
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise TypeError(f"{name} is an integer, not {value!r}")
        for name, (least, most, allowed) in _RANGES.items():
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, int | float):
                raise TypeError(f"{name} is a number, not {value!r}")
            if not least <= value <= most:
                raise ValueError(f"{name} is {value!r}; allowed is {allowed}")
        if not self.targets:
            raise ValueError("there are no targets; name the layers that get a LoRA: ('q_proj',)")

    def as_json(self) -> dict[str, Any]:
        """What is kept with checkpoints."""
        entries = asdict(self)
        if not isinstance(self.targets, str):
            entries["targets"] = list(self.targets)
        entries["options"] = {
            name: repr(value)
            for name, value in sorted(self.options.items())
            if not name.startswith(_WATCHING)
        }
        return entries

    def differences(self, other: Settings) -> list[str]:
        """What this one has instead of another's, as :func:`differences` tells it."""
        return differences(self.as_json(), other.as_json())


def differences(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """The entries that differ, one sentence part each.

    >>> differences({"seed": 1, "rank": 8}, {"seed": 2, "rank": 8})
    ['seed: 1 instead of 2']
    """
    names = [*now, *(name for name in before if name not in now)]
    return [
        f"{name}: {now.get(name)!r} instead of {before.get(name)!r}"
        for name in names
        if now.get(name) != before.get(name)
    ]


NAMES = tuple(one.name for one in fields(Settings) if one.name != "options")
"""The arguments of :func:`segviz.finetune` that are settings."""
