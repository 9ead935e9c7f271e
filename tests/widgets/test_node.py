"""The page's pure functions: their own tests, and that they agree with Python's."""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64encode
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tools

from segviz import palette
from segviz.grouping import MERGES
from segviz.masks import causal_mask, segment_mask
from segviz.scales import DECADES
from segviz.segments import Segment, Segmentation
from segviz.widgets import AttentionView, assets, scale

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "segviz" / "widgets" / "static"
SCRIPTS = sorted(path.name for path in STATIC.glob("*.js"))


def _node(*arguments: object, given: str = "") -> str:
    command = [tools.find("node"), *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_types():
    command = [tools.find("tsc"), "-p", HERE / "tsconfig.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pure_functions():
    _node("--test", *sorted(HERE.glob("*.test.mjs")))


@pytest.mark.parametrize("name", SCRIPTS)
def test_joined_scripts_are_modules(name, tmp_path):
    # Joined, two names at the top level could clash; then this is no valid module.
    path = tmp_path / name.replace(".js", ".mjs")
    path.write_text(assets.script(name))
    _node("--check", path)


@pytest.mark.parametrize("name", SCRIPTS)
def test_joined_scripts_stand_alone(name):
    text = assets.script(name)
    assert not re.search(r"^\s*import\b", text, re.MULTILINE)
    assert "@param" not in text
    assert text.count("export default") <= 1
    assert "http://" not in text
    assert "https://" not in text


def test_comments_go_and_code_stays(monkeypatch):
    sources = {
        "a.js": '// @ts-check\nimport { b } from "./b.js";\n/** @type {number} */ let x = 1;\n'
        'const url = "a/*b*/c"; // stays\n/* one\n two */\nexport default { render: b };\n',
        "b.js": 'export function b() {}\nexport const C = "// not a comment";\n'
        "export default { render: 1 };\n",
        "renames.js": 'import { b as c } from "./b.js";\n',
        "outside.js": 'import x from "https://example.org/x.js";\n',
    }
    assets.script.cache_clear()
    monkeypatch.setattr(assets, "_read", sources.__getitem__)
    try:
        assert assets.script("a.js") == (
            'function b() {}\nconst C = "// not a comment";\n'
            '/** @type {number} */ let x = 1;\nconst url = "a/*b*/c"; // stays\n'
            "export default { render: b };\n"
        )
        for name in ("renames.js", "outside.js"):
            with pytest.raises(ValueError, match="import"):
                assets.script(name)
    finally:
        assets.script.cache_clear()


def _random_segmentation(rng: np.random.Generator) -> Segmentation:
    length = int(rng.integers(1, 30))
    count = int(rng.integers(1, min(length, 6) + 1))
    inner = sorted(rng.choice(np.arange(1, length), count - 1, replace=False).tolist())
    edges = [0, *inner, length]
    kinds = rng.choice(["bidirectional", "causal"], count)
    return Segmentation(
        Segment(start, stop, f"part {index}", str(kind))
        for index, (start, stop, kind) in enumerate(zip(edges[:-1], edges[1:], kinds, strict=True))
    )


def test_mask_and_edits_agree_with_python():
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(60):
        segmentation = _random_segmentation(rng)
        window = None if rng.random() < 0.5 else int(rng.integers(1, 12))
        cases.append(
            {
                "segments": segmentation.to_dict()["segments"],
                "index": int(rng.integers(0, len(segmentation.segments))),
                "position": int(rng.integers(0, segmentation.length + 1)),
                "options": {"window": window, "mask": str(rng.choice(["segment", "causal"]))},
            }
        )
    answers = json.loads(_node(HERE / "parity.mjs", given=json.dumps(cases)))
    for case, answer in zip(cases, answers, strict=True):
        segmentation = Segmentation.from_dict(case)
        _check_states(segmentation, case["options"], answer["states"])
        _check_edits(segmentation, case["index"], case["position"], answer)


def _check_states(segmentation: Segmentation, options: dict, states: list[int]) -> None:
    shape = (segmentation.length,) * 2
    window = options["window"]
    causal = causal_mask(segmentation.length, window=window)
    whole = causal if options["mask"] == "causal" else segment_mask(segmentation, window=window)
    assert np.array_equal(np.reshape(states, shape), np.where(causal, 1, np.where(whole, 2, 0)))


def _check_edits(segmentation: Segmentation, index: int, position: int, answer: dict) -> None:
    def dicts(edited: Segmentation) -> list[dict]:
        return [asdict(segment) for segment in edited.segments]

    last = index == len(segmentation.segments) - 1
    assert answer["merged"] == dicts(segmentation if last else segmentation.merge(index))
    if not last:
        before, after = segmentation.segments[index : index + 2]
        allowed = min(max(position, before.start + 1), after.stop - 1)
        assert answer["moved"] == dicts(segmentation.move_boundary(index, allowed))
    starts = {segment.start for segment in segmentation.segments} | {segmentation.length}
    split = segmentation if position in starts else segmentation.split(position)
    assert answer["split"] == dicts(split)
    other = {"causal": "bidirectional", "bidirectional": "causal"}
    kind = other[segmentation.segments[index].attention]
    assert answer["toggled"] == dicts(segmentation.set_attention(index, kind))


TOKENS = [
    "<s>",
    "An",
    "na",
    " fol",
    "lows",
    " Ben",
    ".",
    "\n",
    " Who",
    "?",
    "北",
    "京",
    " ok",
    "ay",
]
CHAT = Segmentation(
    [Segment(0, 1, "bos", "causal"), Segment(1, 4, "system"), Segment(4, 14, "user")]
)


def shares(data: np.ndarray, kind: str, look: str) -> np.ndarray:
    """What bytes of a picture stand for, as shares of the end of its scale."""
    part = (data - 1.0) / 254 if kind == "sequential" else (data - 128.0) / 127
    size = np.abs(part)
    share = {"sqrt": size**2, "log": np.where(size > 0, 10 ** (DECADES * (size - 1)), 0)}
    return np.sign(part) * share.get(look, size)


@pytest.mark.parametrize("kind", scale.KINDS)
@pytest.mark.parametrize("rows", [14, 9], ids=["square", "last queries"])
def test_page_and_python_draw_the_same(kind, rows, monkeypatch):
    sent = []
    monkeypatch.setattr(AttentionView, "send", lambda _, *message: sent.append(message))
    rng = np.random.default_rng(5)
    values = rng.dirichlet(np.full(14, 0.3), rows)
    if kind == "diverging":
        values -= rng.dirichlet(np.full(14, 0.3), rows)
    view = AttentionView(None, TOKENS, CHAT)
    view.show(values, kind=kind, mask=segment_mask(CHAT)[14 - rows :])
    content, buffers = sent[-1]
    looks = list(product(MERGES, scale.SCALES, [False, True], [False, True]))
    cases = [
        {
            "content": content,
            "buffers": [b64encode(buffer).decode() for buffer in buffers],
            "segments": view.segments,
            "merge": merge,
            "hideFirst": hide_first,
            "look": {"scale": look, "normalize": normalize},
        }
        for merge, look, hide_first, normalize in looks
    ]
    answers = json.loads(_node(HERE / "parity.mjs", given=json.dumps(cases)))
    pictures = set()
    for (merge, look, hide_first, normalize), answer in zip(looks, answers, strict=True):
        view.update(merge=merge, scale=look, hide_first=hide_first, normalize=normalize)
        expected = view.encoded
        assert expected is not None
        for name in ("rowStarts", "columnStarts"):
            starts = getattr(expected, {"r": "row_starts", "c": "column_starts"}[name[0]])
            assert answer[name] == (None if starts is None else starts.tolist())
        data = np.reshape(answer["data"], expected.data.shape)
        np.testing.assert_array_equal(data == scale.MASKED, expected.data == scale.MASKED)
        apart = np.abs(shares(data, kind, look) - shares(expected.data, kind, look))
        # A byte of the page is off by up to 0.8 % (1.6 % where data diverge), so is a row's
        # largest, and a step of the logarithmic colours is 3.7 % (7.5 %).
        assert apart[expected.data != scale.MASKED].max() <= (0.04, 0.08)[kind == "diverging"]
        pictures.add(data.tobytes())
    assert len(pictures) > len(looks) // 2


def test_python_and_page_have_the_same_colours():
    css = (STATIC / "base.css").read_text()
    light = css[: css.index('[data-theme="dark"]')]
    found = [re.search(rf"--sv-seg-{i}: (#\w+)", light) for i in range(len(palette.SEGMENTS))]
    assert tuple(match[1] for match in found if match) == palette.SEGMENTS
    assert f"--sv-causal: {palette.CAUSAL}" in light
    assert f"--sv-decode: {palette.DECODE}" in light
    assert f"COLORS = {len(palette.SEGMENTS)};" in (STATIC / "common.js").read_text()
