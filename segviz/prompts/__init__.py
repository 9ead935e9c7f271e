"""Prompts: tokens with their segments, cut from chat templates or from plain text."""

from segviz.prompts.chat import chat_prompt
from segviz.prompts.prompt import Prompt
from segviz.prompts.text import text_prompt

__all__ = ["Prompt", "chat_prompt", "text_prompt"]
