"""Two objects that share a trait."""

from __future__ import annotations

import threading

import pytest
import traitlets

from segviz.explorer.linking import link_traits


class Wide(traitlets.HasTraits):
    number = traitlets.Int(3)


class Narrow(traitlets.HasTraits):
    number = traitlets.Int(0, max=9)


def linked() -> tuple[Wide, Narrow]:
    pair = Wide(), Narrow()
    link_traits(*pair, "number", threading.RLock())
    return pair


def test_both_ways() -> None:
    wide, narrow = linked()
    assert narrow.number == 3
    wide.number = 5
    assert narrow.number == 5
    narrow.number = 7
    assert wide.number == 7


def test_what_one_refuses_neither_keeps() -> None:
    wide, narrow = linked()
    with pytest.raises(traitlets.TraitError):
        wide.number = 12
    assert (wide.number, narrow.number) == (3, 3)
    wide.number = 8
    assert narrow.number == 8


def test_writes_from_many_threads_leave_both_the_same() -> None:
    """With ``traitlets.link`` the sides raise "Broken link" here, and can stay different."""
    wide, narrow = linked()
    errors = []

    def write(target: traitlets.HasTraits, numbers: range) -> None:
        try:
            for number in numbers:
                target.number = number % 10
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    for _ in range(20):
        threads = [
            threading.Thread(target=write, args=(wide, range(150))),
            threading.Thread(target=write, args=(narrow, range(7, 157))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wide.number == narrow.number
    assert not errors
