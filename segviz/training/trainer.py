"""The Trainer of transformers with the loss of answers, and what watches it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainerCallback
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from segviz.adapter import AdapterInfo
from segviz.data import IGNORED
from segviz.training.examples import Examples
from segviz.training.output import OutputFolder

MOST_WARMUP = 0.1
"""The part of all steps that warm-up may take, so that a short run learns at full rate, too."""


def token_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Cross entropy of the scored tokens, in nats.

    >>> from types import SimpleNamespace
    >>> logits = torch.tensor([[[0.0, 0.0], [9.0, 0.0]]])
    >>> round(float(token_loss(SimpleNamespace(logits=logits), torch.tensor([[1, -100]]))), 4)
    0.6931

    Args:
        outputs: of the model, with ``logits`` ``[record, K, token]`` of the last K positions.
        labels: int ``[record, K]``, already shifted, -100 where nothing is scored.
        num_items_in_batch: the scored tokens of all micro-batches of a step, on all processes, by
            which Trainer averages; None: those of these labels.
    """
    scored = labels != IGNORED
    # Chosen first, so that no float32 copy of all logits is made.
    total = cross_entropy(outputs.logits[scored].float(), labels[scored], reduction="sum")
    return total / (scored.sum() if num_items_in_batch is None else num_items_in_batch)


class SegmentTrainer(Trainer):
    """Trainer, with averages over scored tokens wherever it would average over batches.

    >>> issubclass(SegmentTrainer, Trainer)
    True

    It stops at a loss or a gradient that is not finite, before it reaches the weights
    (:class:`FloatingPointError`).

    Args:
        output: where checkpoints go, for errors.
        arguments: of Trainer.
    """

    def __init__(self, output: OutputFolder, **arguments: Any) -> None:
        super().__init__(compute_loss_func=token_loss, **arguments)
        self._output = output
        self._evaluated: torch.Tensor | None = None  # sum of the loss, and scored tokens
        self.remove_callback(PrinterCallback)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """As Trainer does, but a loss that is not finite ends the run."""
        labels = inputs["labels"]
        result: Any = super().compute_loss(model, inputs, True, num_items_in_batch)  # noqa: FBT003
        loss, outputs = result
        if self._evaluated is not None:
            scored = (labels != IGNORED).sum()
            own = token_loss(outputs, labels.to(outputs.logits.device))
            self._evaluated += torch.stack([own * scored, scored]).to(self._evaluated)
        elif not torch.isfinite(loss):
            raise self._not_finite(f"the loss is {loss.item()}")
        return (loss, outputs) if return_outputs else loss

    def check_gradients(self) -> None:
        """End the run where a gradient is not finite.

        Raises:
            FloatingPointError: with the step.
        """
        if self.args.fp16:
            return  # there it is usual, and the scaler leaves the step out
        model: Any = self.model
        found = [weight.grad for weight in model.parameters() if weight.grad is not None]
        norm = torch.nn.utils.get_total_norm(found)
        if found and not torch.isfinite(norm):
            raise self._not_finite(f"the gradient's norm is {norm.item()}")

    def check_weights(self) -> None:
        """End the run where the last step made a weight that is not finite.

        Raises:
            FloatingPointError: with the step.
        """
        if not self.has_finite_weights():
            raise self._not_finite("a weight is not finite any more")

    def has_finite_weights(self) -> bool:
        """Whether all weights that are trained are numbers."""
        model: Any = self.model
        trained = (weight for weight in model.parameters() if weight.requires_grad)
        return all(bool(torch.isfinite(weight).all()) for weight in trained)

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        """As Trainer does, with the loss per scored token, not the mean over batches."""
        self._evaluated = torch.zeros(2, device=self.args.device)
        try:
            output = super().evaluation_loop(*arguments, **options)
            total, scored = self.accelerator.reduce(self._evaluated, reduction="sum").tolist()  # type: ignore[union-attr]
        finally:
            self._evaluated = None
        name = f"{options.get('metric_key_prefix', 'eval')}_loss"
        if output.metrics is not None and scored:
            output.metrics[name] = total / scored
        return output

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> Any:
        """As Trainer does, with a warm-up that leaves most of a short run to learning."""
        most = math.floor(MOST_WARMUP * num_training_steps)
        self.args.warmup_steps = min(self.args.get_warmup_steps(num_training_steps), most)
        return super().create_scheduler(num_training_steps, optimizer)

    def floating_point_ops(self, inputs: dict[str, torch.Tensor | Any]) -> int:
        """Not counted: at the size of a tiny model counting takes longer than learning."""
        del inputs
        return 0

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        dataset = train_dataset or self.train_dataset
        if self.args.train_sampling_strategy == "group_by_length" and isinstance(dataset, Examples):
            size = self.args.train_batch_size * self.args.gradient_accumulation_steps
            # One order for all processes, whatever else they draw.
            generator = torch.Generator().manual_seed(self.args.seed)
            return LengthGroupedSampler(size, lengths=dataset.lengths, generator=generator)
        return super()._get_train_sampler(train_dataset)

    def _not_finite(self, what: str) -> FloatingPointError:
        return FloatingPointError(
            f"{what} at step {min(self.state.global_step + 1, self.state.max_steps)} of "
            f"{self.state.max_steps}; no adapter was written. {self._output.kept()}. A lower "
            "learning_rate, a longer warm-up or bf16=True in place of fp16=True help most often "
            "(with resume=False: it is another run then)"
        )


class Watcher(TrainerCallback):
    """Looks at gradients before each step, and marks checkpoints that are whole.

    >>> issubclass(Watcher, TrainerCallback)
    True

    Args:
        info: is written beside the weights of a checkpoint when all else is there.
    """

    def __init__(self, info: AdapterInfo) -> None:
        self.trainer: SegmentTrainer | None = None
        self._info = info

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        """The gradients of a step are there."""
        if self.trainer is not None:
            self.trainer.check_gradients()

    def on_save(self, args: Any, state: Any, *_: Any, **__: Any) -> None:
        """A checkpoint was written."""
        if self.trainer is not None and not self.trainer.has_finite_weights():
            return  # nobody should go on from it
        if state.is_world_process_zero:
            self._info.save(f"{args.output_dir}/checkpoint-{state.global_step}")
