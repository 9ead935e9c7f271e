"""Prompts: tokens with their segments, cut from chat templates, instructions or plain text."""

from segviz.prompts.carry import carried, lost
from segviz.prompts.chat import chat_prompt
from segviz.prompts.names import checked_name
from segviz.prompts.presets import PRESETS, presets, under_preset
from segviz.prompts.prompt import Prompt
from segviz.prompts.schemes import SCHEMES, Scheme, checked_scheme, instruction_prompt
from segviz.prompts.text import text_prompt

__all__ = [
    "PRESETS",
    "SCHEMES",
    "Prompt",
    "Scheme",
    "carried",
    "chat_prompt",
    "checked_name",
    "checked_scheme",
    "instruction_prompt",
    "lost",
    "presets",
    "text_prompt",
    "under_preset",
]
