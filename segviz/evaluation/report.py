"""The outcome of an evaluation: right and wrong answers, compared, as tables and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segviz.evaluation.outcomes import TaskOutcome
from segviz.evaluation.statistics import Interval, mean_interval, paired, shown_p
from segviz.evaluation.tables import MEAN, Paired, markdown, signed
from segviz.files import whole
from segviz.trace import MaskKind

FILE = "evaluation.json"


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What :func:`segviz.evaluate` found; in a notebook it shows itself as a table.

    >>> from segviz.evaluation.outcomes import Outcome
    >>> right = np.array([True, True, False, True])
    >>> outcomes = {"causal": {"generation": Outcome(("a", "b", "b", "a"), right)}}
    >>> task = TaskOutcome("hash", (0, 1, 2, 3), 0, ("a", "b", "a", "a"), outcomes)
    >>> evaluation = Evaluation("tiny", None, None, ("causal",), ("generation",), {"chains": task})
    >>> evaluation.accuracy("chains", "causal").value
    0.75
    >>> evaluation
    <Evaluation of tiny: chains; causal mask>
    >>> print(evaluation.to_markdown().splitlines()[2])
    | chains | generation | 4 | 75.0 [25.0, 100.0] |

    Args:
        model: its name.
        adapter: the adapter's name or folder.
        default_mask: the mask the weights were tuned for, None if unknown.
        masks: that were compared.
        methods: how answers were had.
        tasks: by name.
        settings: what else the answers depend on.
        notes: what a reader has to know, in sentences.
        confidence: of the intervals.
        seed: of their resamples.
    """

    model: str
    adapter: str | None
    default_mask: MaskKind | None
    masks: tuple[MaskKind, ...]
    methods: tuple[str, ...]
    tasks: Mapping[str, TaskOutcome]
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    confidence: float = 0.95
    seed: int = 0

    def __repr__(self) -> str:
        masks = " and ".join(self.masks)
        return f"<Evaluation of {self.model}: {', '.join(self.tasks)}; {masks} mask>"

    def accuracy(self, task: str, mask: MaskKind, method: str = "generation") -> Interval:
        """Share of right answers in a task, with its interval.

        >>> import segviz as sv
        >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
        >>> evaluation = sv.evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
        ...                          max_new_tokens=4, progress=False)
        >>> print(evaluation.accuracy("chains", "segment"))  # in percent
        100.0 [100.0, 100.0]

        Args:
            task: its name.
            mask: under which it was answered.
            method: by which.

        Returns:
            :class:`segviz.evaluation.statistics.Interval`: shares, 0 to 1, with a percentile
            bootstrap interval over the records (Efron, *Bootstrap Methods: Another Look at the
            Jackknife*, 1979).

        Raises:
            ValueError: a task, mask or method that was not evaluated.
        """
        return self._interval([self._right(task, mask, method)])

    def mean(self, mask: MaskKind, method: str = "generation") -> Interval:
        """Mean accuracy over the tasks that have the method; records are resampled within tasks.

        >>> import segviz as sv
        >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
        >>> evaluation = sv.evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
        ...                          max_new_tokens=4, progress=False)
        >>> evaluation.mean("segment").value
        1.0

        Every task counts the same, however many records it has.

        Args:
            mask: under which they were answered.
            method: by which.

        Returns:
            as in :meth:`accuracy`.

        Raises:
            ValueError: a mask or method that was not evaluated, or that no task has.
        """
        names = self._having_any(method)
        return self._interval([self._right(task, mask, method) for task in names])

    def untuned(self, mask: MaskKind) -> bool:
        """Whether the weights were tuned for the other mask, or for none and this is no causal one.

        >>> import segviz as sv
        >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
        >>> evaluation = sv.evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
        ...                          max_new_tokens=4, progress=False)
        >>> evaluation.untuned("causal"), evaluation.untuned("segment")
        (True, False)

        The causal mask is the one that weights are pretrained under.
        """
        return mask != (self.default_mask or "causal")

    def compare(
        self,
        other: Evaluation,
        mask: MaskKind,
        other_mask: MaskKind | None = None,
        method: str = "generation",
    ) -> Paired:
        """Paired differences to another evaluation of the same records, this one minus the other.

        >>> import segviz as sv
        >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
        >>> evaluation = sv.evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
        ...                          max_new_tokens=4, progress=False)
        >>> paired = evaluation.compare(evaluation, "segment", "causal")
        >>> paired.tasks["chains"].difference.value
        1.0

        Args:
            other: of another model, or this one, to compare two masks.
            mask: of this evaluation.
            other_mask: of the other; by default the same.
            method: of both.

        Returns:
            :class:`segviz.evaluation.Paired`: of each task the difference of shares, -1 to 1, with
            its bootstrap interval, and the p-value of the exact McNemar test (*Psychometrika* 12,
            1947). Records that one side left out do not count.

        Raises:
            ValueError: no task in common, a task that was evaluated on other records, or a mask
                or a method that was not evaluated, or that no task has.
        """
        other_mask = other_mask or mask
        names = [name for name in self._having_any(method) if name in other.tasks]
        if not names:
            raise ValueError(
                f"the evaluations have no task in common: {', '.join(self.tasks)} here, "
                f"{', '.join(other.tasks)} there"
            )
        pairs = {name: self._pair(other, name, (mask, other_mask), method) for name in names}
        differences = [one.astype(int) - another for one, another in pairs.values()]
        return Paired(
            one=self._called(mask, beside=other),
            other=other._called(other_mask, beside=self),
            tasks={
                name: paired(*pair, confidence=self.confidence, seed=self.seed)
                for name, pair in pairs.items()
            },
            mean=self._interval(differences),
        )

    def table(self) -> list[dict[str, Any]]:
        """The numbers, a mapping for each task and method; ``pandas.DataFrame`` takes the list.

        >>> import segviz as sv
        >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
        >>> evaluation = sv.evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
        ...                          max_new_tokens=4, progress=False)
        >>> row = evaluation.table()[0]
        >>> row["task"], row["records"], row["segment"], row["difference"]
        ('chains', 1, 1.0, 1.0)

        Shares are 0 to 1. Where both masks were run, ``difference`` is segment minus causal and
        ``p`` that of the exact McNemar test.
        """
        return [row for method in self.methods for row in self._rows(method)]

    def to_markdown(self) -> str:
        """The table for people, in percent, and the notes below it.

        >>> import segviz as sv
        >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
        >>> evaluation = sv.evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
        ...                          max_new_tokens=4, progress=False)
        >>> print(evaluation.to_markdown().splitlines()[0])
        | task | method | records | causal (untuned) | segment | segment − causal | p |
        """
        marks = {mask: f"{mask} (untuned)" if self.untuned(mask) else mask for mask in self.masks}
        both = len(self.masks) > 1
        head = ["task", "method", "records", *marks.values()]
        head += ["segment − causal", "p"] if both else []
        rows = []
        for row in self.table():
            shares = [str(_interval_of(row, mask)) for mask in self.masks]
            change = [signed(_interval_of(row, "difference")), ""] if both else []
            if both and row["p"] is not None:
                change[1] = shown_p(row["p"])
            rows.append([row["task"], row["method"], str(row["records"]), *shares, *change])
        return "\n".join([*markdown(head, rows), "", *self._notes()])

    def __str__(self) -> str:
        return self.to_markdown()

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def to_json(self) -> str:
        """Everything, as JSON; :meth:`load` reads it from a file.

        >>> import segviz as sv
        >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
        >>> evaluation = sv.evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
        ...                          max_new_tokens=4, progress=False)
        >>> json.loads(evaluation.to_json())["masks"]
        ['causal', 'segment']
        """
        data = {name: getattr(self, name) for name in _FIELDS}
        data["tasks"] = {name: task.to_dict() for name, task in self.tasks.items()}
        data["table"] = self.table()
        return json.dumps(data, ensure_ascii=False)

    def save(self, path: str | Path) -> None:
        """Write :meth:`to_json` to a file, whole or not at all.

        >>> import tempfile
        >>> import segviz as sv
        >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
        >>> evaluation = sv.evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
        ...                          max_new_tokens=4, progress=False)
        >>> evaluation.save(Path(tempfile.mkdtemp()) / "chains.json")

        Raises:
            FileNotFoundError: no such folder.
            IsADirectoryError: a folder of that name.
        """
        with whole(Path(path), "an evaluation") as unfinished:
            unfinished.write_bytes(self.to_json().encode("utf-8", "surrogatepass"))

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read what :meth:`save` wrote, or what is in the ``output`` folder of an evaluation.

        >>> import tempfile
        >>> import segviz as sv
        >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
        >>> evaluation = sv.evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
        ...                          max_new_tokens=4, progress=False)
        >>> path = Path(tempfile.mkdtemp()) / "chains.json"
        >>> evaluation.save(path)
        >>> sv.Evaluation.load(path).table() == evaluation.table()
        True

        Raises:
            FileNotFoundError: no such file.
            ValueError: a file of another kind.
        """
        path = Path(path)
        path = path / FILE if path.is_dir() else path
        try:
            data = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
            fields = {name: data[name] for name in _FIELDS}
            tasks = {name: TaskOutcome.from_dict(task) for name, task in data["tasks"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{str(path)!r} is no evaluation ({type(error).__name__}: {error}); give a file "
                "that evaluation.save wrote"
            ) from error
        for name in ("masks", "methods", "notes"):
            fields[name] = tuple(fields[name])
        return cls(**fields, tasks=tasks)

    def _rows(self, method: str) -> Iterator[dict[str, Any]]:
        names = self._having(method)
        both = len(self.masks) > 1
        changes = self.compare(self, "segment", "causal", method) if both and names else None
        for name in names:
            row = {"task": name, "method": method, "records": len(self.tasks[name].numbers)}
            for mask in self.masks:
                row |= _named(mask, self.accuracy(name, mask, method))
            if changes is not None:
                change = changes.tasks[name]
                row |= _named("difference", change.difference) | {"p": change.p}
            yield row
        if len(names) > 1:
            total = sum(len(self.tasks[name].numbers) for name in names)
            row = {"task": MEAN, "method": method, "records": total}
            for mask in self.masks:
                row |= _named(mask, self.mean(mask, method))
            if changes is not None:
                row |= _named("difference", changes.mean) | {"p": None}
            yield row

    def _notes(self) -> Iterator[str]:
        adapter = f", adapter {Path(self.adapter).name}" if self.adapter else ""
        test = "; p: exact McNemar test" if len(self.masks) > 1 else ""
        yield (
            f"{self.model}{adapter}. Right answers in percent, with {100 * self.confidence:g} % "
            f"bootstrap intervals{test}."
        )
        for mask in self.masks:
            if self.untuned(mask):
                own = self.default_mask
                yield (
                    f"\n{mask} mask: untuned. These weights were "
                    f"{f'tuned for the {own} mask' if own else 'never tuned for it'}, so what they "
                    "do under it is off their training distribution."
                )
        yield from (f"\n{note}" for note in self.notes)

    def _interval(self, samples: Sequence[np.ndarray]) -> Interval:
        return mean_interval(samples, confidence=self.confidence, seed=self.seed)

    def _having(self, method: str) -> list[str]:
        """The tasks that were answered by a method."""
        _check(method, self.methods, "method")
        return [n for n, task in self.tasks.items() if method in task.outcomes[self.masks[0]]]

    def _having_any(self, method: str) -> list[str]:
        """The same; at least one."""
        names = self._having(method)
        if not names:
            there = [repr(one) for one in self.methods if self._having(one)]
            raise ValueError(
                f"no task was answered by {method!r}, which needs records with 'choices'; "
                f"there is {', '.join(there) or 'no other method'}"
            )
        return names

    def _right(self, task: str, mask: MaskKind, method: str) -> np.ndarray:
        _check(task, tuple(self.tasks), "task")
        _check(mask, self.masks, "mask")
        _check(method, tuple(self.tasks[task].outcomes[mask]), f"method of {task!r}")
        return self.tasks[task].outcomes[mask][method].right

    def _pair(
        self, other: Evaluation, name: str, masks: tuple[MaskKind, MaskKind], method: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Right and wrong of the records that both answered."""
        mine, theirs = self.tasks[name], other.tasks[name]
        if mine.data_hash != theirs.data_hash:
            raise ValueError(
                f"the evaluations answered other records of {name!r}: a paired difference needs "
                "the same; evaluate both on one source, with the same limit"
            )
        _, here, there = np.intersect1d(mine.numbers, theirs.numbers, return_indices=True)
        right = other._right(name, masks[1], method)
        return self._right(name, masks[0], method)[here], right[there]

    def _called(self, mask: MaskKind, beside: Evaluation) -> str:
        """A side of a comparison, in words."""
        if self is beside:
            return mask
        # A folder's last name tells it apart, where the whole path would fill the table.
        adapter = f" ({Path(self.adapter).name})" if self.adapter else ""
        return f"{self.model}{adapter} under {mask}"


_FIELDS = (
    *("model", "adapter", "default_mask", "masks", "methods", "settings", "notes"),
    *("confidence", "seed"),
)


def _check(given: str, allowed: Sequence[str], what: str) -> None:
    if given not in allowed:
        raise ValueError(
            f"{what} {given!r} was not evaluated; "
            f"there is {', '.join(map(repr, allowed)) or 'none'}"
        )


def _named(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name} low": interval.low, f"{name} high": interval.high}


def _interval_of(row: Mapping[str, Any], name: str) -> Interval:
    return Interval(row[name], row[f"{name} low"], row[f"{name} high"])
