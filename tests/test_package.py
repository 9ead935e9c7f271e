"""The package as a whole: layers, lazy imports, public names."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import pytest

import segviz as sv
from segviz import bertviz, evaluation, figures, widgets

PACKAGE = Path(sv.__file__).parent

MODULES = ("bertviz", "figures", "plots")

# Who may import whom, bottom up. A module may import from the layers that its line names.
LAYERS = {
    "segments": set(),
    "masks": {"segments"},
    "tiles": set(),
    "files": set(),
    "sampling": set(),
    "labels": set(),
    "checks": set(),
    "palette": set(),
    "pictures": set(),
    "scales": {"palette"},
    "prompts": {"segments", "labels"},
    "grouping": {"segments", "labels", "tiles"},
    "likely": set(),
    "patterns": set(),
    "pattern_tiles": {"masks", "patterns"},
    "summaries": {"patterns"},
    "receipt": {"segments", "masks", "patterns"},
    "trace_file": {"files", "likely", "patterns"},
    "trace": {
        "checks",
        "segments",
        "masks",
        "likely",
        "patterns",
        "pattern_tiles",
        "summaries",
        "receipt",
        "trace_file",
    },
    "weights": set(),
    "prefix": {"segments", "patterns"},
    "recorder": {"segments", "masks", "patterns", "prefix", "receipt"},
    "attention": {"segments", "masks"},
    "hook": {"segments", "attention"},
    "decoding": set(),
    "support": set(),
    "free_memory": set(),
    "memory": {"free_memory", "head", "support"},
    "head": {"likely", "weights"},
    "run": {
        "segments",
        "masks",
        "hook",
        "decoding",
        "head",
        "likely",
        "patterns",
        "prefix",
        "recorder",
        "support",
    },
    "seeding": {"support"},
    "runner": {
        "segments",
        "decoding",
        "head",
        "prefix",
        "run",
        "seeding",
        "support",
        "trace",
        "weights",
    },
    "model": {
        "segments",
        "prompts",
        "decoding",
        "memory",
        "run",
        "runner",
        "seeding",
        "support",
        "trace",
        "weights",
    },
    "data": {"prompts"},
    "tiny": {"data"},
    "adapter": {"files", "trace", "weights"},
    "attaching": {"adapter"},
    "loading": {"attaching", "memory", "model", "prompts", "tiny", "trace"},
    "training": {
        "adapter",
        "attaching",
        "data",
        "files",
        "loading",
        "model",
        "prompts",
        "seeding",
        "trace",
    },
    "evaluation": {
        "data",
        "decoding",
        "files",
        "head",
        "model",
        "prompts",
        "segments",
        "support",
        "trace",
        "weights",
    },
    "tiny.tuning": {"attaching", "data", "model", "tiny", "trace", "training"},
    "tiny.train": {"tiny", "tiny.tuning", "trace"},
    "tiny.experiment": {
        "data",
        "evaluation",
        "model",
        "tiny",
        "tiny.train",
        "tiny.tuning",
        "trace",
    },
    "comparison": {"trace", "pattern_tiles", "patterns", "summaries"},
    "widgets": {
        "segments",
        "masks",
        "tiles",
        "sampling",
        "labels",
        "palette",
        "pictures",
        "scales",
        "grouping",
        "receipt",
    },
    "figures": {
        "segments",
        "masks",
        "files",
        "labels",
        "palette",
        "pictures",
        "scales",
        "grouping",
        "tiles",
        "trace",
        "comparison",
        "prompts",
        "charts",
    },
    "plots": {"labels", "palette", "scales", "grouping", "charts"},
    "bertviz": {"checks", "files", "labels", "segments", "patterns"},
    "session": {
        "figures",
        "files",
        "segments",
        "prompts",
        "tiles",
        "sampling",
        "patterns",
        "trace",
        "comparison",
        "grouping",
        "summaries",
        "run",
    },
    "explorer": {
        "labels",
        "tiles",
        "prompts",
        "receipt",
        "model",
        "trace",
        "comparison",
        "session",
        "widgets",
    },
    "charts": {"checks", "segments", "masks", "tiles", "labels", "palette", "scales", "grouping"},
    "lab": set(),
    "cli": {"labels", "lab", "figures"},
}


def layer(module: str) -> str:
    """The layer of a module, given without the package's name; one with a dot is a part of it."""
    parts = module.split(".")
    part = ".".join(parts[:2])
    return part if part in LAYERS else parts[0]


def layer_of(path: Path) -> str:
    return layer(".".join(path.relative_to(PACKAGE).with_suffix("").parts))


