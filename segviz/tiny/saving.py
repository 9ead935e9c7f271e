"""Writing a checkpoint as it is shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a checkpoint in half precision, with the tokenizer."""
    state = {name: tensor.half() for name, tensor in model.state_dict().items()}
    del state["lm_head.weight"]  # tied to the embeddings; a copy would only take space
    model.save_pretrained(folder, state_dict=state)
    tokenizer.save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes files that only their owner may read
