"""Page: a BertViz view as one self-contained page, and as the frame that a notebook shows.

Scripts and numbers are packed together, gzipped and in base64: they are there once, and no token
can be taken for HTML or script. The page allows itself no connection to anywhere.
"""

from __future__ import annotations

import gzip
import html
import json
from base64 import b64encode
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from segviz.bertviz.template import Template
from segviz.files import whole

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style></head>
<body><div class="sv-caption">{caption}</div>
{body}
<script type="text/plain" id="sv-packed">{packed}</script>
<script type="module">
{script}
</script></body></html>
"""  # noqa: E501 (a policy is one line)
_FRAME = (
    '<iframe srcdoc="{page}" title="{title}" '
    'style="width:100%;height:{height}px;border:0;background:#fff;color-scheme:light"></iframe>'
)
# A tenth larger than the default level makes it, in a third of the time.
_LEVEL = 3
# In this order.
_LIBRARIES = ("d3.min.js", "jquery.min.js", "require.js")


@dataclass(frozen=True, repr=False)
class Page:
    """A BertViz view: shown where it is the last line of a notebook cell, or saved.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    >>> page = sv.bertviz.head_view(trace, layers=1)
    >>> page.html.startswith("<!doctype html>"), page._repr_html_().startswith("<iframe srcdoc=")
    (True, True)

    Args:
        html: the whole page, with its scripts and its numbers; it needs no network.
        title: what it shows.
        height: of the frame, in pixels, until the page sets its own.
    """

    html: str
    title: str
    height: int = field(default=600)

    @property
    def size(self) -> int:
        """Of the page, in bytes.

        >>> Page("<p>é</p>", "a letter").size
        9
        """
        return len(self.html.encode())

    def save(self, path: str | Path) -> None:
        """Write the page to a file that any browser opens.

        >>> import tempfile
        >>> import segviz as sv
        >>> page = sv.bertviz.head_view(sv.load().trace(sv.examples["chain"]), layers=1)
        >>> page.save(Path(tempfile.mkdtemp()) / "heads.html")

        Raises:
            FileNotFoundError, IsADirectoryError: no place for it; what is there stays as it is.
        """
        with whole(Path(path), "a page") as unfinished:
            unfinished.write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        page, title = html.escape(self.html), html.escape(self.title)
        return _FRAME.format(page=page, title=title, height=self.height)

    def __repr__(self) -> str:
        return f"<{self.title}>"


def page(made: Template, facts: dict[str, Any], title: str, caption: str, height: int) -> Page:
    """The page of a view.

    Args:
        made: the parts that BertViz wrote, with the numbers and tokens in place.
        facts: what ``static/frame.js`` adds to the view.
        title: of the page, as text.
        caption: the line above the view, as text.
        height: of the frame, until the page sets its own.
    """
    scripts = [_read(name) for name in _LIBRARIES]
    data = {"scripts": [*scripts, made.script], "params": made.params, "facts": facts}
    text = json.dumps(data, separators=(",", ":"))
    written = _PAGE.format(
        title=html.escape(title),
        style=_read("frame.css"),
        caption=html.escape(caption),
        body=made.body,
        packed=b64encode(gzip.compress(text.encode(), _LEVEL, mtime=0)).decode(),
        script=_read("frame.js").replace("</", "<\\/"),
    )
    return Page(written, title, height)


@cache
def _read(name: str) -> str:
    return (files("segviz.bertviz") / "static" / name).read_text(encoding="utf-8")
