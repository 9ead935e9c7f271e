"""Sessions: a prompt under both masks, kept up to date while it is edited and looked at."""

from segviz.session.session import Session

__all__ = ["Session"]
