"""The journal: answers are written down as they come, so that a run that was ended goes on.

A folder holds ``settings.json``, what the answers depend on, and ``answers.jsonl``, one line for
each record and mask.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from segviz.evaluation.running import Answered
from segviz.files import whole

SETTINGS = "settings.json"
ANSWERS = "answers.jsonl"

Key = tuple[str, str, int]
"""Task, mask, and number of the record."""


class Journal:
    """Answers in a folder.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> Journal(folder, {"scheme": "chat"}).add([(("chains", "causal", 0), Answered("Ben"))])
    >>> Journal(folder, {"scheme": "chat"}).done
    {('chains', 'causal', 0): Answered(text='Ben', log_probabilities=())}

    Args:
        folder: made if there is none. A last line that was cut off when a run was ended is dropped.
        settings: what answers depend on, as JSON holds it.

    Raises:
        FileExistsError: a folder with answers that were given under other settings, or with other
            files and none.
        ValueError: a file that is broken.
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any]) -> None:
        self._folder = Path(folder).expanduser()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._answers = self._folder / ANSWERS
        self._check(json.loads(json.dumps(settings)))
        self.done: dict[Key, Answered] = self._read()

    def add(self, answers: Iterable[tuple[Key, Answered]]) -> None:
        """Write down answers, and keep them in ``done``."""
        lines = []
        for key, answered in answers:
            self.done[key] = answered
            task, mask, number = key
            entry = {"task": task, "mask": mask, "record": number, "text": answered.text}
            entry |= {"log_probabilities": list(answered.log_probabilities)}
            lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
        with self._answers.open("ab") as file:
            file.write("".join(lines).encode("utf-8", "surrogatepass"))

    def _check(self, settings: Mapping[str, Any]) -> None:
        path = self._folder / SETTINGS
        if not path.is_file():
            if others := sorted(one.name for one in self._folder.iterdir()):
                raise FileExistsError(
                    f"the folder {str(self._folder)!r} holds {', '.join(others[:3])} and no "
                    "evaluation; give a folder of its own as output"
                )
            with whole(path, "an evaluation's settings") as unfinished:
                unfinished.write_text(json.dumps(settings, indent=1), encoding="utf-8")
            return
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{str(path)!r} is broken ({error}); delete its folder") from error
        different = [
            name for name in {**before, **settings} if before.get(name) != settings.get(name)
        ]
        if different:
            raise FileExistsError(
                f"the folder {str(self._folder)!r} holds an evaluation that differs in "
                f"{', '.join(different)}; give another folder as output, or delete this one"
            )

    def _read(self) -> dict[Key, Answered]:
        if not self._answers.is_file():
            return {}
        data = self._answers.read_bytes()
        complete = data[: data.rfind(b"\n") + 1]
        if len(complete) < len(data):
            with self._answers.open("r+b") as file:
                file.truncate(len(complete))
        done = {}
        for number, line in enumerate(complete.decode("utf-8", "surrogatepass").split("\n")[:-1]):
            try:
                entry = json.loads(line)
                key = (entry["task"], entry["mask"], entry["record"])
                scores = tuple(entry["log_probabilities"])
                done[key] = Answered(entry["text"], scores)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"line {number + 1} of {str(self._answers)!r} is broken ({error}); delete the "
                    "line, and its record is answered anew"
                ) from error
        return done
