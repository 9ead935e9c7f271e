"""Widgets: the views of the explorer, each an anywidget that works alone.

They take arrays and traits and never touch a model.
"""

from segviz.widgets.answer_view import AnswerView
from segviz.widgets.attention_view import AttentionView
from segviz.widgets.base import View
from segviz.widgets.compare_view import CompareView
from segviz.widgets.explorer_view import ExplorerView
from segviz.widgets.head_grid import HeadGrid
from segviz.widgets.mask_view import MaskView
from segviz.widgets.prompt_view import PromptView
from segviz.widgets.receipt_view import ReceiptView
from segviz.widgets.token_strip import TokenStrip

__all__ = [
    "AnswerView",
    "AttentionView",
    "CompareView",
    "ExplorerView",
    "HeadGrid",
    "MaskView",
    "PromptView",
    "ReceiptView",
    "TokenStrip",
    "View",
]
