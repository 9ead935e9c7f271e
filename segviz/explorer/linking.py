"""Linking: two objects that share a trait, whichever of them and whichever thread changes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import traitlets


def link_traits(
    first: traitlets.HasTraits, second: traitlets.HasTraits, name: str, lock: threading.RLock
) -> Callable[[], None]:
    """Keep a trait of two objects the same; at first ``second`` takes the value of ``first``.

    >>> class One(traitlets.HasTraits):
    ...     layer = traitlets.Int(3)
    >>> a, b = One(), One(layer=1)
    >>> unlink = link_traits(a, b, "layer", threading.RLock())
    >>> b.layer
    3
    >>> b.layer = 2
    >>> a.layer
    2

    Unlike ``traitlets.link`` it takes writes from several threads: they meet at the lock, each
    passes on what the trait is then, and the last one holds. A value that the other object
    refuses is an error of the one who wrote it, and the trait falls back.

    Args:
        first: gives the first value.
        second: takes it.
        name: of the trait.
        lock: held while a value is passed on.

    Returns:
        what ends the link.
    """
    setattr(second, name, getattr(first, name))
    observers = [
        (source, _passing_on(source, target, name, lock))
        for source, target in ((first, second), (second, first))
    ]
    for source, observer in observers:
        source.observe(observer, name)

    def unlink() -> None:
        for source, observer in observers:
            source.unobserve(observer, name)

    return unlink


def _passing_on(
    source: traitlets.HasTraits, target: traitlets.HasTraits, name: str, lock: threading.RLock
) -> Callable[[object], None]:
    def pass_on(_change: object) -> None:
        with lock:
            value = getattr(source, name)
            if getattr(target, name) == value:
                return
            try:
                setattr(target, name, value)
            except Exception:
                with suppress(Exception):
                    setattr(source, name, getattr(target, name))
                raise

    return pass_on
