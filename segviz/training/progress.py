"""A progress bar for a training."""

from __future__ import annotations

from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback


class Progress(TrainerCallback):
    """One bar with the loss and the time left, in terminals and notebooks.

    >>> Progress("segment mask").close()

    Args:
        title: what is trained.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Any = None
        self._numbers: dict[str, str] = {}

    def on_train_begin(self, _args: Any, state: Any, *_: Any, **__: Any) -> None:
        """Steps begin, or go on."""
        if state.is_world_process_zero:
            self._bar = tqdm(
                total=state.max_steps, initial=state.global_step, desc=self._title, unit="step"
            )

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """A step was done."""
        if self._bar is not None:
            self._bar.update()

    def on_log(self, *_: Any, logs: dict[str, Any] | None = None, **__: Any) -> None:
        """Numbers are there."""
        shown = {"loss": "loss", "eval_loss": "validation"}
        found = {name: f"{logs[key]:.3f}" for key, name in shown.items() if logs and key in logs}
        if self._bar is not None and found:
            self._numbers |= found
            self._bar.set_postfix(self._numbers)

    def close(self) -> None:
        """No more steps, for whatever reason."""
        if self._bar is not None:
            self._bar.close()
