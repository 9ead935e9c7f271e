"""BertViz pages: what is in them, against eager attention; what is refused, and how."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import bertviz as peer
import bertviz.neuron_view as peer_neurons
import numpy as np
import pytest
import reference
import tools
import torch
from IPython.display import HTML

import segviz as sv
from segviz.bertviz.contents import shortened
from segviz.patterns import CapturedLayer

VIEWS = ["head", "model", "neuron"]
HOSTILE = ["</script><img src=x onerror=alert(1)>", '"', "&amp;", "<!--", "\\u003c{braces}", "\n"]
STATIC = Path(sv.__file__).parent / "bertviz" / "static"
HALF = 5.1e-5  # what rounding to 4 decimals may change, and a little for floats


def show(view, trace, *arguments, **options):
    return getattr(sv.bertviz, f"{view}_view")(trace, *arguments, **options)


def contents(page) -> dict:
    """What the page is made of, unpacked as a browser would."""
    [packed] = re.findall(r'<script type="text/plain" id="sv-packed">([^<]*)</script>', page.html)
    return json.loads(gzip.decompress(b64decode(packed)))


def shown(page) -> dict:
    attention = contents(page)["params"]["attention"]
    return attention[0] if isinstance(attention, list) else attention["all"]


class Elements(HTMLParser):
    """Start tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.found if name == tag]


def traced(architecture: str, length: int = 27, **options):
    model = sv.Model(reference.make(architecture), reference.tokenizer(), name=architecture)
    prompt = reference.random_prompt(length, 3, **options)
    return model, prompt, model.trace(prompt, "segment", max_new_tokens=4, eos_token_id=-1)


@pytest.fixture(scope="module")
def run():
    segments = [sv.Segment(0, 1, "bos", "causal"), sv.Segment(1, 8, "system"),
                sv.Segment(8, 27, "user")]  # fmt: skip
    model, prompt, trace = traced("qwen3", segmentation=sv.Segmentation(segments))
    return trace, reference.eager_run(model.hf_model, trace.token_ids, prompt.segmentation)


@pytest.fixture(scope="module")
def trace(run):
    return run[0]


@pytest.mark.parametrize("view", VIEWS)
def test_attention_of_prompt_and_generated_tokens(view, run) -> None:
    trace, eager = run
    data = shown(show(view, trace, layers=[2, 0], heads=[5, 1, -5]))
    expected = eager.attentions[[2, 0]][:, [5, 1]]
    assert expected.shape == (2, 2, 31, 31)
    np.testing.assert_allclose(data["attn"], expected, atol=1e-4 + HALF)
    mine = [[trace.attention(layer, head) for head in (5, 1)] for layer in (2, 0)]
    np.testing.assert_allclose(data["attn"], mine, atol=HALF)
    assert data["left_text"] == data["right_text"]
    assert [text.strip(" ␣") for text in data["left_text"]] == [t.strip() for t in trace.tokens]


def test_true_numbers(trace) -> None:
    for view in VIEWS:
        facts = contents(show(view, trace, layers=[2, 0], heads=(5, 1)))["facts"]
        assert (facts["layers"], facts["heads"]) == ([2, 0], [5, 1])
    params = contents(sv.bertviz.model_view(trace, -1, np.array([4])))["params"]
    assert (params["include_layers"], params["include_heads"]) == ([2], [4])
    assert contents(sv.bertviz.head_view(trace, range(1, 3)))["params"]["include_layers"] == [1, 2]
    assert contents(sv.bertviz.model_view(trace))["params"]["include_heads"] == list(range(6))


def test_no_other_pattern_is_computed(trace, monkeypatch) -> None:
    computed = []
    tiles = sv.Trace.tiles

    def recorded(self, layer, head):
        computed.append((layer, head))
        return tiles(self, layer, head)

    monkeypatch.setattr(sv.Trace, "tiles", recorded)
    for view in VIEWS:
        sv.bertviz.estimate(trace, view=view)
        with pytest.raises(ValueError, match="the limit is"):
            show(view, trace, limit=1e-6)
        assert computed == []
        show(view, trace, layers=[1], heads=[4, 2])
        assert computed == [(1, 4), (1, 2)]
        computed.clear()


