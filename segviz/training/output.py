"""Output: the folder of an adapter, whole or not at all, and the checkpoints on the way to it."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE
from typing import Any

from segviz.adapter import FILE
from segviz.attaching import CONFIG
from segviz.files import whole
from segviz.training.settings import differences

_RUN = "run.json"
_FINISHED = "finished.json"
_STAGED = ".unfinished"
_LEFT_OUT = ("training_args.bin", "README.md")
"""A pickle, which nobody needs to load an adapter, and a form that is not filled in."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = ("No space left on device", "os error 28", "inline_container")


class OutputFolder:
    """Where a run writes.

    >>> import tempfile
    >>> output = OutputFolder(Path(tempfile.mkdtemp()) / "adapter")
    >>> output.checkpoints.name, output.last_checkpoint()
    ('checkpoints', None)

    While a run goes on, ``checkpoints/`` holds its checkpoints and, in ``run.json``, what it was
    started with. A checkpoint counts once it holds ``segviz.json``, which is written when all else
    is there.

    Args:
        path: the folder, which need not be there.
        overwrite: whether a finished adapter that is there may be replaced, when the new one is
            whole.

    Raises:
        FileExistsError: a finished adapter is there and may not be replaced, or checkpoints that
            somebody else wrote.
        NotADirectoryError: the path is a file.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(f"{str(path)!r} is a file; an adapter is a folder")
        if (path / CONFIG).exists() and not overwrite:
            raise FileExistsError(
                f"{str(path)!r} holds a finished adapter: give another output, or overwrite=True"
            )
        if _is_of_others(path / "checkpoints"):
            raise FileExistsError(
                f"{str(path / 'checkpoints')!r} holds what no run of segviz wrote, and checkpoints "
                "go there: give another output"
            )
        self._made = not path.exists()
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.staged = path / _STAGED

    def last_checkpoint(self) -> Path | None:
        """The latest checkpoint that is whole, of a run that is not finished."""
        if not (self.checkpoints / _RUN).is_file():
            return None
        whole_ones = [path for path in self.checkpoints.glob("checkpoint-*") if _is_whole(path)]
        return max(whole_ones, key=_step, default=None)

    def check(self, run: Mapping[str, Any]) -> None:
        """Make sure that the checkpoints there are of this run.

        Raises:
            ValueError: they are of another run; the sentence says what differs.
        """
        if self.last_checkpoint() is None:
            return
        try:
            before = json.loads((self.checkpoints / _RUN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = {}
        # As JSON has it, where a tuple is a list.
        found = differences(json.loads(json.dumps(run)), before)
        if found:
            raise ValueError(
                f"the checkpoints in {str(self.checkpoints)!r} are of another run ("
                f"{'; '.join(found)}). Give the same arguments to continue it, resume=False to "
                "start anew, or another output"
            )

    def begin(self, run: Mapping[str, Any], *, resume: bool) -> None:
        """Make the folder ready: what is half-written goes; to start anew, so do checkpoints."""
        shutil.rmtree(self.staged, ignore_errors=True)
        if not resume or self.last_checkpoint() is None:
            shutil.rmtree(self.checkpoints, ignore_errors=True)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self.drop_unfinished()
        with whole(self.checkpoints / _RUN, "the settings of a run") as unfinished:
            unfinished.write_text(json.dumps(run, indent=1), encoding="utf-8")

    def drop_unfinished(self) -> None:
        """Remove checkpoints that are not whole."""
        for path in self.checkpoints.glob("checkpoint-*"):
            if not _is_whole(path):
                shutil.rmtree(path, ignore_errors=True)

    def finish(self, *, keep_checkpoints: bool) -> None:
        """Put what is staged in its place, and remove what is not needed any more."""
        for name in _LEFT_OUT:
            (self.staged / name).unlink(missing_ok=True)
        # Without its configuration a folder is no adapter: it is the first to go, the last to come.
        (self.path / CONFIG).unlink(missing_ok=True)
        mode = S_IMODE((self.staged / CONFIG).stat().st_mode)
        for part in sorted(self.staged.iterdir(), key=lambda part: part.name == CONFIG):
            part.chmod(mode)  # weights come as files that only their owner may read
            part.replace(self.path / part.name)
        self.staged.rmdir()
        # Without it nobody goes on from the checkpoints of a run that is finished.
        (self.checkpoints / _RUN).replace(self.checkpoints / _FINISHED)
        if not keep_checkpoints:
            shutil.rmtree(self.checkpoints, ignore_errors=True)

    def abandon(self) -> None:
        """Remove what was staged, and what nothing was written to."""
        shutil.rmtree(self.staged, ignore_errors=True)
        if self.checkpoints.is_dir():
            self.drop_unfinished()
            if self.last_checkpoint() is None:
                shutil.rmtree(self.checkpoints, ignore_errors=True)
        if self._made:
            with suppress(OSError):
                self.path.rmdir()  # if it is empty

    def kept(self) -> str:
        """What there is to continue from, as a sentence."""
        last = self.last_checkpoint()
        if last is None:
            return "No checkpoint had been written"
        return f"The last checkpoint, of step {_step(last)}, is {str(last)!r}"

    @contextmanager
    def full_disk_told(self) -> Iterator[None]:
        """Say what was kept where the disk is full.

        Raises:
            OSError: with ``errno.ENOSPC``, whatever library met it.
        """
        try:
            yield
        except Exception as error:
            if not _tells_of_full_disk(error):
                raise
            shutil.rmtree(self.staged, ignore_errors=True)
            self.drop_unfinished()
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: nothing half-written is left in {str(self.path)!r}. "
                f"{self.kept()}; free some space and run the same again to continue",
            ) from error


def _is_of_others(checkpoints: Path) -> bool:
    if not checkpoints.is_dir():
        return checkpoints.exists()
    ours = any((checkpoints / name).is_file() for name in (_RUN, _FINISHED))
    return not ours and any(checkpoints.iterdir())


def _is_whole(checkpoint: Path) -> bool:
    return (checkpoint / FILE).is_file()


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _tells_of_full_disk(error: BaseException) -> bool:
    """Libraries say it in their own ways."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(words in str(error) for words in _FULL_WORDS)
