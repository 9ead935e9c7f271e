"""Assets: the scripts and style sheets of the views, each put together from its parts.

An anywidget has one module at run time, and a relative import inside it fails. The sources are
ordinary modules that import each other (type-checked and tested as such); here a module and what
it imports become one text, dependencies first, without the import and export words.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_IMPORT = re.compile(
    r"^import\s*\{(?P<names>[^}]*)\}\s*from\s*[\"']\./(?P<file>[\w.]+)[\"'];?[ ]*\n", re.MULTILINE
)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)
_DEFAULT = re.compile(r"^export default .*\n", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?:/\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*\n", re.MULTILINE | re.DOTALL)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)


@cache
def script(name: str) -> str:
    """One self-contained module: the view's file with everything it imports.

    >>> text = script("mask_view.js")
    >>> "import {" in text, text.count("export default")
    (False, 1)

    Raises:
        ValueError: an import that cannot be resolved here, such as a renamed or outside one.
    """
    return "".join(
        _stripped(_read(part), keep_exports=part == name) for part in _with_imports(name)
    )


@cache
def style(*names: str) -> str:
    """Style sheets joined, without comments and indentation.

    >>> "/*" in style("base.css")
    False
    """
    return "".join(_INDENT.sub("", _COMMENT.sub("", _read(name))) for name in names)


@cache
def _read(name: str) -> str:
    return (files("segviz.widgets") / "static" / name).read_text(encoding="utf-8")


def _with_imports(name: str, seen: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The files ``name`` needs, itself last, each once."""
    for match in _IMPORT.finditer(_read(name)):
        if " as " in match["names"]:
            raise ValueError(f"{name}: the import of {match['file']} renames; joined files cannot")
        if match["file"] not in seen:
            seen = _with_imports(match["file"], seen)
    return (*seen, name)


def _stripped(source: str, *, keep_exports: bool) -> str:
    # Comments and indentation go: every widget carries its script into saved notebooks.
    text = _IMPORT.sub("", _COMMENT.sub("", source))
    if re.search(r"^import\b", text, re.MULTILINE):
        raise ValueError(f"an import that is not of the form import {{…}} from './…': {text[:200]}")
    text = _INDENT.sub("", text)
    return text if keep_exports else _EXPORT.sub("", _DEFAULT.sub("", text))
