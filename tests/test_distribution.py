"""What is distributed: the wheel, the sdist, their metadata, and how it is to be installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import segviz as sv

ROOT = Path(__file__).parents[1]
LIMIT = 3_000_000  # bytes of an embedded model
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = PROJECT["name"]
EXTRAS = PROJECT["optional-dependencies"]
# Where a user reads how to install something.
TOLD = [
    *sorted((ROOT / "segviz").rglob("*.py")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
    *sorted((ROOT / "tests").rglob("*.py")),
    *sorted(ROOT.glob("*.md")),
]


def build(tree: Path, target: str, output: Path) -> Path:
    """The one file that hatchling builds of a tree."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(output)]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)
    [built] = output.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder with what the wheel holds."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The tree in the sdist."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))) as archive:
        archive.extractall(folder, filter="data")
    [tree] = folder.iterdir()
    return tree


def files(folder: Path, *parts: str) -> set[str]:
    """The files in these parts of a folder, but for what running Python leaves there."""
    found = (path for part in parts for path in (folder / part).rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix()
        for path in found
        if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    }


def test_what_the_wheel_holds(installed) -> None:
    notebooks = {f"segviz/{name}" for name in files(ROOT, "notebooks")}
    held = files(installed, ".")
    assert {name for name in held if ".dist-info/" not in name} == files(ROOT, "segviz") | notebooks
    model = installed / "segviz" / "tiny" / "weights" / "tiny-llama"
    assert 0 < sum(p.stat().st_size for p in model.rglob("*") if p.is_file()) < LIMIT


def test_it_runs_elsewhere(installed, tmp_path) -> None:
    code = """
import segviz as sv
from segviz.lab import find_notebook
trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
print(sv.__file__, trace.generated_text, find_notebook(None), sep="\\n")"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    *_, file, answer, notebook = done.stdout.splitlines()
    assert Path(file).is_relative_to(installed)
    assert answer == " Lena"
    assert Path(notebook) == tmp_path / "segviz-notebooks" / "01_segment_masks.ipynb"
    assert Path(notebook).is_file()


def test_the_sdist_holds_what_its_tests_read(unpacked) -> None:
    parts = ("segviz", "notebooks", "tests", "assets", ".github")
    assert files(unpacked, *parts) == files(ROOT, *parts)
    held = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*")}
    alone = [".ci/run", ".ci/lower-bounds", ".pre-commit-config.yaml", "CITATION.cff"]
    assert {*alone, "LICENSE", "constraints.txt", "pyproject.toml"} <= held
    assert {path.name for path in ROOT.glob("*.md")} <= held
    assert not [name for name in held if "node_modules" in name or name.startswith(".venv")]


def test_the_sdist_builds_the_same_wheel(wheel, unpacked, tmp_path) -> None:
    def contents(path: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    own, again = contents(wheel), contents(build(unpacked, "wheel", tmp_path / "again"))
    assert own.keys() == again.keys()
    assert not [name for name, content in own.items() if again[name] != content]


@pytest.fixture(scope="module")
def metadata(installed) -> Metadata:
    """What a package index is told, found valid by its own rules."""
    [info] = installed.glob("*.dist-info")
    return Metadata.from_email((info / "METADATA").read_bytes(), validate=True)


def test_metadata(metadata, installed) -> None:
    assert metadata.name == NAME
    assert str(metadata.version) == sv.__version__
    assert set(metadata.provides_extra or ()) == set(EXTRAS)
    [info] = installed.glob("*.dist-info")
    assert all((info / "licenses" / file).is_file() for file in metadata.license_files or ())
    required = {canonicalize_name(one.name) for one in metadata.requires_dist or ()}
    assert "torch" in required
    assert not required & {"segviz", NAME}, "another project, or an extra that was not resolved"


def test_the_description_does_without_the_repository(metadata) -> None:
    assert metadata.description_content_type == "text/markdown"
    text = metadata.description or ""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)|(?:src|href)=\"([^\"]*)", text)
    targets = [one or other for one, other in targets]
    assert targets
    assert "<img" not in text
    assert text.count("*Picture: ") == readme.count("![") + readme.count("<img")
    assert not [target for target in targets if not target.startswith(("https://", "#"))]
    # Nothing but links has changed, and no link to the outside.
    assert len(text.splitlines()) == len(readme.splitlines())
    assert text.count("](https://") == readme.count("](https://")


# How it is installed


def test_nobody_is_told_to_install_another_project() -> None:
    """The index has a `segviz` that is not this one."""
    named = []
    for path in TOLD:
        text = path.read_text(encoding="utf-8").replace("\\", "")
        for command in re.findall(r"pip install\b([^\n`]*)", text):
            named += re.findall(r"(?<![\w./-])segviz[\w-]*(?:\[[\w,]+\])?", command)
    requirements = [Requirement(name) for name in named]
    assert len(requirements) > 5
    assert {one.name for one in requirements} == {NAME}
    assert {extra for one in requirements for extra in one.extras} <= set(EXTRAS)


def direct() -> list[Requirement]:
    """All that pyproject.toml names."""
    extras = [line for lines in EXTRAS.values() for line in lines]
    found = [Requirement(line) for line in [*PROJECT["dependencies"], *extras]]
    return [one for one in found if one.name != NAME]


@pytest.mark.parametrize("requirement", direct(), ids=str)
def test_every_dependency_has_a_lower_bound_and_a_tested_version(requirement) -> None:
    assert ">=" in {part.operator for part in requirement.specifier}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tested = [Requirement(line) for line in lines if not line.startswith("#")]
    [pin] = [
        one for one in tested if canonicalize_name(one.name) == canonicalize_name(requirement.name)
    ]
    [version] = [part.version for part in pin.specifier]
    assert requirement.specifier.contains(version)
