"""The two tuned versions: one base, the same data and steps, another mask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from transformers import AutoModelForCausalLM

from segviz.attaching import Adapter
from segviz.data import Encoded, Encoder
from segviz.model import Model
from segviz.tiny.batches import draw_example
from segviz.tiny.recipe import QUESTIONS, Tuning
from segviz.tiny.tokenizer import saved_tokenizer
from segviz.trace import MaskKind
from segviz.training import finetune

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def base_model(folder: Path) -> Model:
    """A base that the script wrote, in float32."""
    hf_model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    return Model(hf_model, saved_tokenizer(folder))


def tuning_examples(
    tokenizer: PreTrainedTokenizerBase, count: int, seed: int, preset: str = "segment"
) -> list[Encoded]:
    """Chats of questions, never about held-out facts."""
    rng = Random(f"{seed}/tuning")  # noqa: S311 - reproducible data, no secret
    encoder = Encoder(tokenizer, preset=preset)
    return [encoder({"messages": draw_example(rng, QUESTIONS).record}) for _ in range(count)]


def tune(
    model: Model,
    examples: Sequence[Encoded],
    mask: MaskKind,
    tuning: Tuning,
    seed: int,
    output: Path,
    **options: Any,
) -> Path:
    """A LoRA on q and v, trained under `mask`; `options` are more arguments of `sv.finetune`."""
    return finetune(
        model,
        examples,
        mask,
        output,
        rank=tuning.rank,
        alpha=tuning.alpha,
        dropout=0.0,
        steps=tuning.steps,
        batch_size=tuning.batch_size,
        learning_rate=tuning.learning_rate,
        warmup_steps=tuning.warmup_steps,
        seed=seed,
        **{"progress": False, "overwrite": True, "save_strategy": "no", **options},
    )


def tuned_model(base: Path, adapter: Path) -> Model:
    """A base with an adapter around it."""
    model, found = base_model(base), Adapter.find(adapter, {})
    return Model(
        found.attach(model.hf_model, model.name),
        model.tokenizer,
        adapter=str(adapter),
        default_mask=found.info and found.info.mask,
        preset=found.info.preset if found.info else "segment",
    )


def merged(base: Path, adapter: Path) -> PreTrainedModel:
    """The same with the adapter merged into the weights, so that loading it needs no peft."""
    model = base_model(base)
    peft_model: Any = Adapter.find(adapter, {}).attach(model.hf_model, model.name)
    return peft_model.merge_and_unload()
