"""Export: a view as one self-contained HTML page, no host and no kernel behind it.

The page holds the traits and the last messages of the view (and of the views it hosts), their
scripts, and a small stand-in for the widget model (``static/page.js``). Scripts and buffers are
gzipped.
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
    contents = _Contents()
    contents.add(view)
    data = {
        "root": view.model_id,
        "models": contents.models,
        "scripts": [_packed(script.encode()) for script in contents.scripts],
        "buffers": list(contents.buffers),
    }
    return _PAGE.format(
        title=html.escape(title),
        style="\n".join(contents.styles).replace("</", "<\\/"),
        data=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        script=assets.script("page.js").replace("</", "<\\/"),
    )


class _Contents:
    """What the views of a page need; what several of them need is there once."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.buffers: dict[str, int] = {}
        """Packed buffers with their numbers."""

    def add(self, view: View) -> None:
        """Add a view and the views it hosts."""
        esm, css = str(view._esm), str(getattr(view, "_css", ""))  # noqa: SLF001
        for text, texts in ((esm, self.scripts), (css, self.styles)):
            if text not in texts:
                texts.append(text)
        state = {
            name: value
            for name, value in view.get_state().items()
            if name not in _PLUMBING and not name.startswith(("_model", "_view", "_dom"))
        }
        published = view._published.values()  # noqa: SLF001
        self.models[view.model_id] = {
            "script": self.scripts.index(esm),
            "state": state,
            "messages": [self._stored(message) for message in published],
            "kept": {
                key: [self._stored(one) for one in messages] for key, messages in view.kept.items()
            },
        }
        for name, value in state.items():
            if isinstance(value, str) and value.startswith(_REFERENCE):
                self.add(getattr(view, name))

    def _stored(self, message: Message) -> dict[str, Any]:
        content, buffers = message
        numbers = [self.buffers.setdefault(_packed(b), len(self.buffers)) for b in buffers]
        return {"content": content, "buffers": numbers}


def _packed(data: bytes) -> str:
    return b64encode(gzip.compress(data, mtime=0)).decode("ascii")
