"""Evaluation: how often a model answers right, under each mask, and how sure that is."""

from segviz.evaluation.evaluating import METHODS, evaluate
from segviz.evaluation.report import Evaluation, Paired
from segviz.evaluation.tasks import Task, read_tasks

__all__ = ["METHODS", "Evaluation", "Paired", "Task", "evaluate", "read_tasks"]
