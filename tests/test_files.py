"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from segviz.files import whole


@pytest.fixture
def umask():
    """Another one than usual, so that a mode that is chosen by chance shows."""
    before = os.umask(0o026)
    yield 0o026
    os.umask(before)


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_no_other_file_is_touched(tmp_path) -> None:
    names = ["run.json.part", ".run.json", "run.json~", "run"]
    for name in names:
        (tmp_path / name).write_text(name)
    with whole(tmp_path / "run.json", "a run") as unfinished:
        assert unfinished.parent == tmp_path
        assert unfinished.name.startswith(".")
        unfinished.write_text("new")
        with whole(tmp_path / "run.json", "a run") as other:
            assert other != unfinished
            other.write_text("of another")
    assert (tmp_path / "run.json").read_text() == "new"
    assert all((tmp_path / name).read_text() == name for name in names)
    assert len(list(tmp_path.iterdir())) == len(names) + 1


def test_a_failure_leaves_what_was_there(tmp_path) -> None:
    with whole(tmp_path / "run.json", "a run") as unfinished:
        unfinished.write_text("old")
    failing = whole(tmp_path / "run.json", "a run")
    failing.__enter__().write_text("half")
    assert failing.__exit__(KeyError, KeyError("x"), None) is False
    assert (tmp_path / "run.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path) -> None:
    (tmp_path / "paper").mkdir()
    there, link = tmp_path / "paper" / "fig.pdf", tmp_path / "fig.pdf"
    link.symlink_to(Path("paper", "fig.pdf"))
    for text in ("new", "newer"):
        with whole(link, "a figure") as unfinished:
            unfinished.write_text(text)
        assert link.is_symlink()
        assert there.read_text() == text
    assert [path.name for path in there.parent.iterdir()] == ["fig.pdf"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_those_of_a_file_written_in_place(tmp_path, umask) -> None:
    def write(path) -> None:
        with whole(path, "a run") as unfinished:
            # As writers do that put a file of their own in its place, safetensors among them.
            unfinished.unlink()
            unfinished.write_text("x")
            unfinished.chmod(0o600)

    write(tmp_path / "new")
    assert mode(tmp_path / "new") == 0o666 & ~umask
    (tmp_path / "new").chmod(0o604)
    write(tmp_path / "new")
    assert mode(tmp_path / "new") == 0o604


def test_no_place(tmp_path) -> None:
    with pytest.raises(IsADirectoryError, match="is a folder.*to save a run in"):
        whole(tmp_path, "a run").__enter__()
    with pytest.raises(FileNotFoundError, match="no folder.*to save a run in, as 'b'"):
        whole(tmp_path / "a" / "b", "a run").__enter__()
    assert not list(tmp_path.iterdir())
