"""Files that are written whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE


@contextmanager
def whole(path: Path, what: str) -> Iterator[Path]:
    """An empty file beside ``path`` to write to; it takes its place when all went well.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "run.json"
    >>> with whole(target, "a session") as unfinished:
    ...     _ = unfinished.write_text("{}")
    >>> target.read_text(), unfinished.exists()
    ('{}', False)

    Args:
        path: where the file shall be; one that is there stays until the new one is whole.
        what: is written, for the error.

    Raises:
        FileNotFoundError: no such folder.
        IsADirectoryError: a folder of that name.
    """
    if path.is_symlink():
        # As if the file were opened: a link stays one, and what it leads to is written.
        path = path.resolve()
    if path.is_dir():
        raise IsADirectoryError(
            f"{str(path)!r} is a folder: give the name of a file to save {what} in"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {str(path.parent)!r} to save {what} in, as {path.name!r}: make it "
            "first, or give another path"
        )
    unfinished = path.with_name(f".segviz-{secrets.token_hex(8)}")
    try:
        unfinished.touch(exist_ok=False)
        # As if the file were opened and written to: whoever writes may choose another mode.
        mode = (path if path.exists() else unfinished).stat().st_mode
        yield unfinished
        unfinished.chmod(S_IMODE(mode))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