def runtime_imports(path: Path) -> set[str]:
    """The segviz layers a file imports when it runs; imports for type checking are none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            is_module = (
                parts[0] == "segviz"
                and len(parts) > 1
                and ((PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file())
            )
            if is_module:
                found.add(layer(".".join(parts[1:])))
    return found


def test_imports_run_in_one_direction() -> None:
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        own = layer_of(path)
        if own == "__init__":
            continue
        assert own in LAYERS, f"{path.name} stands in no layer: add it to LAYERS"
        beyond = runtime_imports(path) - LAYERS[own] - {own}
        wrong += [f"{path.relative_to(PACKAGE)} imports {name}" for name in sorted(beyond)]
    assert not wrong


def test_the_layers_have_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(LAYERS):
        ready = {name for name, needs in LAYERS.items() if name not in done and needs <= done}
        assert ready, f"a circle among {set(LAYERS) - done}"
        done |= ready


def test_the_core_needs_numpy_only() -> None:
    for name in ("segments", "masks"):
        tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
        modules = {
            (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert modules - set(sys.stdlib_module_names) <= {"numpy", "segviz"}


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_importing_is_quick_and_does_not_import_torch() -> None:
    run_python("import segviz")
    started = time.perf_counter()
    loaded = run_python("import segviz, sys; print(*sys.modules)").split()
    assert time.perf_counter() - started < 1
    assert not {"torch", "transformers", "matplotlib", "plotly", "ipywidgets"} & set(loaded)


def test_segments_and_masks_do_without_torch() -> None:
    code = """
import sys, segviz as sv
sv.segment_mask(sv.Segmentation([sv.Segment(0, 3, "x")])); sv.causal_mask(3); sv.examples["chain"]
print("torch" in sys.modules)"""
    assert run_python(code) == "False"


@pytest.mark.parametrize("name", sorted({*sv.__all__} - {*MODULES}))
def test_public_names_are_documented_and_no_modules(name) -> None:
    value = getattr(sv, name)
    assert not inspect.ismodule(value)
    assert importlib.util.find_spec(f"segviz.{name}") is None, "a module of the same name"
    if callable(value) and not issubclass(type(value), type(Exception)):
        assert ">>>" in value.__doc__


PUBLIC_CLASSES = [
    value
    for module in (sv, bertviz, evaluation, figures, widgets)
    for name in module.__all__
    if inspect.isclass(value := getattr(module, name))
]

# What a view does with its page: called by the explorer or by the widgets' machinery.
PLUMBING = {"forget", "guard", "keep", "publish", "receive", "set_state"}


def own_bases(cls: type) -> list[type]:
    """A class and those it is made of, as far as they are segviz's."""
    return [base for base in cls.__mro__ if base.__module__.partition(".")[0] == "segviz"]


def own_members(cls: type) -> dict[str, str]:
    """The docstrings of the public methods and properties that a class defines itself."""
    found = {}
    for name, member in vars(cls).items():
        function = member
        # Of properties, cached ones, class and static methods, and what a decorator has wrapped.
        for attribute in ("fget", "func", "__func__", "__wrapped__"):
            function = getattr(function, attribute, function)
        # matplotlib puts methods that it writes itself into every subclass of its figures.
        written_here = getattr(function, "__module__", None) == cls.__module__
        if inspect.isfunction(function) and written_here and not name.startswith("_"):
            found[name] = function.__doc__ or ""
    return found


def test_public_classes_and_all_they_offer_show_an_example() -> None:
    bases = {base for cls in PUBLIC_CLASSES for base in own_bases(cls)}
    missing = []
    for base in bases:
        is_view = issubclass(base, widgets.View)
        if ">>>" not in (base.__doc__ or "") and not issubclass(base, Exception):
            missing.append(base.__qualname__)
        missing += [
            f"{base.__qualname__}.{name}"
            for name, text in own_members(base).items()
            if ">>>" not in text and not (is_view and name in PLUMBING)
        ]
    assert not sorted(missing)


def test_what_needs_no_example_is_there_and_has_none() -> None:
    members = own_members(widgets.View)
    assert set(members) >= PLUMBING
    assert not [name for name in PLUMBING if ">>>" in members[name]]


def test_members_of_every_kind_are_found() -> None:
    class Every(figures.PaperFigure):
        """A class of which matplotlib has written ``set``."""

        def method(self): ...
        def _private(self): ...
        @property
        def read(self):
            """Documented."""

        @cached_property
        def kept(self): ...
        @classmethod
        def of(cls): ...
        @staticmethod
        def load(): ...
        @contextmanager
        def held(self): ...

    assert "set" in vars(Every)
    assert set(own_members(Every)) == {"method", "read", "kept", "of", "load", "held"}
    assert own_members(Every)["read"] == "Documented."


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="'segviz' has no attribute 'comparre'"):
        _ = sv.comparre
    assert set(sv.__all__) <= set(dir(sv))
