"""Recipes: what they hold, and that they survive in every kind of file."""

from __future__ import annotations

import hashlib
import json
import random
import struct
import xml.etree.ElementTree as ET
import zlib
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import reference
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from PIL import Image
from pypdf import PdfReader, PdfWriter

import segviz as sv
from segviz.figures.carrying import pgf_comments, recipe
from segviz.figures.recipes import arguments_of, recipe_of, title_of
from segviz.figures.saved import PaperFigure

# What breaks strings in PDF, XML, PNG, TeX or JSON.
NASTY = ("你好", "😀", "\ud83d", "\x00\x07", "%", "\\(", ")", "]]>", "</metadata>", "&amp;", "--",
         "\r\n", "\u2028", "segviz-recipe: {", '"', " ", "é\u0301")  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return sv.Model(
        reference.make("llama"), reference.tokenizer(), name="some/llama", adapter="an/adapter"
    )


@pytest.fixture(scope="module")
def trace(model):
    prompt = reference.random_prompt(23, 5)
    options = {"do_sample": True, "temperature": 0.7, "eos_token_id": -1}
    return model.trace(prompt, max_new_tokens=4, seed=11, **options)


def carrier(tokens, length: int | None = None, *, runs: int = 1) -> dict:
    """A recipe with these tokens, repeated up to a length."""
    rng = random.Random(0)
    length = length or len(tokens)
    chosen = [tokens[i % len(tokens)] for i in range(length)]
    one = {
        "model": "m",
        "mask": "segment",
        "token_ids": [rng.randrange(150_000) for _ in range(length)],
        "tokens": chosen,
    }
    return {"format": 1, "kind": "flow", "keep": "full", "arguments": {}, "traces": [one] * runs}


def save(path, kept: dict) -> None:
    """As a figure does; PGF, which asks for LaTeX, only as far as the recipe goes."""
    if path.suffix == ".pgf":
        path.write_text(pgf_comments("flow", kept, {}) + "%% Creator\n\\begingroup\n")
    else:
        PaperFigure(figsize=(1, 1), recipe=kept).savefig(path, dpi=50)


