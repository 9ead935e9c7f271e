"""``segviz lab``: which notebook it opens, what it tells Jupyter, and that Jupyter answers."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import unquote

import pytest

from segviz import cli, lab


@pytest.fixture
def started(monkeypatch):
    commands: list[list[str]] = []

    def run(command, check, env):
        assert not check
        assert env["OMP_WAIT_POLICY"]
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(lab.subprocess, "run", run)
    return commands


def opened(command: list[str]) -> Path:
    """The notebook that JupyterLab is told to open."""
    options = dict(part.split("=", 1) for part in command if "=" in part)
    name = options["--LabApp.default_url"].removeprefix("/lab/tree/")
    return Path(options["--ServerApp.root_dir"]) / unquote(name)


def test_it_opens_the_first_tutorial(started, capsys) -> None:
    assert cli.main(["lab"]) == 0
    [command] = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert opened(command).as_posix().endswith("notebooks/01_segment_masks.ipynb")
    assert "--ServerApp.ip=127.0.0.1" in command
    assert "--no-browser" not in command
    assert not any("token" in argument or "password" in argument for argument in command)
    assert "01_segment_masks.ipynb" in capsys.readouterr().out


def test_options(started, tmp_path, monkeypatch) -> None:
    own = tmp_path / "my notes.ipynb"
    own.write_text("{}")
    cli.main(["lab", str(own), "--no-browser", "--port", "9123"])
    cli.main(["lab", "01_segment_masks"])
    monkeypatch.chdir(tmp_path)
    cli.main(["lab", "my notes.ipynb"])
    assert opened(started[0]) == opened(started[2]) == own
    assert {"--no-browser", "--ServerApp.port=9123"} <= set(started[0])
    assert opened(started[1]).name == "01_segment_masks.ipynb"


def test_as_root_it_warns(started, monkeypatch, capsys) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    cli.main(["lab"])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    cli.main(["lab"])
    assert "--allow-root" in started[0]
    assert "--allow-root" not in started[1]
    assert capsys.readouterr().out.count("running as root") == 1


def test_errors(started, monkeypatch, capsys) -> None:
    assert cli.main(["lab", "99_nothing"]) == 2
    assert "no notebook '99_nothing'" in (message := capsys.readouterr().err)
    assert "01_segment_masks" in message
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda _name: None)
    assert cli.main(["lab"]) == 2
    assert "pip install 'segviz-attention[lab]'" in capsys.readouterr().err
    for port in ("0", "99999", "x"):
        with pytest.raises(SystemExit):
            cli.main(["lab", "--port", port])
        assert "a number from 1 to 65535" in capsys.readouterr().err
    assert not started


def test_outside_a_checkout_it_copies_and_never_overwrites(tmp_path, capsys) -> None:
    source, target = tmp_path / "installed", tmp_path / "copies"
    source.mkdir()
    (source / "01.ipynb").write_text("one")
    (source / "02.ipynb").write_text("two")
    lab.copy_notebooks(source, target)
    (target / "01.ipynb").write_text("edited by the user")
    (target / "02.ipynb").unlink()
    capsys.readouterr()
    assert lab.copy_notebooks(source, target) == target.resolve()
    assert (target / "01.ipynb").read_text() == "edited by the user"
    assert (target / "02.ipynb").read_text() == "two"
    said = capsys.readouterr().out
    assert f"keeping your {target / '01.ipynb'}" in said
    assert f"the notebooks are in {target}" in said


@pytest.mark.skipif(os.name != "posix", reason="ends JupyterLab by its process group")
def test_the_real_thing_listens_on_loopback_with_a_token(tmp_path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    notebook = tmp_path / "mine.ipynb"
    notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    kinds = ("CONFIG", "DATA", "RUNTIME")
    folders = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in kinds}
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "segviz.cli", "lab", str(notebook), "--no-browser",
             "--port", str(port)],
            stdout=log, stderr=log, env={**os.environ, **folders}, start_new_session=True,
        )  # fmt: skip
        try:
            address = wait_for_address(tmp_path / "log", port)
            with urllib.request.urlopen(address, timeout=30) as answer:
                assert answer.status == 200
            assert "/lab/tree/mine.ipynb?token=" in address
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/contents", timeout=30)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def wait_for_address(log, port: int) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = re.search(rf"http://127\.0\.0\.1:{port}/lab\S*token=\w+(?=\s)", log.read_text())
        # The address is told a moment before somebody listens there.
        with socket.socket() as caller:
            if found and caller.connect_ex(("127.0.0.1", port)) == 0:
                return found.group()
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start: {log.read_text()}")
