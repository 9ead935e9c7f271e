"""A job: from encoded examples and settings to the adapter in its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import TrainerCallback, TrainingArguments
from transformers.integrations.integration_utils import TensorBoardCallback

from segviz.adapter import AdapterInfo, base_fingerprint
from segviz.data import Collator, Encoder
from segviz.model import Model
from segviz.training.examples import Examples, encoded_examples
from segviz.training.lora import lora_layers
from segviz.training.options import training_arguments
from segviz.training.output import OutputFolder
from segviz.training.settings import Settings
from segviz.training.trainer import SegmentTrainer, Watcher

_SHARDED = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")


def train(
    model: Model,
    settings: Settings,
    folder: OutputFolder,
    sources: Mapping[str, Any],
    *,
    resume: bool,
    keep_checkpoints: bool,
    callbacks: Sequence[TrainerCallback],
    progress: bool,
) -> None:
    """Train an adapter and write its folder; the arguments are those of :func:`segviz.finetune`.

    Args:
        model: to train, without an adapter.
        settings: of the run.
        folder: to write.
        sources: the ``"examples"``, and maybe those for ``"validation"``.
        resume: whether to continue from a checkpoint.
        keep_checkpoints: whether they stay at the end.
        callbacks: of Trainer.
        progress: whether encoding shows a bar.
    """
    arguments = training_arguments(
        settings, folder.checkpoints, cpu=_stays_on_cpu(model, settings), validated=len(sources) > 1
    )
    main = arguments.process_index == 0
    encoder = Encoder(model.tokenizer, settings.scheme, settings.preset, settings.answers)
    limit = _limit(model, settings)
    data = {}
    for what, source in sources.items():
        data[what] = encoded_examples(
            source, encoder, limit, what=what, progress=progress and main, warn=main
        )
    info = _info(model, settings, data["examples"])
    run = settings.as_json() | {"examples": info.data_hash, "base": info.base_fingerprint}
    if resume:
        folder.check(run)
    with (
        model.exclusive(),  # runs of other threads wait: they would meet half-trained weights
        folder.full_disk_told(),
        lora_layers(model.hf_model, settings, model.name) as peft_model,
    ):
        watcher = Watcher(info)
        try:
            trainer = SegmentTrainer(
                folder,
                model=peft_model,
                args=arguments,
                train_dataset=data["examples"],
                eval_dataset=data.get("validation"),
                data_collator=_collator(model, settings),
                callbacks=[watcher, *callbacks],
            )
            watcher.trainer = trainer
            _keep_events(trainer, folder)
            _wait(arguments)  # all have looked, before one writes
            if main:
                folder.begin(run, resume=resume)
            _wait(arguments)
            checkpoint = folder.last_checkpoint()
            trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
            trainer.check_weights()
            trainer.save_model(str(folder.staged))
            if main:
                trainer.state.save_to_json(str(folder.staged / "trainer_state.json"))
                info.save(folder.staged)
                folder.finish(keep_checkpoints=keep_checkpoints)
        except BaseException as error:
            if main:
                folder.abandon()
                if isinstance(error, KeyboardInterrupt):
                    error.add_note(f"{folder.kept()}; run the same again to go on")
            raise
        _wait(arguments)


def _stays_on_cpu(model: Model, settings: Settings) -> bool:
    """Trainer would put a model onto a GPU wherever there is one."""
    sharded = settings.options.get("fsdp") or any(name in os.environ for name in _SHARDED)
    return next(model.hf_model.parameters()).device.type == "cpu" and not sharded


def _limit(model: Model, settings: Settings) -> int | None:
    limits = (settings.max_length, model.positions)
    return min((limit for limit in limits if limit is not None), default=None)


def _info(model: Model, settings: Settings, examples: Examples) -> AdapterInfo:
    return AdapterInfo(
        mask=settings.mask,
        scheme=settings.scheme,
        preset=settings.preset,
        base_model=model.name,
        base_adapter=model.adapter,
        base_fingerprint=base_fingerprint(model.hf_model),
        data_hash=examples.fingerprint,
        seed=settings.seed,
    )


def _collator(model: Model, settings: Settings) -> Collator:
    tokenizer: Any = model.tokenizer
    known = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    return Collator(
        model.hf_model.config,
        next(token_id for token_id in known if token_id is not None),
        settings.mask,
        settings.padding_side,
        dtype=model.hf_model.dtype,
    )


def _keep_events(trainer: SegmentTrainer, folder: OutputFolder) -> None:
    """Events of TensorBoard stay where checkpoints go."""
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(folder.path / "runs")


def _wait(arguments: TrainingArguments) -> None:
    if arguments.distributed_state is not None:
        arguments.distributed_state.wait_for_everyone()