def test_what_it_holds(trace) -> None:
    kept = recipe_of("attention", {"layer": 2, "head": "mean"}, trace)
    assert json.loads(json.dumps(kept)) == kept
    assert kept["segviz"] == sv.__version__
    assert (kept["kind"], kept["arguments"]) == ("attention", {"layer": 2, "head": "mean"})
    (run,) = kept["traces"]
    expected = {
        "model": "some/llama",
        "adapter": "an/adapter",
        "revision": None,
        "default_mask": None,
        "dtype": "float32",
        "mask": "segment",
        "seed": 11,
        "max_new_tokens": 4,
        "options": {"do_sample": "True", "temperature": "0.7", "eos_token_id": "-1"},
        "prompt_length": 23,
        "token_ids": list(trace.token_ids),
        "tokens": list(trace.tokens),
        "generated_text": trace.generated_text,
        "segmentation": trace.segmentation.to_dict(),
    }
    assert {name: run[name] for name in expected} == expected
    assert {"torch", "transformers"} < set(run)
    text = " ".join(str(one) for one in trace.token_ids[:23])
    assert run["prompt_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert run["tokens_sha256"] != run["prompt_sha256"]


def test_of_a_comparison_and_of_a_segmentation(model, trace) -> None:
    both = sv.compare(model, reference.random_prompt(9, 1), max_new_tokens=2)
    kept = recipe_of("comparison", {}, both)
    assert [run["mask"] for run in kept["traces"]] == ["causal", "segment"]
    assert kept["traces"][0]["token_ids"] == list(both.causal.token_ids)
    bare = recipe_of("mask", {}, trace.segmentation)
    assert bare["traces"] == []
    assert bare["segmentation"] == trace.segmentation.to_dict()


def test_no_text_means_none(tmp_path) -> None:
    model = sv.load()
    prompt = model.chat(sv.examples["chain"])
    trace = model.trace(prompt, max_new_tokens=4)
    kept = recipe_of("tokens", {}, trace, keep="no-text")
    words = {word for token in trace.tokens if len(word := token.strip()) > 2}
    # The names of segments are the author's, and some are words of the template.
    words -= {segment.name for segment in trace.segmentation.segments}
    words = {word for word in words if not any(word in name for name in _names(kept))}
    assert len(words) > 10
    for ending in ("pdf", "svg", "png"):
        path = tmp_path / f"fig.{ending}"
        save(path, kept)
        texts = json.dumps(recipe(path)) + metadata_of(path)
        assert not [word for word in words if word in texts]
        assert str(list(prompt.token_ids[:4]))[1:-1] not in texts
        assert recipe(path) == kept
    assert "tokens_sha256" in kept["traces"][0]
    with pytest.raises(ValueError, match="recipe='none' is unknown; allowed are 'full'"):
        recipe_of("tokens", {}, trace, keep="none")


def _names(value) -> set[str]:
    """The keys of a recipe, at every depth."""
    if isinstance(value, list):
        return set().union(*map(_names, value))
    return set(value).union(*map(_names, value.values())) if isinstance(value, dict) else set()


def metadata_of(path) -> str:
    """All that a file says besides its picture."""
    if path.suffix == ".pdf":
        return " ".join(map(str, PdfReader(path).metadata.values()))
    if path.suffix == ".png":
        return " ".join(Image.open(path).text.values())
    return " ".join(ET.parse(path).getroot().itertext())


@pytest.mark.parametrize("ending", ["pdf", "svg", "png", "pgf"])
def test_it_survives_in_a_file(ending, tmp_path) -> None:
    for kept in (carrier(NASTY), carrier(NASTY, 4000, runs=2), carrier(["x" * 400], 4000)):
        save(path := tmp_path / f"fig.{ending}", kept)
        assert recipe(path) == recipe(str(path)) == kept
    assert len(json.dumps(kept)) > 1 << 20, "more than Pillow reads in one piece"


def test_in_pgf_it_is_short_lines_of_ascii() -> None:
    lines = pgf_comments("flow", carrier(NASTY, 4000), {"Author": "two\nlines"}).splitlines()
    assert "% Author: two lines" in lines
    for line in lines:
        assert line.startswith("%")
        assert line.isascii()
        assert len(line) < 1100
        assert line == line.rstrip()


def test_it_survives_other_tools(tmp_path) -> None:
    kept = carrier(NASTY)
    save(pdf := tmp_path / "fig.pdf", kept)
    writer = PdfWriter(clone_from=PdfReader(pdf))
    writer.add_metadata({"/Producer": "another"})
    writer.compress_identical_objects()
    writer.write(pdf)
    assert recipe(pdf) == kept

    save(svg := tmp_path / "fig.svg", kept)
    tree = ET.parse(svg)
    assert b"metadata" in ET.tostring(tree.getroot())
    tree.write(svg)
    assert "ns0:svg" in svg.read_text()
    assert recipe(svg) == kept

    save(png := tmp_path / "fig.png", kept)
    data = png.read_bytes()
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append(data[at : at + 12 + length])
        at += 12 + length
    texts = [chunk for chunk in chunks if chunk[4:8] in (b"iTXt", b"tEXt")]
    others = [chunk for chunk in chunks if chunk not in texts]
    png.write_bytes(b"".join([data[:8], *others[:-1], *texts, others[-1]]))
    assert recipe(png) == kept

    save(pgf := tmp_path / "fig.pgf", kept)
    pgf.write_text("% mine\r\n" + pgf.read_text().replace("\n", "\r\n"), newline="")
    assert recipe(pgf) == kept


def object_stream_pdf(title: str) -> bytes:
    """A PDF of version 1.5 whose Info dictionary lies in a compressed object stream."""
    objects = {1: "<</Type/Catalog/Pages 2 0 R>>", 2: "<</Type/Pages/Kids[]/Count 0>>",
               3: f"<</Keywords({title})>>"}  # fmt: skip
    body, index = "", ""
    for number, text in objects.items():
        index += f"{number} {len(body)} "
        body += text + " "
    packed = zlib.compress((index + body).encode())
    head = b"%PDF-1.5\n"
    stream = (
        f"4 0 obj\n<</Type/ObjStm/N 3/First {len(index)}/Filter/FlateDecode"
        f"/Length {len(packed)}>>\nstream\n"
    ).encode() + packed + b"\nendstream\nendobj\n"  # fmt: skip
    rows = b"".join(struct.pack(">BHB", 2, 4, i) for i in range(3))
    start = len(head) + len(stream)
    table = struct.pack(">BHB", 1, len(head), 0) + struct.pack(">BHB", 1, start, 0)
    rows = struct.pack(">BHB", 0, 0, 0) + rows + table
    references = (
        "5 0 obj\n<</Type/XRef/Size 6/W[1 2 1]/Root 1 0 R/Info 3 0 R"
        f"/Length {len(rows)}>>\nstream\n"
    ).encode() + rows + b"\nendstream\nendobj\n"  # fmt: skip
    return head + stream + references + f"startxref\n{start}\n%%EOF\n".encode()


def test_it_is_found_in_an_object_stream(tmp_path) -> None:
    path = tmp_path / "fig.pdf"
    path.write_bytes(object_stream_pdf('segviz-recipe: {"format":1,"kind":"a \\(b"}'))
    assert recipe(path) == {"format": 1, "kind": "a (b"}


def test_files_without_one(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no figure '.*gone\.pdf'"):
        recipe(tmp_path / "gone.pdf")
    (tmp_path / "fig.eps").touch()
    with pytest.raises(ValueError, match=r"ends in '\.eps': recipes are read from \.pdf, \.svg"):
        recipe(tmp_path / "fig.eps")
    for ending in ("pdf", "svg", "png"):
        Figure().savefig(path := tmp_path / f"other.{ending}")
        with pytest.raises(ValueError, match="carries no recipe: it was not saved by a figure of"):
            recipe(path)
        path.write_bytes(b"\x89nothing of the kind \xff")
        with pytest.raises(ValueError, match="cannot be read"):
            recipe(path)
    (tmp_path / "other.pgf").write_text("% Title: segviz-recipe\n")
    with pytest.raises(ValueError, match="carries no recipe"):
        recipe(tmp_path / "other.pgf")


def test_damaged_recipes(tmp_path) -> None:
    save(path := tmp_path / "fig.svg", carrier(NASTY))
    path.write_text(path.read_text().replace('"format"', '"format', 1))
    with pytest.raises(ValueError, match="the recipe of .* cannot be read"):
        recipe(path)
    save(path, {**carrier(NASTY), "format": 2})
    with pytest.raises(ValueError, match="recipe format 2; this version of segviz reads format 1"):
        recipe(path)
    save(path := tmp_path / "fig.png", carrier(NASTY))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match="cannot be read"):
        recipe(path)


def test_entities_are_refused(tmp_path) -> None:
    """Ten entities that each hold the one before ten times would be a billion letters."""
    lines = ['<!ENTITY a0 "aaaaaaaaaa">']
    lines += [f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10)]
    path = Path(tmp_path / "fig.svg")
    path.write_text(f"<!DOCTYPE svg [{''.join(lines)}]><svg><metadata>&a9;</metadata></svg>")
    with pytest.raises(ValueError, match="declares entities"):
        recipe(path)


