"""The token strip: the prompt's tokens, coloured by segment, with movable boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import traitlets

from segviz.segments import Segmentation
from segviz.widgets import assets
from segviz.widgets.segmented import SegmentedView, segment_dicts


class TokenStrip(SegmentedView):
    """The prompt as running text; its segments are edited by dragging, splitting and merging.

    >>> from segviz.segments import Segment
    >>> strip = TokenStrip(["Anna", " follows", " Ben"], Segmentation([Segment(0, 3, "user")]))
    >>> strip.segmentation = strip.segmentation.split(1)
    >>> [segment["name"] for segment in strip.segments]
    ['user', 'user 2']

    Args:
        tokens: decoded tokens.
        segmentation: segments that cover them.

    Raises:
        traitlets.TraitError: segments and tokens that do not fit together.
    """

    _esm = assets.script("token_strip.js")
    _css: ClassVar[Any] = assets.style("base.css", "token_strip.css")

    _needs_segments: ClassVar[bool] = True

    dragging = traitlets.Bool(
        help="True while a handle is held: edits come several times a frame until it is let go."
    ).tag(sync=True)

    def __init__(self, tokens: Sequence[str], segmentation: Segmentation, **kwargs: Any) -> None:
        super().__init__(tokens=list(tokens), segments=segment_dicts(segmentation), **kwargs)

    def png(self) -> bytes:
        """The strip as a picture."""
        from segviz.widgets.drawing.strip import strip_png  # noqa: PLC0415 - matplotlib is slow to load

        return strip_png(self.tokens, self.segments)