def test_neuron_view_holds_what_makes_the_attention(trace) -> None:
    """Softmax of its queries and keys over what its spans show is its attention."""
    packed = contents(sv.bertviz.neuron_view(trace, layers=[1, 2], heads=[4, 0, 5]))
    data, facts = packed["params"]["attention"]["all"], packed["facts"]
    queries, keys = np.array(data["queries"]), np.array(data["keys"])
    assert queries.shape == (2, 3, 31, 16)
    assert keys.shape == (2, 2, 31, 16)  # of each KV head once: heads 4 and 5 share one
    assert facts["kvHeads"] == [0, 1, 0]
    dense = reference.dense_mask(trace.segmentation, 31)
    for layer in range(2):
        spans = np.array(facts["spans"][layer])
        seen = (np.arange(31) >= spans[:, :1]) & (np.arange(31) < spans[:, 1:])
        np.testing.assert_array_equal(seen, dense)
        for head, kv_head in enumerate(facts["kvHeads"]):
            products = queries[layer, head] @ keys[layer, kv_head].T / np.sqrt(16)
            scores = torch.from_numpy(np.where(seen, products, -np.inf))
            expected = scores.softmax(-1).numpy()
            np.testing.assert_allclose(data["attn"][layer][head], expected, atol=2e-3)
    assert packed["params"]["bidirectional"] is True


def test_spans_of_sliding_windows() -> None:
    _model, prompt, trace = traced("qwen2-windowed")
    packed = contents(sv.bertviz.neuron_view(trace, heads=0, positions=(4, 25)))
    for layer, window in enumerate([None, 5, 5]):
        dense = reference.dense_mask(prompt.segmentation, 31, window)[4:25, 4:25]
        spans = np.array(packed["facts"]["spans"][layer])
        seen = (np.arange(21) >= spans[:, :1]) & (np.arange(21) < spans[:, 1:])
        np.testing.assert_array_equal(seen, dense)


@pytest.mark.parametrize("view", VIEWS)
def test_some_positions_only(view, trace) -> None:
    page = show(view, trace, layers=2, heads=3, positions=(6, 11))
    data, facts = shown(page), contents(page)["facts"]
    np.testing.assert_allclose(data["attn"][0][0], trace.attention(2, 3)[6:11, 6:11], atol=HALF)
    assert facts["segments"] == [
        {"start": 0, "stop": 2, "name": "system"},
        {"start": 2, "stop": 5, "name": "user"},
    ]
    assert len(data["left_text"]) == 5
    whole = contents(show(view, trace, layers=2, heads=3, positions=(8, 27)))["facts"]["segments"]
    assert whole == [{"start": 0, "stop": 19, "name": "user"}]
    assert "token positions 6 to 10 of 31; attention to the others is not shown" in page.html
    assert "attention to the others" not in show(view, trace, layers=2, heads=3).html


@pytest.mark.parametrize("view", VIEWS)
def test_one_copy_and_no_network(view, trace) -> None:
    page = show(view, trace)
    packed = contents(page)
    text = json.dumps(packed)
    assert text.count('"attn"') == 1
    assert text.count(json.dumps(shown(page)["attn"][0][0])) == 1
    assert "PYTHON_PARAMS" not in text
    assert "cdnjs" not in text
    assert not [script for script in Elements(page.html).all("script") if "src" in script]
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", page.html)
    policy = Elements(page.html).all("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'; ")


def test_pages_are_smaller_than_those_of_bertviz(trace) -> None:
    attention = [
        torch.stack([torch.from_numpy(trace.attention(layer, head)) for head in range(6)])[None]
        for layer in range(3)
    ]
    for view in ("head", "model"):
        theirs = getattr(peer, f"{view}_view")(attention, [*trace.tokens], html_action="return")
        assert show(view, trace).size < len(theirs.data) / 2


@pytest.mark.parametrize("view", VIEWS)
def test_text_is_text(view, trace) -> None:
    tokens = (*HOSTILE, *trace.tokens[len(HOSTILE) :])
    named = replace(trace, tokens=tokens, recipe={**trace.recipe, "model": HOSTILE[0]})
    page = show(view, named, layers=0, heads=0)
    elements = Elements(page.html)
    assert not elements.all("img")
    assert len(elements.all("script")) == 2
    labels = contents(page)["facts"]["labels"]
    assert labels[:6] == [*HOSTILE[:5], "⏎"]
    assert page.html.count("&lt;/script&gt;&lt;img") == 2  # the title and the caption
    [frame] = Elements(page._repr_html_()).all("iframe")
    assert frame["srcdoc"] == page.html
    assert len(Elements(page._repr_html_()).found) == 1


@pytest.mark.parametrize("width", [("head", 13), ("model", 10)])
def test_long_tokens_are_shortened_in_the_middle(width) -> None:
    view, most = width
    long = "<|start_header_id|>"
    short = shortened(long, view)
    assert len(short) == most
    front, back = short.split("…")
    assert long.startswith(front)
    assert long.endswith(back)
    assert shortened(long[:most], view) == long[:most]
    assert 5 <= len(shortened("字" * 20, view)) <= most // 2 + 1


