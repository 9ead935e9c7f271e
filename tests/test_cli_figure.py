"""``segviz figure``: from trace files to figures, recipes and back, and wrong input."""

from __future__ import annotations

import functools
import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import segviz as sv
from segviz import cli, figures
from segviz.cli import asking, figure
from segviz.figures.saved import FORMATS, PaperFigure


@pytest.fixture(scope="module")
def traces(tmp_path_factory) -> tuple[str, str]:
    """Two trace files of one prompt: causal, segment."""
    folder = tmp_path_factory.mktemp("traces")
    comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=2)
    for trace in (comparison.causal, comparison.segment):
        trace.save(folder / f"{trace.mask_kind}.safetensors")
    return str(folder / "causal.safetensors"), str(folder / "segment.safetensors")


@pytest.fixture
def drawn(monkeypatch):
    """What the figure functions are called with; nothing is drawn, an empty figure is returned."""
    calls: list[tuple] = []

    def recorder(kind):
        @functools.wraps(getattr(figures, kind))
        def record(subject, **arguments):
            calls.append((kind, subject, arguments))
            return PaperFigure(figsize=(1, 1))

        return record

    for kind in asking.KINDS:
        monkeypatch.setattr(figures, kind, recorder(kind))
    return calls


def error(capsys, *arguments: str) -> str:
    """What is said to wrong input: one sentence on stderr."""
    assert cli.main(["figure", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("segviz: ")
    return captured.err


def test_the_endings_are_those_of_figures() -> None:
    assert {ending.removeprefix(".") for ending in figure.ENDINGS} == set(FORMATS)


@pytest.mark.parametrize(
    ("kind", "two", "options"),
    [
        ("mask", False, []),
        ("attention", False, ["--layer", "0,1", "--head", "2", "--width", "text"]),
        ("attention", False, ["--layer", "1", "--head", "mean", "--title", "Mean", "--no-text"]),
        ("comparison", True, ["--layer", "1", "--head", "0"]),
        ("heads", False, []),
        ("heads", True, ["--layer", "1"]),
        ("flow", False, ["--layer", "1", "--head", "3"]),
        ("flow", True, []),
        ("tokens", False, ["--layer", "2", "--head", "0", "--query", "38"]),
        ("arcs", False, ["--layer", "1", "--head", "0,3", "--hide-first"]),
    ],
)
def test_every_kind_becomes_a_file(capsys, tmp_path, traces, kind, two, options) -> None:
    out = tmp_path / "fig.pdf"
    files = traces if two else traces[1:]
    assert cli.main(["figure", *files, "--kind", kind, *options, "-o", str(out)]) == 0
    assert capsys.readouterr() == ("", ""), "silent: Make prints the command itself"
    assert out.read_bytes()[:5] == b"%PDF-"
    recipe = figures.recipe(out)
    assert recipe["kind"] == kind
    masks = [one["mask"] for one in recipe["traces"]]
    assert masks == (["causal", "segment"] if two else ["segment"])
    assert all(("tokens" in one) is ("--no-text" not in options) for one in recipe["traces"])


@pytest.mark.parametrize(("ending", "begin"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_the_ending_decides(tmp_path, traces, ending, begin) -> None:
    out = tmp_path / f"fig.{ending.upper()}"
    assert cli.main(["figure", traces[0], "--kind", "mask", "-o", str(out)]) == 0
    assert out.read_bytes().startswith(begin)


def test_dpi(tmp_path, traces) -> None:
    sizes = []
    for dpi in ("50", "150"):
        out = tmp_path / "fig.png"
        cli.main(["figure", traces[0], "--kind", "mask", "--dpi", dpi, "-o", str(out)])
        # Of a PNG: width and height are the bytes 16 to 23.
        sizes.append(int.from_bytes(out.read_bytes()[16:20]))
    assert sizes[1] == pytest.approx(3 * sizes[0], abs=2)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("attention --layer 1 --head 0", {"layer": 1, "head": 0}),
        ("attention --layer -1 --head max", {"layer": -1, "head": "max"}),
        ("attention --layer=-2,-1 --head 0,mean", {"layer": [-2, -1], "head": [0, "mean"]}),
        ("attention --layer 0 --layer 2 --head 1", {"layer": [0, 2], "head": 1}),
        (
            "attention --layer 0 --head 1 --scale log --limit .5 --merge words --hide-first",
            {
                "layer": 0, "head": 1, "scale": "log", "limit": 0.5, "merge": "words",
                "hide_first": True,
            },
        ),
        (
            "mask --queries 8:40 --keys user --highlight 3,5 --style slides --no-text",
            {
                "queries": (8, 40), "keys": "user", "highlight": [3, 5], "style": "slides",
                "recipe": "no-text",
            },
        ),
        ("heads --layer 0,2 --width column", {"layers": [0, 2], "width": "column"}),
        ("tokens --layer 1 --query -1", {"layer": 1, "query": -1}),
        ("arcs --layer 1 --head 0,3 --least 0.1", {"layer": 1, "head": [0, 3], "least": 0.1}),
        (
            "flow --width 4.5 --font-size 8 --title x --colors magma",
            {"width": 4.5, "font_size": 8.0, "title": "x", "colors": "magma"},
        ),
        ("mask", {}),
    ],
)  # fmt: skip
def test_options_become_arguments(drawn, tmp_path, traces, options, expected) -> None:
    out = str(tmp_path / "fig.svg")
    kind, *rest = options.split()
    assert cli.main(["figure", "--kind", kind, *rest, traces[1], "-o", out]) == 0
    [(called, trace, arguments)] = drawn
    assert (called, arguments) == (kind, expected)
    assert trace.token_ids == sv.Trace.load(traces[1]).token_ids


def test_two_traces_in_either_order_are_a_comparison(drawn, tmp_path, traces) -> None:
    for files in (traces, traces[::-1]):
        for kind in asking.OF_COMPARISONS:
            where = ["--layer", "0", "--head", "0"] if kind == "comparison" else []
            out = str(tmp_path / "fig.pdf")
            assert cli.main(["figure", *files, "--kind", kind, *where, "-o", out]) == 0
    assert len(drawn) == 6
    for _kind, subject, _arguments in drawn:
        assert isinstance(subject, sv.Comparison)
        assert (subject.causal.mask_kind, subject.segment.mask_kind) == ("causal", "segment")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--kind mask", "there is nothing to draw"),
        ("SEGMENT", "--kind is missing: one of mask, attention"),
        ("SEGMENT --kind mask -o fig.jpg", "has the ending '.jpg'"),
        ("SEGMENT --kind mask -o fig", "has no ending"),
        ("SEGMENT --kind mask -o no/such/fig.pdf", "there is no folder 'no/such'"),
        ("SEGMENT --kind mask -o folder.pdf", "'folder.pdf' is a folder"),
        ("no.safetensors --kind mask", "there is no trace file 'no.safetensors'"),
        ("text.safetensors --kind mask", "'text.safetensors' is no trace"),
        ("SEGMENT --kind attention --layer 1", "--kind attention needs --head"),
        ("SEGMENT --kind arcs", "--kind arcs needs --layer and --head"),
        ("SEGMENT --kind mask --layer 3", "there is no layer 3: allowed are 0 to 2"),
        ("SEGMENT --kind arcs --layer 0 --head 4", "there is no head 4: allowed are 0 to 3"),
        ("SEGMENT --kind mask --head 0", "takes no --head; it is for attention, comparison"),
        ("SEGMENT --kind flow --scale log", "--kind flow takes no --scale"),
        ("SEGMENT --kind mask --query 3", "it is for tokens"),
        ("SEGMENT --kind mask --width page", "width='page'; allowed are 'column'"),
        ("SEGMENT --kind mask --keys nobody", "there is no such segment"),
        ("SEGMENT --kind flow --layer 0,1", "--kind flow draws one layer, and 2 were given"),
        ("SEGMENT CAUSAL --kind mask", "--kind mask draws one trace, and two were given"),
        ("SEGMENT SEGMENT --kind flow", "both traces ran under the segment mask"),
        ("CAUSAL CAUSAL --kind heads", "both traces ran under the causal mask"),
        ("SEGMENT CAUSAL CAUSAL --kind flow", "3 traces were given"),
        ("SEGMENT --kind comparison --layer 0 --head 0", "--kind comparison needs two traces"),
        ("SEGMENT --kind mask --model tiny-llama", "--model goes with --redraw only"),
        ("SEGMENT --recipe x.pdf", "a trace and --recipe were given"),
        ("--recipe text.pdf", "leave -o out"),
        ("--redraw no.pdf", "no.pdf"),
        ("--redraw text.pdf", "text.pdf"),
        ("--redraw a.pdf --kind mask", "leave --kind out"),
    ],
)
def test_wrong_input_is_told(capsys, monkeypatch, tmp_path, traces, options, sentence) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.safetensors").write_text("no tensors")
    (tmp_path / "text.pdf").write_text("no PDF")
    (tmp_path / "folder.pdf").mkdir()
    (tmp_path / "fig.pdf").write_text("the one from yesterday")
    files = {"CAUSAL": traces[0], "SEGMENT": traces[1]}
    arguments = [files.get(one, one) for one in options.split()]
    output = [] if "-o" in arguments else ["-o", "fig.pdf"]
    assert sentence in error(capsys, *arguments, *output)
    assert (tmp_path / "fig.pdf").read_text() == "the one from yesterday"


