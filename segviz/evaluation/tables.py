"""Tables for people, in percent and in percentage points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from segviz.evaluation.statistics import Difference, Interval, shown_p

MEAN = "mean"
"""What the row of the mean over tasks is called."""


def signed(interval: Interval) -> str:
    """A difference with its sign.

    >>> signed(Interval(-0.02, -0.05, 0.01))
    '−2.0 [−5.0, 1.0]'
    """
    sign = "+" if interval.value > 0 else ""
    return f"{sign}{interval}".replace("-", "−")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    r"""The lines of a table.

    >>> list(markdown(["a", "b"], [["1", "x|y"]]))
    ['| a | b |', '| --- | --- |', '| 1 | x\\|y |']
    """
    yield f"| {' | '.join(head)} |"
    yield "| --- " * len(head) + "|"
    for row in rows:
        cells = [cell.replace("|", r"\|") for cell in row]
        yield f"| {' | '.join(cells)} |"


@dataclass(frozen=True, eq=False)
class Paired:
    """The same records, answered in two ways, as :meth:`segviz.Evaluation.compare` gives them.

    >>> from segviz.evaluation.statistics import mcnemar
    >>> difference = Difference(Interval(0.5, 0.0, 1.0), 2, 0, mcnemar(2, 0), records=4)
    >>> paired = Paired("segment", "causal", {"chains": difference}, difference.difference)
    >>> print(paired.tasks["chains"].difference)  # in percentage points
    50.0 [0.0, 100.0]

    Args:
        one: what is compared, in words.
        other: with what.
        tasks: of each task the paired difference, one minus other.
        mean: of the differences over tasks.
    """

    one: str
    other: str
    tasks: Mapping[str, Difference]
    mean: Interval

    def to_markdown(self) -> str:
        """A table in percentage points.

        >>> import segviz as sv
        >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
        >>> evaluation = sv.evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
        ...                          max_new_tokens=4, progress=False)
        >>> print(evaluation.compare(evaluation, "segment", "causal").to_markdown())
        | task | records | segment − causal | only one right | p |
        | --- | --- | --- | --- | --- |
        | chains | 1 | +100.0 [100.0, 100.0] | 1 : 0 | 1 |
        """
        rows = [
            [
                name,
                str(one.records),
                signed(one.difference),
                f"{one.only_one} : {one.only_other}",
                shown_p(one.p),
            ]
            for name, one in self.tasks.items()
        ]
        if len(rows) > 1:
            rows.append([MEAN, "", signed(self.mean), "", ""])
        head = ["task", "records", f"{self.one} − {self.other}", "only one right", "p"]
        return "\n".join(markdown(head, rows))

    def __str__(self) -> str:
        return self.to_markdown()

    def _repr_markdown_(self) -> str:
        return self.to_markdown()
