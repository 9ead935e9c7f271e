"""Prompts: tokens with their segments, cut from chat templates or from plain text."""

from segviz.prompts.carry import carried, lost
from segviz.prompts.chat import chat_prompt
from segviz.prompts.presets import PRESETS, presets
from segviz.prompts.prompt import Prompt
from segviz.prompts.text import text_prompt

__all__ = ["PRESETS", "Prompt", "carried", "chat_prompt", "lost", "presets", "text_prompt"]
