"""Showing: what a session has computed, put into the views that show it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from segviz.labels import head_name
from segviz.prompts import PRESETS
from segviz.receipt import HeadCheck
from segviz.session.looks import Contrast, Flows, LayerLook, Look, Parting, Pattern
from segviz.tiles import PICTURE, ArrayTiles
from segviz.trace import with_response
from segviz.widgets.segmented import segment_dicts

if TYPE_CHECKING:
    from segviz.prompts import Prompt
    from segviz.segments import Segmentation
    from segviz.widgets import (
        AttentionView,
        CompareView,
        ExplorerView,
        HeadGrid,
        PromptView,
        TokenStrip,
    )

_VIEWS = {
    "causal": "causal mask",
    "segment": "segment mask",
    "difference": "segment minus causal",
}


def show(view: ExplorerView, look: Look) -> None:
    """Something that was computed, where it belongs."""
    match look:
        case Pattern():
            show_pattern(view, look)
        case HeadCheck():
            view.receipt.show(look)
        case LayerLook():
            show_layer(view.grid, look)
        case Contrast():
            show_contrast(view.compare, look)
        case Flows():
            view.compare.show_flows(look.by_scope, look.names)
        case Parting():
            show_parting(view.compare, look)


def show_pattern(view: ExplorerView, pattern: Pattern) -> None:
    """The chosen head's pattern, in the attention view; the mask covers the same positions."""
    pattern = _with_room(view.attention, pattern)
    view.show(
        pattern.tiles,
        tokens=pattern.tokens,
        segmentation=pattern.segmentation,
        prompt_length=pattern.prompt_length,
        kind="diverging" if pattern.view == "difference" else "sequential",
        title=f"{head_name(pattern.layer, pattern.head)}: {_VIEWS[pattern.view]}",
    )


def _with_room(shown: AttentionView, pattern: Pattern) -> Pattern:
    """A prefill's pattern with empty rows for an answer as long as the one that is shown.

    Otherwise both matrices would shrink with every edit, and grow again a moment later.
    """
    length, room = len(pattern.tokens), len(shown.tokens) - len(pattern.tokens)
    same = shown.prompt_length == length and shown.tokens[:length] == list(pattern.tokens)
    if pattern.answered or room <= 0 or not same or length + room > PICTURE:
        return pattern
    array, mask = (np.pad(one, (0, room)) for one in (pattern.array, pattern.mask))
    return replace(
        pattern,
        tiles=ArrayTiles(array, mask),
        tokens=(*pattern.tokens, *["…"] * room),
        segmentation=with_response(pattern.segmentation, length + room),
    )


def show_layer(grid: HeadGrid, look: LayerLook) -> None:
    """All heads of a layer, in the head grid."""
    kind = "diverging" if look.view == "difference" else "sequential"
    grid.show_layer(look.layer, look.thumbnails, look.summaries, kind)


def show_contrast(compare: CompareView, contrast: Contrast) -> None:
    """The chosen head under both masks, in the compare view."""
    difference = contrast.difference
    compare.show_patterns(
        causal=contrast.causal.tiles,
        segment=contrast.segment.tiles,
        difference=difference.tiles,
        tokens=difference.tokens,
        segmentation=difference.segmentation,
        prompt_length=difference.prompt_length,
        title=head_name(difference.layer, difference.head),
    )


def show_parting(compare: CompareView, parting: Parting) -> None:
    """Where the answers part, in the compare view."""
    compare.show_parting(
        divergence=parting.divergence,
        exact=parting.exact,
        position=parting.position,
        parted=parting.parted,
        next_tokens=parting.next_tokens,
        tokens=parting.tokens,
        segmentation=parting.segmentation,
        prompt_length=parting.prompt_length,
    )


def source_of(prompt: Prompt) -> dict[str, Any]:
    """What the prompt was made of, as the prompt view holds it."""
    return {
        "kind": prompt.kind,
        "messages": [dict(message) for message in prompt.messages or ()],
        "text": "" if prompt.kind == "chat" else prompt.text,
        "note": f"{prompt.length} tokens",
    }


def show_source(view: PromptView, prompt: Prompt) -> None:
    """What the prompt was made of, in the prompt view."""
    with view.hold_sync():
        for name, value in source_of(prompt).items():
            setattr(view, name, value)


def show_presets(strip: TokenStrip, presets: dict[str, Segmentation]) -> None:
    """The segmentations to choose from, in the strip."""
    strip.presets = [
        {"name": name, "title": PRESETS[name], "segments": segment_dicts(segmentation)}
        for name, segmentation in presets.items()
    ]
