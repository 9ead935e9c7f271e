"""Options: the arguments of a run as TrainingArguments, and names that are neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from segviz.training.settings import NAMES, Settings

_KNOWN = {one.name for one in fields(TrainingArguments)}
_CHECKPOINTING = next(  # it has got a new name in transformers 5
    f"{what}_checkpointing"
    for what in ("activation", "gradient")
    if f"{what}_checkpointing" in _KNOWN
)

_OWN = {
    "output_dir": "output",
    "num_train_epochs": "epochs",
    "max_steps": "steps",
    "per_device_train_batch_size": "batch_size",
    "activation_checkpointing": "gradient_checkpointing",
    "disable_tqdm": "progress",
    "resume_from_checkpoint": "resume",
    "logging_nan_inf_filter": None,
    "remove_unused_columns": None,
    "label_names": None,
    "label_smoothing_factor": None,
    "prediction_loss_only": None,
    "use_liger_kernel": None,
    "push_to_hub": None,
    "do_train": None,
    "do_eval": None,
    "do_predict": None,
    "parallelism_config": None,
}
"""Of TrainingArguments: what an argument of finetune says, or what would break it (None)."""

_PARTS = 10
"""Checkpoints and validations of a run, unless options say otherwise."""


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse names that nobody knows.

    >>> check_options({"learning_rte": 1e-4})
    Traceback (most recent call last):
    TypeError: 'learning_rte' is no option; did you mean 'learning_rate'? Options are arguments of \
finetune and of transformers.TrainingArguments

    Raises:
        TypeError: an unknown option, or one that another argument stands for.
    """
    for name in options:
        if name in _OWN:
            instead = f"use {_OWN[name]}=…" if _OWN[name] else "training does not work with it"
            raise TypeError(f"{name!r} is no option here: {instead}")
        if name == "group_by_length":
            raise TypeError("use train_sampling_strategy='group_by_length' in place of it")
        if name not in _KNOWN:
            close = get_close_matches(name, [*(_KNOWN - {*_OWN}), *NAMES], n=1)
            meant = f"; did you mean {close[0]!r}?" if close else "."
            raise TypeError(
                f"{name!r} is no option{meant} Options are arguments of finetune and of "
                "transformers.TrainingArguments"
            )


def training_arguments(
    settings: Settings, folder: Path, *, cpu: bool, validated: bool
) -> TrainingArguments:
    """The arguments of Trainer; making them starts the processes' connection, where there are more.

    Args:
        settings: of the run, its options included.
        folder: for checkpoints.
        cpu: whether the model is to stay in main memory.
        validated: whether there are examples for validation.
    """
    part = 1 / _PARTS if settings.steps is None else max(1, settings.steps // _PARTS)
    usual: dict[str, Any] = {
        "logging_steps": 10,
        "report_to": "none",
        "save_strategy": "steps",
        "save_steps": part,
        "eval_strategy": "steps" if validated else "no",
        "eval_steps": part,
        "per_device_eval_batch_size": settings.batch_size,
        f"{_CHECKPOINTING}_kwargs": {"use_reentrant": False},
        "data_seed": settings.seed,
        # All LoRA layers take part in every step.
        "ddp_find_unused_parameters": False,
        "use_cpu": cpu,
    }
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        max_steps=settings.steps or -1,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        seed=settings.seed,
        # Records become tensors in the collator, which needs all of them.
        remove_unused_columns=False,
        label_names=["labels"],
        prediction_loss_only=True,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        **{_CHECKPOINTING: settings.gradient_checkpointing, **usual, **settings.options},
    )
    if arguments.n_gpu > 1:
        # One process is one model on one GPU; several are for torchrun and accelerate.
        arguments._n_gpu = 1  # noqa: SLF001
    return arguments
