"""Template: what BertViz itself makes of a view, with one number in place of the attention.

BertViz writes its pages as a string, with all numbers in it twice, as text, and with its scripts
at a CDN. So it is given a single cell; what it returns is taken apart, and the page is put together
from the parts (:mod:`segviz.bertviz.page`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import torch

from segviz.bertviz.choice import Choice

ViewKind = Literal["head", "model", "neuron"]
"""Which of BertViz's views."""

TESTED = "1.4.0 and 1.4.1"
"""Versions of BertViz whose views are known."""

_PARAMS = "window.bertviz_params"
_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<source>.*?)</script>", re.DOTALL)
_GIVEN = re.compile(r"(?:const params|window\.bertviz_params) = (?=\{)")
_URL = re.compile(r"(?P<quote>['\"])https?://[^'\"]*/(?P<name>d3|jquery)/[^'\"]*(?P=quote)")

# What `static/frame.js` looks for in the page, and what makes the numbers true.
_RELIED_ON = {
    "head": (
        '.attr("id", isLeft ? "left" : "right")',
        '.classed("background", true)',
        "drawCheckboxes(0, svg, layerAttention)",
        "params['include_layers']",
    ),
    "model": (
        '.classed("token", true)',
        "params['include_layers']",
        "params['include_heads']",
        "params['total_heads']",
    ),
    "neuron": (
        "const params = window.bertviz_params",
        'renderText(svg, leftText, "leftText", posLeftText, false)',
        '.classed("highlight", true)',
        'layerSelect.append($("<option />").val(i).text(i))',
        'headSelect.append($("<option />").val(i).text(i))',
        ".classed('vector', true)",
        '.attr("id", "dotproducts")',
        "dotProduct / Math.sqrt(config.vectorSize)",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Template:
    """The parts of a BertViz page.

    Args:
        body: its HTML, without scripts.
        script: its own script, which reads ``window.bertviz_params``.
        params: what it is given there; the attention is a single cell.
    """

    body: str
    script: str
    params: dict[str, Any]

    @property
    def shown(self) -> dict[str, Any]:
        """The part of ``params`` with the numbers and the tokens."""
        attention, chosen = self.params["attention"], self.params["default_filter"]
        return attention[int(chosen)] if isinstance(attention, list) else attention[chosen]


def template(view: ViewKind, choice: Choice) -> Template:
    """What BertViz makes of a view.

    >>> made = template("model", Choice(layers=[2], heads=[5, 1], positions=slice(0, 9)))
    >>> made.params["include_layers"], made.params["include_heads"], sorted(made.shown)
    ([2], [5, 1], ['attn', 'left_text', 'name', 'right_text'])
    >>> "https://cdn" in made.body + made.script
    False

    Raises:
        RuntimeError: an installed BertViz that writes its pages in another way.
    """
    try:
        return _taken_apart(view, _MAKE[view](choice).data)
    except (AttributeError, KeyError, LookupError, TypeError, ValueError) as error:
        raise RuntimeError(
            f"the installed bertviz {version('bertviz')} writes its {view} view in another way "
            f"than {TESTED}, which are known here: install one of these, as by "
            "pip install 'bertviz==1.4.1'"
        ) from error


def _taken_apart(view: ViewKind, page: str) -> Template:
    sources = [match["source"] for match in _SCRIPT.finditer(page) if "src=" not in match[0]]
    text = "".join(sources)
    given = _GIVEN.search(text)
    if given is None:
        raise ValueError("no parameters in the page")
    params, end = json.JSONDecoder().raw_decode(text, given.end())
    script = sources[-1].replace(text[given.end() : end], _PARAMS)
    script, urls = _URL.subn(lambda match: f"'{match['name']}'", script)
    if urls != len({"d3", "jquery"}):
        raise ValueError(f"{urls} scripts are loaded by require.js")
    for part in _RELIED_ON[view]:
        if part not in script:
            raise ValueError(f"not in the script: {part}")
    made = Template(_SCRIPT.sub("", page).strip(), script, params)
    if not {"attn", "left_text", "right_text"} <= made.shown.keys():
        raise KeyError(f"other parameters: {list(made.shown)}")
    return made


def _cells(heads: int) -> torch.Tensor:
    return torch.zeros(1, heads, 1, 1)


def _head_view(choice: Choice) -> Any:
    import bertviz  # noqa: PLC0415 (takes 0.15 s)

    attention = [_cells(1)] * (max(choice.layers) + 1)
    return bertviz.head_view(attention, ["x"], include_layers=choice.layers, html_action="return")


def _model_view(choice: Choice) -> Any:
    import bertviz  # noqa: PLC0415

    attention = [_cells(max(choice.heads) + 1)] * (max(choice.layers) + 1)
    return bertviz.model_view(
        attention,
        ["x"],
        display_mode="light",
        include_layers=choice.layers,
        include_heads=choice.heads,
        html_action="return",
    )


def _neuron_view(_choice: Choice) -> Any:
    from bertviz.neuron_view import show  # noqa: PLC0415

    # Under "gpt2" BertViz adds no tokens of its own.
    return show(_OneCell(), "gpt2", _OneToken(), "x", display_mode="light", html_action="return")


class _OneCell:
    """In place of one of BertViz's own models: what it reads of a run."""

    def eval(self) -> None:
        pass

    def __call__(self, _token_ids: torch.Tensor) -> list[Any]:
        cell = _cells(1)
        return [[{"attn": cell, "queries": cell, "keys": cell}]]


class _OneToken:
    """In place of its tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return [text]

    def convert_tokens_to_ids(self, tokens: list[str]) -> list[int]:
        return [0] * len(tokens)


_MAKE = {"head": _head_view, "model": _model_view, "neuron": _neuron_view}