def test_it_says_under_which_mask_and_whether_untuned(trace) -> None:
    assert trace.untuned
    assert "qwen3 · segment mask · untuned" in sv.bertviz.head_view(trace, 0, 0).html
    tuned = replace(trace, recipe={**trace.recipe, "default_mask": "segment"})
    html = sv.bertviz.head_view(tuned, 0, 0).html
    assert "segment mask" in html
    assert "untuned" not in html
    assert "causal mask" in sv.bertviz.head_view(replace(trace, mask_kind="causal"), 0, 0).html


def wide(length: int, layers: int = 2, spread: float = 1.0) -> sv.Trace:
    """A trace of random queries and keys, 4 query heads on 2 KV heads of 8 dimensions."""
    generator = torch.Generator().manual_seed(length)
    captured = [
        CapturedLayer(
            torch.randn(4, length, 8, generator=generator) * spread,
            torch.randn(2, length, 8, generator=generator) * spread,
            scale=8**-0.5,
        )
        for _ in range(layers)
    ]
    return sv.Trace(
        tokens=("x",) * length,
        token_ids=(5,) * length,
        prompt_length=length,
        generated_text="",
        segmentation=sv.Segmentation([sv.Segment(0, length, "text")]),
        mask_kind="segment",
        layers=captured,
        likely=None,  # type: ignore[reportArgumentType]
        recipe={"model": "random"},
        decode=str,
    )


@pytest.mark.parametrize("view", VIEWS)
def test_8192_tokens_are_refused_with_advice_that_helps(view) -> None:
    trace = wide(8192)
    with pytest.raises(ValueError, match=r"draw [\d,]{10,} SVG elements at once.*sv\.explore") as e:
        show(view, trace, layers=1, heads=0)
    [stop] = re.findall(r"positions=\(0, (\d+)\)", str(e.value))
    assert int(stop) > 100
    cost = sv.bertviz.estimate(trace, 1, 0, view=view, positions=(0, int(stop)))
    more = sv.bertviz.estimate(trace, 1, 0, view=view, positions=(0, int(stop) + 1))
    assert cost.load <= 1 < more.load
    page = show(view, trace, layers=1, heads=0, positions=(8000, 8020))
    np.testing.assert_allclose(
        shown(page)["attn"][0][0], trace.attention(1, 0)[8000:8020, 8000:8020], atol=HALF
    )


@pytest.mark.parametrize("view", VIEWS)
def test_limit(view, trace) -> None:
    load = sv.bertviz.estimate(trace, view=view).load
    with pytest.raises(ValueError, match=rf"the {view} view would draw"):
        show(view, trace, limit=load * 0.99)
    assert show(view, trace, limit=load).size > 0
    with pytest.raises(ValueError, match=r"limit=[\d.]+") as refused:
        show(view, wide(60, layers=40), limit=load)
    [advised] = re.findall(r"limit=([\d.]+)", str(refused.value))
    assert show(view, wide(60, layers=40), limit=float(advised)).size > 0


def test_a_page_of_many_layers_is_refused_for_its_size() -> None:
    cost = sv.bertviz.estimate(wide(64, layers=1000), view="head")
    assert cost.drawn == 4 * 64 * 64
    assert cost.load > 1
    assert str(cost).startswith("head view: 16,384 SVG elements drawn at once, a page of about 5")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_the_size_is_known_before(view, spread) -> None:
    trace = wide(80, spread=spread)
    size = show(view, trace).size
    assert size <= sv.bertviz.estimate(trace, view=view).size <= 1.8 * size


@pytest.mark.parametrize("view", VIEWS)
def test_one_token(view) -> None:
    page = show(view, wide(1))
    assert shown(page)["attn"] == [[[[1.0]]] * 4] * 2
    assert repr(page) == f"<BertViz {view} view of random: layers 0 and 1, heads 0 to 3, 1 token>"


def test_layers_whose_products_bertviz_would_compute_in_another_way(trace) -> None:
    scaled = replace(trace, layers=[*trace.layers[:2], replace(trace.layers[2], scale=0.5)])
    with pytest.raises(ValueError, match=r"layer 2 multiplies q·k by 0\.5, .*1/√16 = 0\.25"):
        sv.bertviz.neuron_view(scaled)
    assert sv.bertviz.neuron_view(scaled, layers=[0, 1]).size
    assert sv.bertviz.head_view(scaled).size
    other = CapturedLayer(torch.zeros(6, 31, 8), torch.zeros(2, 31, 8), scale=8**-0.5)
    mixed = replace(trace, layers=[*trace.layers[:2], other])
    with pytest.raises(ValueError, match=r"have heads of \[8, 16\] dimensions"):
        sv.bertviz.neuron_view(mixed)


