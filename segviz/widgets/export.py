"""Export: a view as one self-contained HTML page, no host and no kernel behind it.

The page holds the traits and the last messages of the view (and of the views it hosts), their
scripts, and a small stand-in for the widget model (``static/page.js``). Buffers are gzipped.
"""

from __future__ import annotations

import gzip
import html
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from segviz.widgets import assets

if TYPE_CHECKING:
    from segviz.widgets.base import Message, View

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 16px; background: #fff; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #16181d; }} }}
{style}
</style></head>
<body><div id="segviz"></div>
<script type="application/json" id="segviz-data">{data}</script>
<script type="module">
{script}
</script></body></html>
"""
_REFERENCE = "anywidget:"
_PLUMBING = {"_esm", "_css", "layout", "tabbable", "tooltip", "comm"}


def page(view: View, title: str) -> str:
    """The page of :meth:`segviz.widgets.View.to_html`."""
    models: dict[str, dict[str, Any]] = {}
    scripts: list[str] = []
    styles: list[str] = []
    _collect(view, models, scripts, styles)
    data = {"root": view.model_id, "models": models, "scripts": scripts}
    return _PAGE.format(
        title=html.escape(title),
        style="\n".join(styles).replace("</", "<\\/"),
        data=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        script=assets.script("page.js").replace("</", "<\\/"),
    )


def _collect(
    view: View, models: dict[str, dict[str, Any]], scripts: list[str], styles: list[str]
) -> None:
    esm, css = str(view._esm), str(getattr(view, "_css", ""))  # noqa: SLF001
    for text, texts in ((esm, scripts), (css, styles)):
        if text not in texts:
            texts.append(text)
    state = {
        name: value
        for name, value in view.get_state().items()
        if name not in _PLUMBING and not name.startswith(("_model", "_view", "_dom"))
    }
    models[view.model_id] = {
        "script": scripts.index(esm),
        "state": state,
        "messages": [_stored(message) for message in view._published.values()],  # noqa: SLF001
        "kept": {key: [_stored(one) for one in messages] for key, messages in view.kept.items()},
    }
    for name, value in state.items():
        if isinstance(value, str) and value.startswith(_REFERENCE):
            _collect(getattr(view, name), models, scripts, styles)


def _stored(message: Message) -> dict[str, Any]:
    content, buffers = message
    packed = [b64encode(gzip.compress(b, mtime=0)).decode("ascii") for b in buffers]
    return {"content": content, "buffers": packed}
