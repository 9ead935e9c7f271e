"""What two executions of a notebook differ in: the committed outputs against those of the code."""

from __future__ import annotations

import base64
from io import BytesIO
from itertools import zip_longest
from typing import Any

import numpy as np
from nbformat import NotebookNode
from PIL import Image

VARIES = "varies"
"""The tag of a cell whose outputs are measurements: only their kinds are compared."""

TEXTS = ("text/plain", "text/markdown")
SHADE = 24  # of 255: what antialiasing may do
SHARE = 0.0005  # of a picture's pixels; a word that has changed is more


def differences(committed: NotebookNode, executed: NotebookNode) -> list[str]:
    """A sentence for each code cell whose outputs differ."""
    found = []
    pairs = zip_longest(*(code_cells(notebook) for notebook in (committed, executed)))
    for number, (old, new) in enumerate(pairs, 1):
        if old is None or new is None or old.source != new.source:
            found.append(f"code cell {number} is another one")
        elif difference := _difference(old, new):
            found.append(f"code cell {number}, {new.source.splitlines()[0]!r}: {difference}")
    return found


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _difference(old: NotebookNode, new: NotebookNode) -> str | None:
    if printed(old) != printed(new):
        return f"prints {printed(new)!r}, not {printed(old)!r}"
    datas = [[x.data for x in cell.outputs if "data" in x] for cell in (old, new)]
    kinds = [[sorted(data) for data in those] for those in datas]
    if kinds[0] != kinds[1]:
        return f"gives {kinds[1]}, not {kinds[0]}"
    if VARIES in new.metadata.get("tags", ()):
        return None
    for before, after in zip(*datas, strict=True):
        for kind in TEXTS:
            if before.get(kind) != after.get(kind):
                return f"gives {after[kind]!r}, not {before[kind]!r}"
        if "image/png" in before and (share := changed(before["image/png"], after["image/png"])):
            return f"{share:.1%} of its picture's pixels have changed"
    return None


def printed(cell: NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def changed(before: str, after: str) -> float:
    """The share of pixels that are not alike, or 0 if it is negligible; 1 for another size."""
    one, other = (_pixels(text) for text in (before, after))
    if one.shape != other.shape:
        return 1.0
    share = float((np.abs(one - other).max(axis=-1) > SHADE).mean())
    return share if share > SHARE else 0.0


def _pixels(text: str) -> Any:
    with Image.open(BytesIO(base64.b64decode(text))) as image:
        return np.asarray(image.convert("RGB"), dtype=np.int16)
