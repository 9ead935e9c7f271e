"""Fine-tuning: LoRA under a segment or a causal mask, from records to an adapter's folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from segviz.data.collating import Side
from segviz.data.encoding import Answers
from segviz.loading import load
from segviz.model import Model
from segviz.trace import MaskKind
from segviz.training.output import OutputFolder
from segviz.training.progress import Progress
from segviz.training.settings import Settings

if TYPE_CHECKING:
    from transformers import TrainerCallback


def finetune(  # noqa: PLR0913 (users see all arguments)
    model: Model | str | Path,
    examples: str | Path | Iterable[Any],
    mask: MaskKind = "segment",
    output: str | Path = "adapter",
    *,
    scheme: str = "chat",
    preset: str = "segment",
    answers: Answers = "all",
    rank: int = 32,
    alpha: float = 64,
    dropout: float = 0.05,
    targets: Sequence[str] | str = ("q_proj", "v_proj"),
    epochs: float = 3,
    steps: int | None = None,
    batch_size: int = 16,
    learning_rate: float = 2e-4,
    warmup_steps: int = 100,
    max_length: int | None = None,
    padding_side: Side = "left",
    gradient_checkpointing: bool = False,
    seed: int = 0,
    validation: str | Path | Iterable[Any] | None = None,
    resume: bool = True,
    overwrite: bool = False,
    keep_checkpoints: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    progress: bool = True,
    **options: Any,
) -> Path:
    """Train a LoRA adapter under a mask.

    >>> import tempfile
    >>> import segviz as sv
    >>> chat = [{"role": "user", "content": "Who leads Anna?"},
    ...         {"role": "assistant", "content": "Ben"}]
    >>> folder = finetune(sv.load("tiny-llama", adapter=None), [chat], "segment",
    ...                   tempfile.mkdtemp(), steps=1, progress=False)
    >>> sv.load("tiny-llama", adapter=folder).default_mask
    'segment'

    Loss counts on the tokens of answers alone: inside of a bidirectional segment each token is seen
    by the one before it, and there is nothing to predict. The defaults are those of Katz et al.
    (arXiv 2412.18487). The model is afterwards as it was before.

    Several processes work as with Trainer: ``torchrun -m segviz.training config.yaml``, or
    ``accelerate launch -m segviz.training config.yaml``.

    Args:
        model: a model without an adapter, or the name of one for :func:`segviz.load`.
        examples: records (see :func:`segviz.data.read_records`), a ``.json`` or ``.jsonl`` file of
            them, or what a :class:`segviz.data.Encoder` made of them, to encode them only once.
        mask: ``"segment"`` or ``"causal"``, in training.
        output: the adapter's folder: what peft writes, ``segviz.json``, which tells
            :func:`segviz.load` of the mask, and ``trainer_state.json`` with the loss curve.
        scheme: how instructions are written, see :data:`segviz.prompts.SCHEMES`.
        preset: how prompts are cut into segments, see :data:`segviz.prompts.PRESETS`.
        answers: whether ``"all"`` assistant turns of a chat are learnt, or the ``"last"``.
        rank: of the LoRA.
        alpha: of the LoRA: its update is scaled by ``alpha / rank``.
        dropout: on what enters the LoRA, a probability.
        targets: names of the layers that get one, or what peft understands (``"all-linear"``).
        epochs: how often the examples are gone through.
        steps: of the optimizer, in place of epochs.
        batch_size: examples per step on each process; ``gradient_accumulation_steps=`` multiplies.
        learning_rate: the highest.
        warmup_steps: over which it rises; never more than a tenth of all.
        max_length: tokens that an example may have; longer ones are left out and counted. By
            default the positions of the model.
        padding_side: ``"left"`` or ``"right"``; it makes no difference to what is learnt.
        gradient_checkpointing: less memory, more time, the same gradients.
        seed: of the LoRA's first weights, the order of examples and the dropout.
        validation: records whose loss is reported on the way.
        resume: continue the run that was interrupted in this folder; False starts anew.
        overwrite: whether a finished adapter in ``output`` may be replaced.
        keep_checkpoints: whether they stay in ``output/checkpoints`` at the end.
        callbacks: more callbacks of Trainer.
        progress: whether a bar is shown.
        options: for ``transformers.TrainingArguments``: ``bf16=True``, ``lr_scheduler_type=``,
            ``gradient_accumulation_steps=``, ``report_to="tensorboard"`` (events go to
            ``output/runs``), ``save_steps=``, ….

    Returns:
        the adapter's folder.

    Raises:
        ValueError: bad examples, settings out of range, a model with an adapter, checkpoints of
            another run.
        TypeError: an unknown option, or a model of another type.
        FileExistsError: a finished adapter in ``output``, or checkpoints that somebody else wrote.
        FloatingPointError: a loss or a gradient that is not finite; the step is told, and the last
            checkpoint stays.
        OSError: a full disk; what was kept is told.
        ImportError: peft or accelerate is missing.
    """
    _check_libraries()
    from segviz.training.job import train  # noqa: PLC0415 (peft is optional)
    from segviz.training.options import check_options  # noqa: PLC0415 (so is accelerate)

    if not isinstance(model, Model | str | Path):
        raise TypeError(
            f"finetune takes a segviz.Model or a model's name, not a {type(model).__name__}: "
            "sv.load(name, adapter=None), or sv.Model(hf_model, tokenizer)"
        )
    if isinstance(targets, str) and targets.isidentifier():
        targets = (targets,)  # peft takes a string for a pattern of the whole path
    check_options(options)
    settings = Settings(
        mask=mask,
        scheme=scheme,
        preset=preset,
        answers=answers,
        rank=rank,
        alpha=alpha,
        dropout=dropout,
        targets=targets if isinstance(targets, str) else tuple(targets),
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=warmup_steps,
        max_length=max_length,
        padding_side=padding_side,
        gradient_checkpointing=gradient_checkpointing,
        seed=seed,
        options=options,
    )
    folder = OutputFolder(Path(output).expanduser(), overwrite=overwrite)
    if not isinstance(model, Model):
        model = load(model, adapter=None, device=own_device(options))
    with closing(Progress(f"finetune, {mask} mask")) as bar:
        train(
            model,
            settings,
            folder,
            {"examples": examples} | ({} if validation is None else {"validation": validation}),
            resume=resume,
            keep_checkpoints=keep_checkpoints,
            callbacks=[*callbacks, bar] if progress else callbacks,
            progress=progress,
        )
    return folder.path


def own_device(options: Mapping[str, Any]) -> str | None:
    """Where one of several processes loads its model; None: the usual device.

    >>> print(own_device({}))
    None

    Args:
        options: of the run.
    """
    if options.get("use_cpu") or options.get("fsdp") or "ACCELERATE_USE_FSDP" in os.environ:
        return "cpu"  # FSDP takes a part of it to each GPU
    rank = os.environ.get("LOCAL_RANK")
    return f"cuda:{rank}" if rank is not None and torch.cuda.is_available() else None


def _check_libraries() -> None:
    missing = [name for name in ("peft", "accelerate") if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"finetune needs {' and '.join(missing)}: pip install 'segviz-attention[finetune]'"
        )
