"""Redrawing: a figure made again from the recipe in its file."""

from __future__ import annotations

import importlib
import warnings
from ast import literal_eval
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from segviz.comparison import Comparison
from segviz.figures.carrying import recipe
from segviz.figures.recipes import Subject, arguments_of, ids_hash
from segviz.prompts import Prompt
from segviz.segments import Segmentation
from segviz.trace import Trace

if TYPE_CHECKING:
    from segviz.figures.saved import PaperFigure
    from segviz.model import Messages, Model

KINDS = ("mask", "attention", "comparison", "heads", "flow", "tokens", "arcs")

# What has to be the same for the same numbers; a revision that nobody knows tells nothing.
_SAME = ("model", "adapter", "revision", "dtype")
_ROWS = 64
"""Positions whose full next-token distributions are held at a time."""


def redraw(
    path: str | Path,
    model: Model | None = None,
    *,
    causal_model: Model | None = None,
    prompt: Prompt | str | Messages | None = None,
    **changes: Any,
) -> PaperFigure:
    """Make the figure of a file again, from its recipe.

    >>> import tempfile
    >>> import segviz as sv
    >>> model = sv.load()
    >>> path = Path(tempfile.mkdtemp()) / "fig.pdf"
    >>> sv.figures.flow(model.trace(sv.examples["chain"], max_new_tokens=4)).savefig(path)
    >>> wide = redraw(path, model, width="text")
    >>> float(wide.get_figwidth())
    6.75

    Nothing is sampled anew: the model reads prompt and answer at once, the answer causally, which
    gives the same attention. In a half precision dtype the last digits may differ.

    Args:
        path: of a PDF, SVG, PNG or PGF file that a figure was saved as.
        model: the model of the recipe; not needed for the mask of a bare segmentation.
        causal_model: of a comparison of two models, the one under the causal mask.
        prompt: the prompt, where the recipe holds only its hash (``recipe="no-text"``). The answer
            is then generated again, with the recipe's seed and options.
        changes: arguments to change (``width="text"``).

    Raises:
        FileNotFoundError: no such file.
        ValueError: no recipe, or one that cannot be followed: another prompt, another answer,
            options or arguments that it could not hold; and what the model raises, for token ids
            beyond its vocabulary, say.
        TypeError: no model, or no prompt where one is needed; an argument that the figure has not.
    """
    read = recipe(path)
    draw = _drawing(read.get("kind"))
    subject = _subject(read, model, causal_model, prompt)
    arguments = {"recipe": read["keep"], **arguments_of(read, changes)}
    return draw(subject, **arguments)


def _drawing(kind: Any) -> Callable[..., PaperFigure]:
    if kind not in KINDS:
        raise ValueError(
            f"the recipe is of a figure of kind {kind!r}; this version of segviz draws "
            f"{', '.join(KINDS)}"
        )
    # The figures know how they are saved, so this module cannot know them before.
    return getattr(importlib.import_module("segviz.figures"), kind)


def _subject(
    read: Mapping[str, Any],
    model: Model | None,
    causal_model: Model | None,
    prompt: Prompt | str | Messages | None,
) -> Subject:
    runs = read["traces"]
    if not runs:
        return Segmentation.from_dict(read["segmentation"])
    if model is None:
        names = " and ".join(dict.fromkeys(str(run["model"]) for run in runs))
        raise TypeError(f"redraw needs the model, {names}: redraw(path, sv.load(…))")
    given = None if prompt is None else model.as_prompt(prompt)
    if len(runs) == 1:
        return _traced(runs[0], model, given)
    first = causal_model or model
    causal, segment = _traced(runs[0], first, given), _traced(runs[1], model, given)
    return Comparison(causal, segment)


