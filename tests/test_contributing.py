"""What surrounds the code: the citation, the forms for issues, the hooks, the two guides."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import segviz as sv

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))  # and a config.yml
GUIDES = ("CONTRIBUTING.md", "RELEASING.md")
PAPER = "2412.18487"


def read(name: str | Path) -> dict:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_citation() -> None:
    """Keys that Citation File Format 1.2.0 requires, of the software and of the paper."""
    citation = read("CITATION.cff")
    assert citation.keys() >= {"cff-version", "message", "title", "authors"}
    assert citation["cff-version"] == "1.2.0"
    assert str(citation["version"]) == sv.__version__
    [paper] = citation["references"]
    assert paper.keys() >= {"type", "title", "authors"}
    assert paper["url"].endswith(PAPER)
    assert [one["family-names"] for one in paper["authors"]] == ["Katz", "Ringel", "Romano", "Wolf"]


def test_the_readme_cites_the_same() -> None:
    citation = read("CITATION.cff")
    entries = re.search(r"```bibtex\n(.*?)```", README, re.DOTALL)[1]
    [version] = re.findall(r"version = \{(.*?)\}", entries)
    assert version == citation["version"]
    for cited in (citation, *citation["references"]):
        assert f"title = {{{cited['title']}}}" in entries
        assert all(one.get("family-names", one.get("name")) in entries for one in cited["authors"])


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms(path) -> None:
    form = read(path)
    assert form["name"]
    assert form["description"]
    fields = form["body"]
    assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "markdown"}
    assert all(field["attributes"]["label"] for field in fields)
    identifiers = [field["id"] for field in fields]
    assert len(set(identifiers)) == len(identifiers)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_the_versions_asked_for_are_printed() -> None:
    """In both forms by the same command."""
    fields = [field for path in FORMS for field in read(path)["body"] if field["id"] == "versions"]
    assert len(fields) == 2
    [command] = {field["attributes"]["description"].split("`")[1] for field in fields}
    words = re.fullmatch(r'python -c "(.*)"', command)
    done = subprocess.run(
        [sys.executable, "-c", words[1]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    import torch  # noqa: PLC0415 (tests without torch start faster)
    import transformers  # noqa: PLC0415

    printed = done.stdout.split()
    assert printed[0] == sv.__version__
    assert {torch.__version__, transformers.__version__} < set(printed)


def test_hooks_run_the_linters_of_the_dev_extra() -> None:
    """None has a version of its own, and none is left out that the tests run."""
    [repo] = read(".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    assert {hook["language"] for hook in repo["hooks"]} == {"system"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tools = [hook["entry"].removeprefix("python -m ").split()[0] for hook in repo["hooks"]]
    assert tools == ["ruff", "ruff", "pyright"]
    for tool in tools:
        assert any(line.startswith(tool) for line in project["optional-dependencies"]["dev"])


@pytest.mark.parametrize("name", GUIDES)
def test_guides_name_what_is_there(name) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).is_file(), target
    paths = re.findall(r"(?<![\w/.])(?:\.ci|assets|notebooks|segviz|tests)/[\w./-]*", text)
    assert paths
    for path in paths:
        assert (ROOT / path).exists() or path == "segviz/notebooks", path
    for module in re.findall(r"python -m (browser\.\w+|gallery)", text):
        assert (ROOT / "tests" / f"{module.replace('.', '/')}.py").is_file(), module


def test_the_guide_names_the_layers() -> None:
    """Each of the table is a module; every one of the package's own folders is in it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    modules = {path.stem for path in (ROOT / "segviz").glob("*.py")}
    folders = {path.parent.name for path in (ROOT / "segviz").glob("*/__init__.py")}
    assert folders <= named <= folders | modules
