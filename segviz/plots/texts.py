"""Texts: token labels in plots, whatever the tokens are made of.

Plotly takes some HTML tags for markup, ``$…$`` for mathematics and ``%{…}`` in a template for a
variable. A token is a token: all of these are shown as they are.
"""

from __future__ import annotations

import html

from segviz.charts import Axis
from segviz.labels import is_special
from segviz.palette import DECODE

LONGEST = 32
"""Characters of a label at most; longer ones lose their middle."""


def escaped(text: str) -> str:
    r"""Text that plotly shows as it is.

    >>> escaped("<b>50 % & $x$")
    '&lt;b&gt;50 % &amp; &#36;x&#36;'
    """
    return html.escape(text, quote=False).replace("$", "&#36;")


def shortened(text: str, longest: int = LONGEST) -> str:
    """Text without its middle, where it is long.

    >>> shortened("internationalization", 11)
    'inter…ation'
    """
    if len(text) <= longest:
        return text
    front = longest // 2
    return f"{text[:front]}…{text[len(text) - (longest - 1 - front) :]}"


def token(label: str) -> str:
    """A token's label, in plotly's markup.

    >>> token(" a<b"), token("<|end|>")
    ('a&lt;b', '<span style="fill-opacity:0.8">&lt;|end|&gt;</span>')

    A space in front is left out; markers of the chat template are paler than text.
    """
    text = escaped(shortened(label.strip()))
    return _pale(text) if is_special(label) else text


def names(axis: Axis) -> dict[str, str]:
    """What stands beside each cell, and in hover text, by the cell's number.

    >>> import numpy as np
    >>> from segviz.segments import Segment, Segmentation
    >>> chat = Segmentation([Segment(0, 9, "user")])
    >>> tokens = "Ben leads Anna and she him at noon .".split()
    >>> names(Axis.of(tokens, chat, None, np.array([7, 8]), 9))["0"]
    'noon <span style="fill-opacity:0.8">(7)</span>'
    >>> names(Axis.of([], chat, None, np.arange(9), 9, factor=4))
    {'0': '0–3', '1': '4–7', '2': '8'}
    """
    if not axis.labels:
        return {str(cell): axis.name(cell) for cell in range(axis.cells)}
    labels = {}
    for cell, label in enumerate(axis.labels):
        at = _pale(f"({axis.starts[cell]})")
        if cell in axis.marked:
            labels[str(cell)] = f'<b style="color:{DECODE}">{token(label)}</b> {at}'
        else:
            labels[str(cell)] = f"{token(label)} {at}"
    return labels


def title_of(axis: Axis, what: str, *, first_hidden: bool = False) -> str:
    """The name of an axis, with what its cells stand for where that is not a token.

    >>> import numpy as np
    >>> from segviz.segments import Segment, Segmentation
    >>> axis = Axis.of([], Segmentation([Segment(0, 9, "user")]), None, np.arange(9), 9, factor=4)
    >>> title_of(axis, "key", first_hidden=True)
    'key, 4 tokens a cell (first token hidden)'
    """
    parts = [what]
    if axis.pooled:
        parts.append(f", {axis.pooled} a cell")
    if first_hidden:
        parts.append(" (first token hidden)")
    return "".join(parts)


def _pale(text: str) -> str:
    return f'<span style="fill-opacity:0.8">{text}</span>'