def _traced(run: Mapping[str, Any], model: Model, prompt: Prompt | None) -> Trace:
    """The trace of a recipe's run, with a warning where the model is another one."""
    if prompt is not None and ids_hash(prompt.token_ids) != run["prompt_sha256"]:
        raise ValueError(
            f"this is another prompt than the figure's, or another tokenizer's: it has "
            f"{prompt.length} tokens, the figure's prompt has {run['prompt_length']}, and their "
            "token ids differ"
        )
    if "token_ids" in run:
        trace = _read_again(run, model)
    elif prompt is not None:
        trace = _answered_again(run, model, prompt)
    else:
        raise TypeError(
            "the recipe holds only the hash of the prompt's tokens: give the prompt, "
            "redraw(…, prompt=…)"
        )
    other = [
        f"{name} {trace.recipe[name]!r} in place of {run[name]!r}"
        for name in _SAME
        if trace.recipe[name] != run[name]
        and (name != "revision" or None not in (trace.recipe[name], run[name]))
    ]
    if other:
        # Behind redraw, which called for the subject, which called for this.
        warnings.warn(
            f"the figure is drawn with another model than before: {', '.join(other)}; its "
            "attention will differ",
            UserWarning,
            stacklevel=4,
        )
    return trace


def _read_again(run: Mapping[str, Any], model: Model) -> Trace:
    """The trace of prompt and answer in one prefill: the answer's segment is causal."""
    prompt = Prompt(
        token_ids=tuple(run["token_ids"]),
        tokens=tuple(run["tokens"]),
        text="".join(run["tokens"]),
        segmentation=Segmentation.from_dict(run["segmentation"]),
    )
    trace = model.trace(prompt, run["mask"])
    taken = _log_probabilities(trace, run["prompt_length"])
    return replace(
        trace,
        prompt_length=run["prompt_length"],
        generated_text=run["generated_text"],
        likely=trace.likely.with_generated(taken),
        recipe={
            **trace.recipe,
            **{name: run[name] for name in ("max_new_tokens", "seed", "options")},
        },
    )


def _log_probabilities(trace: Trace, prompt_length: int) -> np.ndarray:
    """How likely each generated token was, float32 ``[generated token]``."""
    parts = [np.zeros(0, dtype=np.float32)]
    stop = len(trace.token_ids) - 1
    # What a position generates is expected by the one before it.
    for start in range(prompt_length - 1, stop, _ROWS):
        rows = slice(start, min(start + _ROWS, stop))
        expected = trace.log_probabilities(rows)
        ids = torch.tensor(trace.token_ids[rows.start + 1 : rows.stop + 1], device=expected.device)
        parts.append(expected.gather(1, ids[:, None])[:, 0].float().cpu().numpy())
    return np.concatenate(parts)


def _answered_again(run: Mapping[str, Any], model: Model, prompt: Prompt) -> Trace:
    """The trace of a prompt, its answer generated as it was."""
    length, segments = run["prompt_length"], Segmentation.from_dict(run["segmentation"]).segments
    own = Segmentation(segment for segment in segments if segment.stop <= length)
    options, new_tokens = {}, run["max_new_tokens"] or 0
    if new_tokens:
        options = {name: _option(name, value) for name, value in run["options"].items()}
        options["seed"] = run["seed"]
    trace = model.trace(prompt.with_segmentation(own), run["mask"], new_tokens, **options)
    if ids_hash(trace.token_ids) != run["tokens_sha256"]:
        raise ValueError(
            f"the model has generated another answer than the figure's, {trace.generated_text!r}: "
            "another version of the weights, the device, torch or transformers can be the reason "
            f"(then: {run['torch']} and {run['transformers']}). A figure saved with "
            "recipe='full' holds its answer"
        )
    return trace


def _option(name: str, written: Any) -> Any:
    """A decoding option from its ``repr``."""
    try:
        return literal_eval(written)
    except (ValueError, SyntaxError) as error:
        raise ValueError(
            f"the answer was generated with {name}={written}, which a recipe cannot hold: it "
            "cannot be generated again. A figure saved with recipe='full' holds its answer"
        ) from error