@pytest.mark.parametrize("view", VIEWS)
def test_only_a_trace_is_drawn(view) -> None:
    compared = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=0)
    with pytest.raises(TypeError, match=r"got a Comparison: .* take comparison\.causal or"):
        show(view, compared)
    with pytest.raises(TypeError, match="draws one Trace, and got a str"):
        show(view, "run.safetensors")


def test_wrong_choices(trace) -> None:
    for view in VIEWS:
        with pytest.raises(IndexError, match="there is no layer 3: allowed are 0 to 2"):
            show(view, trace, layers=[0, 3])
        with pytest.raises(IndexError, match="there is no head -7: allowed are 0 to 5"):
            show(view, trace, heads=-7)
    with pytest.raises(TypeError, match=r"a layer is an integer, not 1\.0"):
        sv.bertviz.head_view(trace, [1.0])  # type: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="heads are integers, not 'mean'"):
        sv.bertviz.head_view(trace, heads="mean")  # type: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="no head is asked for: name some of 0 to 5"):
        sv.bertviz.model_view(trace, heads=[])
    with pytest.raises(IndexError, match=r"the trace has 31 tokens: stop is at most that"):
        sv.bertviz.head_view(trace, positions=(4, 32))
    for empty in [(4, 4), (-3, 2)]:
        with pytest.raises(ValueError, match="which holds none"):
            sv.bertviz.head_view(trace, positions=empty)
    with pytest.raises(TypeError, match=r"positions are \(start, stop\), not 4"):
        sv.bertviz.head_view(trace, positions=4)  # type: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="there is no view 'tree': allowed are 'head'"):
        sv.bertviz.estimate(trace, view="tree")  # type: ignore[reportArgumentType]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"attn": ', '"patterns": '),
        lambda text: re.sub("params(?= =)", "given", text),
        lambda text: text.replace("leftText, ", "left, ").replace("'include_layers'", "'l'"),
        lambda text: text.replace("drawCheckboxes(0", "drawSwitches(0").replace("'token'", "'t'")
        .replace('"token"', '"t"').replace('"highlight"', '"h"'),
        lambda text: text.replace("/5.7.0/d3.min", "/5.7.0/d3.mjs").replace("/d3/", "/D3/"),
        lambda _text: "",
    ],
    ids=["data", "place", "arguments", "elements", "scripts", "nothing"],
)  # fmt: skip
def test_a_bertviz_that_has_changed(view, change, trace, monkeypatch) -> None:
    module, name = (peer_neurons, "show") if view == "neuron" else (peer, f"{view}_view")
    original = getattr(module, name)

    def changed(*arguments, **options):
        return HTML(change(original(*arguments, **options).data))

    monkeypatch.setattr(module, name, changed)
    with pytest.raises(RuntimeError, match=r"another way than 1\.4\.0 and .*bertviz==1\.4\.1"):
        show(view, trace)


def test_save(trace, tmp_path) -> None:
    page = sv.bertviz.head_view(trace)
    page.save(tmp_path / "heads.html")
    assert (tmp_path / "heads.html").read_text(encoding="utf-8") == page.html
    assert (tmp_path / "heads.html").stat().st_size == page.size
    with pytest.raises(FileNotFoundError, match="no folder '/nowhere' to save a page in"):
        page.save("/nowhere/heads.html")
    assert [path.name for path in tmp_path.iterdir()] == ["heads.html"]


def test_scripts_of_others_are_as_published_and_licensed() -> None:
    listed = re.findall(
        r"\| `(\S+\.js)` \|.*?`(\S+LICENSE\.txt)`.*`([0-9a-f]{64})` \|",
        (STATIC / "README.md").read_text(encoding="utf-8"),
    )
    own = {"frame.js"}
    assert {name for name, _, _ in listed} == {p.name for p in STATIC.glob("*.js")} - own
    for name, licence, digest in listed:
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest
        assert "Copyright" in (STATIC / licence).read_text(encoding="utf-8")


def test_types_of_the_script() -> None:
    command = [tools.find("tsc"), "--noEmit", "--allowJs", "--checkJs", "--strict",
               "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler",
               "--lib", "es2023,dom,dom.iterable", STATIC / "frame.js"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_bertviz_is_imported_when_a_view_is_made() -> None:
    code = "import segviz.bertviz, sys; print('bertviz' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
