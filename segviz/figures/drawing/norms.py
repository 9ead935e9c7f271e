"""Norms: for matplotlib, the share of the colours that a number gets."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import Colormap, Normalize

from segviz.figures.drawing.colors import colormap
from segviz.palette import COLORMAPS, Kind
from segviz.scales import Scale, magnitudes, shares, values_at

_PAIR = 2


class ShareNorm(Normalize):
    """The scales of :mod:`segviz.scales` as a matplotlib norm.

    >>> norm = ShareNorm(1.0, "sqrt")
    >>> norm([0.0, 0.25, 1.0]).tolist(), float(norm.inverse(0.5))
    ([0.0, 0.5, 1.0], 0.25)
    >>> ShareNorm(1.0, "linear", "diverging")([-1.0, 0.0, 0.5]).tolist()
    [0.0, 0.5, 0.75]

    Args:
        limit: where the colours end.
        scale: how a number becomes a share of them.
        kind: ``"sequential"``, or ``"diverging"``: from minus the limit, 0 in the middle.
    """

    def __init__(self, limit: float, scale: Scale, kind: Kind = "sequential") -> None:
        super().__init__(-limit if kind == "diverging" else 0.0, limit, clip=True)
        self.limit = limit
        self.scale_name: Scale = scale
        self.kind: Kind = kind

    def __call__(self, value: Any, clip: bool | None = None) -> Any:  # noqa: ARG002 (as in matplotlib)
        """The share of the colours; what is masked stays so. Numbers beyond are clipped."""
        values = np.ma.masked_invalid(np.ma.asarray(value, dtype=np.float32))
        known = values.filled(0)
        share = shares(magnitudes(known, self.kind), self.limit, self.scale_name)
        if self.kind == "diverging":
            share = (1 + np.copysign(share, known)) / 2
        found = np.ma.array(share, mask=np.ma.getmaskarray(values))
        return found if np.ndim(value) else found[()]

    def inverse(self, value: Any) -> Any:
        """The number that has a share."""
        share = np.asarray(value, dtype=np.float64)
        if self.kind == "sequential":
            return values_at(share, self.limit, self.scale_name)
        signed = 2 * share - 1
        size = values_at(np.abs(signed), self.limit, self.scale_name)
        return np.where(signed == 0, 0.0, np.copysign(size, signed))


def colormaps(given: Any) -> dict[Kind, Colormap]:
    """The colormaps for both kinds of numbers.

    >>> both = colormaps(("Greys", None))
    >>> both["sequential"].name, both["diverging"].name
    ('Greys', 'PuOr_r')

    Args:
        given: the user's colormap or its name, for attention; or a pair, for attention and for
            differences. None, also in a pair: the usual one.

    Raises:
        ValueError: there is no colormap of that name, or another number of them than two.
        TypeError: something else.
    """
    pair = given if isinstance(given, tuple | list) else (given, None)
    if len(pair) != _PAIR:
        raise ValueError(
            f"colors={given!r}; it is one colormap, or two, for attention and for differences"
        )
    first, second = (
        colormap(usual if one is None else one)
        for one, usual in zip(pair, COLORMAPS.values(), strict=True)
    )
    return {"sequential": first, "diverging": second}