def test_without_an_output(capsys, tmp_path, traces) -> None:
    assert "-o FILE is missing" in error(capsys, traces[1], "--kind", "mask")
    assert "no.svg" in error(capsys, "--recipe", str(tmp_path / "no.svg"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--kind maks", "invalid choice: 'maks'"),
        ("--layer one", "'one' is no number"),
        ("--head mode", "'mode' is no head: a number, 'mean', 'max'"),
        ("--dpi 0", "'0' is no resolution"),
        ("--limit high", "'high' is no number"),
    ],
)
def test_wrong_values_are_told(capsys, options, sentence) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["figure", "x", *options.split()])
    assert sentence in capsys.readouterr().err


def test_what_is_wrong_is_told_before_a_trace_is_read(capsys, monkeypatch, traces) -> None:
    monkeypatch.setattr(sv.Trace, "load", staticmethod(lambda _path: pytest.fail("was read")))
    error(capsys, traces[1], "--kind", "mask", "-o", "fig.bmp")
    error(capsys, traces[1], "--kind", "mask", "-o", "no/such/fig.pdf")


def test_an_unwritable_folder_is_told(capsys, monkeypatch, tmp_path, traces) -> None:
    # The superuser may write everywhere, so the answer is a made one.
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    told = error(capsys, traces[1], "--kind", "mask", "-o", str(tmp_path / "fig.pdf"))
    assert "cannot be written to" in told


