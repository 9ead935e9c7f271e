"""The token strip: the prompt's tokens, coloured by segment, with movable boundaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from segviz.segments import Segmentation
from segviz.widgets import assets
from segviz.widgets.segmented import SegmentedView, segment_dicts

if TYPE_CHECKING:
    from segviz.trace import Trace


RESET = "segment"
"""The preset that the reset button restores: the segments of the chat template."""


class TokenStrip(SegmentedView):
    """The prompt as running text; its segments are edited there, with undo and redo.

    >>> from segviz.segments import Segment
    >>> strip = TokenStrip(["Anna", " follows", " Ben"], Segmentation([Segment(0, 3, "user")]))
    >>> strip.segmentation = strip.segmentation.split(1)
    >>> [segment["name"] for segment in strip.segments]
    ['user', 'user 2']

    In the page: drag a handle, click a token to split, double-click a handle to merge, click a
    name for another attention kind, double-click it to rename; ``?`` lists the keys.

    Args:
        tokens: decoded tokens.
        segmentation: segments that cover them.

    Raises:
        traitlets.TraitError: segments and tokens that do not fit together.
    """

    _esm = assets.script("token_strip.js")
    _css: ClassVar[Any] = assets.style("base.css", "controls.css", "token_strip.css")

    _needs_segments: ClassVar[bool] = True

    dragging = traitlets.Bool(
        help="True while a handle is held: edits come several times a frame until it is let go."
    ).tag(sync=True)

    presets = traitlets.List(
        traitlets.Dict(),
        help="Segments to choose from: dicts with name, title and segments. The one named "
        "'segment' is what the reset button restores. Those that do not cover the tokens are "
        "not offered.",
    ).tag(sync=True)

    def __init__(self, tokens: Sequence[str], segmentation: Segmentation, **kwargs: Any) -> None:
        super().__init__(tokens=list(tokens), segments=segment_dicts(segmentation), **kwargs)

    @classmethod
    def of(cls, trace: Trace) -> TokenStrip:
        """The strip of a trace, the answer included; no model is needed.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
        >>> [segment["name"] for segment in TokenStrip.of(trace).segments]
        ['bos', 'system', 'user', 'assistant', 'response']

        Edits change the strip, not the trace; its reset button goes back to the trace's segments.

        Args:
            trace: a :class:`segviz.Trace`.
        """
        segments = segment_dicts(trace.segmentation)
        preset = {"name": RESET, "title": "the segments of the run", "segments": segments}
        return cls(trace.tokens, trace.segmentation, presets=[preset])

    @traitlets.validate("presets")
    def _valid_presets(self, proposal: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [_preset(given) for given in proposal["value"]]

    def png(self) -> bytes:
        """The strip as a picture, a PNG file.

        >>> from segviz.segments import Segment
        >>> TokenStrip(["Hi", "!"], Segmentation([Segment(0, 2, "user")])).png()[1:4]
        b'PNG'
        """
        from segviz.widgets.drawing.strip import strip_png  # noqa: PLC0415 - matplotlib is slow to load

        return strip_png(self.tokens, self.segments)


def _preset(given: Mapping[str, Any]) -> dict[str, Any]:
    if not {"name", "segments"} <= given.keys() <= {"name", "title", "segments"}:
        raise traitlets.TraitError(
            'presets: each is a dict with "name", "segments" and, if wanted, "title"; '
            f"one has {', '.join(map(repr, given)) or 'nothing'}"
        )
    try:
        segments = segment_dicts(Segmentation.from_dict({"segments": given["segments"]}))
    except (TypeError, ValueError) as error:
        raise traitlets.TraitError(f"presets: {given['name']!r}: {error}") from error
    name = str(given["name"])
    return {"name": name, "title": str(given.get("title") or name), "segments": segments}
