"""The live explorer: a session and its views, linked."""

from segviz.explorer.links import explorer_view
from segviz.explorer.opening import explore, open_session

__all__ = ["explore", "explorer_view", "open_session"]