def test_a_disk_that_is_full_is_told(capsys, drawn, monkeypatch, tmp_path, traces) -> None:
    def full(_figure, path, **_settings):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(PaperFigure, "savefig", full)
    out = tmp_path / "fig.pdf"
    told = error(capsys, traces[1], "--kind", "mask", "-o", str(out))
    assert told == f"segviz: {str(out)!r}: No space left on device\n"
    assert drawn


def test_latex_that_is_missing_is_told(capsys, drawn, monkeypatch, tmp_path, traces) -> None:
    def without(_figure, _path, **_settings):
        raise RuntimeError("xelatex is not installed")

    monkeypatch.setattr(PaperFigure, "savefig", without)
    arguments = [traces[1], "--kind", "mask", "-o"]
    assert "xelatex is not" in error(capsys, *arguments, str(tmp_path / "fig.pgf"))
    with pytest.raises(RuntimeError):
        cli.main(["figure", *arguments, str(tmp_path / "fig.pdf")])
    assert len(drawn) == 2


def test_warnings_are_sentences(capsys, monkeypatch, tmp_path, traces) -> None:
    @functools.wraps(figures.mask)
    def warning(_trace):
        warnings.warn("no font has 🦙", UserWarning, stacklevel=1)
        return PaperFigure(figsize=(1, 1))

    monkeypatch.setattr(figures, "mask", warning)
    shown = warnings.showwarning
    cli.main(["figure", traces[1], "--kind", "mask", "-o", str(tmp_path / "fig.pdf")])
    assert capsys.readouterr().err == "segviz: warning: no font has 🦙\n"
    assert warnings.showwarning is shown


def test_progress_on_a_terminal(drawn, monkeypatch, tmp_path, traces) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "200")
    out = tmp_path / "fig.pdf"
    cli.main(["figure", traces[1], "--kind", "mask", "-o", str(out)])
    length = len(drawn[0][1].tokens)
    said = stream.getvalue()
    for text in (f"reading {traces[1]} …", f"drawing mask of {length} tokens …", f"wrote {out}\n"):
        assert text in said


