"""Names of segments: where they go along a side."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from segviz.figures.drawing.brackets import place
from segviz.figures.drawing.points import Ruler

RULER = Ruler()
SIZE = 7.0


def random_spans(rng: random.Random) -> list[tuple[float, float]]:
    count = rng.randint(1, 30)
    lengths = [rng.choice([0.3, 4, 20, 60]) * rng.uniform(0.5, 2) for _ in range(count)]
    edges = [sum(lengths[:number]) for number in range(count + 1)]
    return list(pairwise(edges))


@pytest.mark.parametrize("seed", range(60))
def test_names_of_a_level_never_touch_and_stay_in_their_room(seed) -> None:
    rng = random.Random(seed)
    spans = random_spans(rng)
    choice = ["bos", "system", "user", "a document with a long name", "response"]
    names = [rng.choice(choice) for _ in spans]
    room = (-rng.uniform(0, 40), spans[-1][1] + rng.uniform(0, 40))
    placed = place(spans, names, RULER, SIZE, room)
    assert len({name.span for name in placed}) == len(placed)
    for level in (0, 1):
        boxes = sorted(
            (name.middle - RULER.width(name.text, SIZE) / 2,
             name.middle + RULER.width(name.text, SIZE) / 2)
            for name in placed if name.level == level
        )  # fmt: skip
        assert all(a[1] < b[0] for a, b in pairwise(boxes))
        assert all(room[0] <= a and b <= room[1] for a, b in boxes)
    for name in placed:
        start, stop = spans[name.span]
        half = RULER.width(name.text, SIZE) / 2
        inner = (name.span > 0, name.span < len(spans) - 1)
        if name.level == 0:
            # Leaders of the second level pass between these, so none may reach into its neighbour.
            assert not inner[0] or name.middle - half >= start
            assert not inner[1] or name.middle + half <= stop


def test_a_name_that_fits_is_whole_and_at_its_bracket() -> None:
    (name,) = place([(0, 100)], ["system"], RULER, SIZE, (0, 100))
    assert (name.text, name.middle, name.level) == ("system", 50, 0)


def test_at_the_ends_a_name_reaches_beyond_its_short_bracket() -> None:
    spans = [(0.0, 3.0), (3.0, 90.0), (90.0, 93.0)]
    first, _, last = sorted(place(spans, ["bos", "user", "reply"], RULER, SIZE, (-30, 130)),
                            key=lambda name: name.span)  # fmt: skip
    assert first.level == last.level == 0
    assert first.middle + RULER.width("bos", SIZE) / 2 <= 3
    assert last.middle - RULER.width("reply", SIZE) / 2 >= 90


def test_without_room_on_the_second_level_names_are_shortened_and_the_shortest_left_out() -> None:
    spans = [(5.0 * number, 5.0 * number + 5) for number in range(30)]
    placed = place(spans, [f"segment {number}" for number in range(30)], RULER, SIZE, (0, 150))
    assert 3 <= len(placed) < 30
    assert all("…" in name.text for name in placed if name.level == 1)
    unequal = [(0, 1), (1, 2), (2, 3), (3, 11), (11, 12), (12, 13)]
    texts = ["aaaaaaaa"] * 6
    kept = {name.span for name in place(unequal, texts, RULER, SIZE, (-5, 27))}
    assert kept == {3}
