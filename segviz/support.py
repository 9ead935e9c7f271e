"""Which models segment masks can be applied to."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

_LAYER_TYPES = {"full_attention", "sliding_attention"}


def supported_model(model: Any) -> PreTrainedModel:
    """The transformers model to run, if segment masks can be applied to it.

    Args:
        model: a causal language model of transformers, or a peft model around one.

    Returns:
        The model itself; of a peft model the base model, with the adapter's layers in place.

    Raises:
        TypeError: something else.
        NotImplementedError: an architecture that is not supported; the sentence says why.
    """
    if not isinstance(model, PreTrainedModel) and hasattr(model, "get_base_model"):
        adapter = getattr(model, "active_peft_config", None)
        if getattr(adapter, "is_prompt_learning", False):
            raise NotImplementedError(
                f"{type(adapter).__name__} puts virtual tokens before the prompt, which belong to "
                "no segment; segviz supports adapters inside of the layers, such as LoRA"
            )
        model = model.get_base_model()
    if not isinstance(model, PreTrainedModel):
        raise TypeError(
            f"a {type(model).__name__} is no model of transformers: sv.Model takes what "
            "AutoModelForCausalLM.from_pretrained returns, or a peft model around it"
        )
    reason = _reason_against(model)
    if reason:
        raise NotImplementedError(
            f"{type(model).__name__} {reason}. Segment masks work with decoder-only models made of "
            "softmax attention layers, such as Llama, Qwen2, Qwen3 and Mistral"
        )
    return model


def _reason_against(model: PreTrainedModel) -> str | None:
    config = model.config
    if config.is_encoder_decoder:
        return "is an encoder-decoder: its encoder is bidirectional already"
    other = set(getattr(config.get_text_config(decoder=True), "layer_types", None) or ())
    other -= _LAYER_TYPES
    if other:
        return f"has layers without a mask to change ({', '.join(sorted(other))})"
    if model.get_output_embeddings() is None or not model.can_generate():
        return "has no language-model head"
    if not model._can_set_attn_implementation():  # noqa: SLF001 (there is no public question)
        return "does not go through the attention interface of transformers"
    return None


def rows_depend_on_each_other(model: PreTrainedModel) -> bool:
    """Whether what a model computes of one token depends on which others it computes with it.

    It does in the 8-bit layers of bitsandbytes, which look for outliers over all rows at hand
    (Dettmers et al., LLM.int8(), arXiv 2208.07339): a run of theirs takes nothing from another.
    """
    return bool(getattr(model, "is_loaded_in_8bit", False))


def computing_device(module: torch.nn.Module) -> torch.device:
    """Where a module computes: where its weights are, or are brought to for the time of a call.

    >>> computing_device(torch.nn.Linear(2, 3))
    device(type='cpu')

    Weights that accelerate keeps in main memory or on disk between the calls are on no device until
    then; a hook of the module knows where it puts them.

    Args:
        module: a model or a part of one.
    """
    first = next(module.parameters()).device
    if first.type == "meta":
        for part in module.modules():
            brought = getattr(getattr(part, "_hf_hook", None), "execution_device", None)
            if brought is not None:
                return torch.device(brought)
    return first
