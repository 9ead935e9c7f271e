"""Training: adapters (LoRA) for either mask, through peft and the Trainer of transformers."""

from segviz.training.finetune import finetune

__all__ = ["finetune"]