def test_arguments_come_back() -> None:
    given = {
        "layer": np.int64(3),
        "head": (0, np.int32(2)),
        "limit": np.float32(0.5),
        "flag": np.bool_(False),
        "values": np.arange(4).reshape(2, 2),
        "positions": range(2, 4),
        "highlight": {7, 5},
        "names": {0: "a", 1: None},
        "titles": {"a": ["b"]},
        "cut": sv.Segmentation([sv.Segment(0, 3, "x")]),
        "colors": mpl.colormaps["magma"],
        "dollar": {"$": "unstored"},
    }
    kept = json.loads(json.dumps({"arguments": recipe_of("mask", given, _cut())["arguments"]}))
    assert arguments_of(kept, {"layer": 4}) == {
        "layer": 4,
        "head": [0, 2],
        "limit": 0.5,
        "flag": False,
        "values": [[0, 1], [2, 3]],
        "positions": [2, 3],
        "highlight": [5, 7],
        "names": {0: "a", 1: None},
        "titles": {"a": ["b"]},
        "cut": given["cut"],
        "colors": "magma",
        "dollar": {"$": "unstored"},
    }


@pytest.mark.parametrize(
    "value", [LogNorm(), [1, LogNorm()], {"a": LogNorm()}, ListedColormap(["r", "b"], "magma"),
              float("nan")],
)  # fmt: skip
def test_what_no_recipe_can_hold_has_to_be_given_again(value) -> None:
    kept = recipe_of("mask", {"colors": value}, _cut())
    name = "float" if isinstance(value, float) else "(LogNorm|ListedColormap)"
    with pytest.raises(ValueError, match=rf"which was a {name}: give it again, redraw\(…, colors="):
        arguments_of(kept, {})
    assert arguments_of(kept, {"colors": "magma"}) == {"colors": "magma"}


def _cut() -> sv.Segmentation:
    return sv.Segmentation([sv.Segment(0, 3, "x")])


def test_titles(model) -> None:
    both = sv.compare(model, reference.random_prompt(9, 1))
    kept = recipe_of("comparison", {"layer": 0, "head": 5}, both)
    assert title_of(kept) == (
        "comparison, layer 0, head 5: some/llama under the causal and the segment mask"
    )
    assert title_of(recipe_of("mask", {"layer": None}, _cut())) == "mask"


def test_a_buffer_carries_it_too(trace) -> None:
    kept = recipe_of("flow", {}, trace)
    PaperFigure(recipe=kept).savefig(buffer := BytesIO(), format="png", dpi=20)
    assert json.loads(Image.open(buffer).text["segviz-recipe"]) == kept
