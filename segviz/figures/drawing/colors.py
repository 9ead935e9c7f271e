"""Colors: how the numbers of a figure become colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Colormap

from segviz.palette import COLORMAPS, Kind
from segviz.scales import Scale, magnitudes, shares


@dataclass(frozen=True, slots=True)
class Colors:
    """How numbers become colours.

    >>> colors = Colors.of(None, "sequential", "sqrt", 1.0)
    >>> colors.places(np.array([0.0, 0.25])).tolist()
    [0.0, 0.5]

    Args:
        map: the colormap.
        kind: ``"sequential"`` or ``"diverging"``.
        scale: how a number becomes a share of the colours.
        limit: where they end.
        clipped: whether numbers beyond the limit are shown.
    """

    map: Colormap
    kind: Kind
    scale: Scale
    limit: float
    clipped: bool = False

    @staticmethod
    def of(
        given: Any,
        kind: Kind,
        scale: Scale,
        limit: float,
        *,
        clipped: bool = False,
        usual: str | None = None,
    ) -> Colors:
        """The colours of a figure.

        Args:
            given: the user's colormap, or its name; None: the usual one.
            kind: as above.
            scale: as above.
            limit: as above.
            clipped: as above.
            usual: name of the usual one, where it is not that of :mod:`segviz.palette`.

        Raises:
            ValueError: there is no colormap of that name.
        """
        return Colors(colormap(given or usual or COLORMAPS[kind]), kind, scale, limit, clipped)

    def places(self, values: np.ndarray) -> np.ndarray:
        """Where numbers are on the bar: 0 to 1, from -1 where they have a sign."""
        place = shares(magnitudes(values, self.kind), self.limit, self.scale)
        return np.copysign(place, values) if self.kind == "diverging" else place

    def __call__(self, values: Any) -> np.ndarray:
        """The colours of numbers, float ``[..., 4]``."""
        return self.map(self._share(self.places(np.asarray(values, dtype=np.float32))))

    @property
    def range(self) -> dict[str, Any]:
        """For matplotlib's images, whose numbers are :meth:`places`."""
        least = -1.0 if self.kind == "diverging" else 0.0
        return {"cmap": self.map, "vmin": least, "vmax": 1.0}

    def _share(self, places: np.ndarray) -> np.ndarray:
        return (places + 1) / 2 if self.kind == "diverging" else places


def colormap(given: Any) -> Colormap:
    """A colormap by its name, or one that is given.

    >>> colormap("viridis").name
    'viridis'
    """
    if isinstance(given, Colormap):
        return given
    if isinstance(given, str):
        if given in mpl.colormaps:
            return mpl.colormaps[given]
        raise ValueError(
            f"colors={given!r}: matplotlib has no colormap of that name; it has 'viridis', "
            f"'cividis', 'Greys', 'PuOr_r' and {len(mpl.colormaps) - 4} more"
        )
    raise TypeError(f"colors={given!r}; it is a colormap of matplotlib, or its name")