def test_the_recipe_is_printed_as_json(capsys, tmp_path, traces) -> None:
    out = tmp_path / "fig.svg"
    cli.main(["figure", traces[1], "--kind", "attention", "--layer", "1", "--head", "mean",
              "-o", str(out)])  # fmt: skip
    assert cli.main(["figure", "--recipe", str(out)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == figures.recipe(out)
    assert printed["arguments"]["head"] == "mean"
    assert printed["traces"][0]["token_ids"] == list(sv.Trace.load(traces[1]).token_ids)


def test_a_figure_is_drawn_again(tmp_path, traces) -> None:
    first, again, wide = (tmp_path / name for name in ("first.pdf", "again.pdf", "wide.svg"))
    where = ["--layer", "1", "--head", "0"]
    cli.main(["figure", *traces, "--kind", "comparison", *where, "-o", str(first)])
    assert cli.main(["figure", "--redraw", str(first), "-o", str(again)]) == 0
    assert again.read_bytes() == first.read_bytes()
    options = ["--width", "slide", "--head", "3", "--model", "tiny-llama"]
    assert cli.main(["figure", "--redraw", str(first), *options, "-o", str(wide)]) == 0
    arguments = figures.recipe(wide)["arguments"]
    assert (arguments["width"], arguments["layer"], arguments["head"]) == ("slide", 1, 3)


def test_each_run_is_redrawn_with_its_own_model(monkeypatch, tmp_path) -> None:
    fair = sv.compare(
        sv.load(), sv.examples["chain"], 2, causal_model=sv.load("tiny-llama", adapter="causal")
    )
    first = tmp_path / "first.pdf"
    figures.flow(fair).savefig(first)
    used: list[tuple] = []

    def redraw(_path, model, *, causal_model=None, **_changes):
        used.append((model, causal_model))
        return PaperFigure(figsize=(1, 1))

    monkeypatch.setattr(figures, "redraw", redraw)
    for options in ([], ["--model", "tiny-llama", "--adapter", "none"]):
        assert cli.main(["figure", "--redraw", str(first), *options, "-o", str(first)]) == 0
        # The stand-in carries no recipe of its own.
        figures.flow(fair).savefig(first)
    (segment, causal), (base, no_other) = used
    assert (segment.adapter, causal.adapter) == ("segment", "causal")
    assert (base.adapter, no_other) == (None, None)


def test_a_figure_without_text_wants_the_prompt(capsys, tmp_path, traces) -> None:
    first, again = tmp_path / "first.pdf", tmp_path / "again.pdf"
    where = ["--layer", "1", "--head", "0"]
    cli.main(["figure", traces[1], "--kind", "attention", *where, "--no-text", "-o", str(first)])
    wants = error(capsys, "--redraw", str(first), "-o", str(again))
    assert "holds only the hash of the prompt: give the prompt with --prompt" in wants
    other = error(capsys, "--redraw", str(first), "--prompt", "Anna", "-o", str(again))
    assert "another prompt" in other
    command = ["figure", "--redraw", str(first), "--example", "chain", "-o", str(again)]
    assert cli.main(command) == 0
    assert again.read_bytes() == first.read_bytes()


def test_the_mask_of_a_segmentation_is_redrawn_without_a_model(monkeypatch, tmp_path) -> None:
    segmentation = sv.Segmentation([sv.Segment(0, 3, "a"), sv.Segment(3, 5, "b")])
    first, again = tmp_path / "first.pdf", tmp_path / "again.pdf"
    figures.mask(segmentation).savefig(first)
    monkeypatch.setattr(sv, "load", lambda *_a, **_o: pytest.fail("a model was loaded"))
    assert cli.main(["figure", "--redraw", str(first), "-o", str(again)]) == 0
    assert again.read_bytes() == first.read_bytes()


def test_a_kind_of_a_later_version_is_told(capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(figures, "recipe", lambda _path: {"kind": "sunburst", "traces": []})
    told = error(capsys, "--redraw", "x.pdf", "-o", str(tmp_path / "fig.pdf"))
    assert "of the kind 'sunburst'; this version of segviz draws mask, attention" in told


def test_the_program_in_a_makefile(tmp_path, traces) -> None:
    command = [sys.executable, "-m", "segviz.cli", "figure", traces[1], "--kind", "attention"]
    done = subprocess.run(
        [*command, "--layer", "1", "--head", "0", "-o", "fig.pdf"],
        check=False, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert Path(tmp_path / "fig.pdf").read_bytes()[:5] == b"%PDF-"
    assert [path.name for path in tmp_path.iterdir()] == ["fig.pdf"]
