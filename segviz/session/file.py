"""Sessions as small JSON files: prompt, segments, view and settings."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segviz import __version__
from segviz.files import whole
from segviz.prompts import Prompt
from segviz.segments import Segmentation

if TYPE_CHECKING:
    from segviz.model import Model
    from segviz.session import Session

FORMAT = 1

SETTINGS = (
    "view", "layer", "head", "reduce", "merge", "scale", "hide_first", "normalize", "pinned",
    "panels",
)  # fmt: skip
"""Traits of a session that are saved as they are."""


def write(path: Path, session: Session) -> None:
    """Write what :func:`read` needs to go on.

    Raises:
        TypeError: template options or messages that JSON does not know.
        FileNotFoundError: no such folder.
    """
    prompt = session.prompt
    data = {
        "segviz": __version__,
        "format": FORMAT,
        "model": session.model.name,
        "prompt": {
            "kind": prompt.kind,
            "messages": prompt.messages,
            "template_options": prompt.template_options,
            "text": prompt.text,
            "split": _split_to_json(prompt.split),
            "token_ids": prompt.token_ids,
            "tokens": prompt.tokens,
        },
        "template": session.template.to_dict(),
        "segmentation": session.segmentation.to_dict(),
        "decoding": dict(session.decoding),
        "settings": {name: getattr(session, name) for name in SETTINGS},
    }
    try:
        text = json.dumps(data, ensure_ascii=False, indent=1)
    except TypeError as error:
        raise TypeError(
            f"this session cannot be saved: {error}. Template options and message contents have "
            "to be plain text, numbers, lists and dicts"
        ) from error
    with whole(path, "a session") as unfinished:
        unfinished.write_text(text + "\n", encoding="utf-8")


def read(path: Path, model: Model) -> tuple[Prompt, Segmentation, dict[str, Any], dict[str, Any]]:
    """Prompt with its segments, the template's segments, decoding and settings.

    Where the model cuts the prompt into other tokens than the one it was saved with, the segments
    are the template's, and a warning says so.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is no session, or settings the model cannot take.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no session file {str(path)!r}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(
                f"{path} has format {data['format']}; this segviz reads format {FORMAT}: "
                f"it was written by segviz {data['segviz']}"
            )
        saved = data["prompt"]
        template = Segmentation.from_dict(data["template"])
        segmentation = Segmentation.from_dict(data["segmentation"])
        decoding, settings = data["decoding"], data["settings"]
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is no session: session.save(path) writes one ({type(error).__name__}: {error})"
        ) from error
    prompt = _prompt(saved, template, model)
    if prompt.token_ids != tuple(saved["token_ids"]):
        warnings.warn(
            f"{path} was saved with {data['model']!r}, whose prompt has other tokens than that of "
            f"{model.name!r}: edits of the segments are lost",
            stacklevel=3,
        )
        settings = {**settings, "pinned": None}
        return prompt, prompt.segmentation, decoding, settings
    return prompt.with_segmentation(segmentation), template, decoding, settings


def _prompt(saved: dict[str, Any], template: Segmentation, model: Model) -> Prompt:
    """The prompt as the model makes it now; from its tokens where nothing else is known."""
    if saved["kind"] == "chat":
        return model.chat(saved["messages"], **saved["template_options"])
    if saved["kind"] == "text":
        return model.prompt(saved["text"], _split_from_json(saved["split"]))
    return Prompt(saved["token_ids"], saved["tokens"], saved["text"], template)


def _split_to_json(split: str | re.Pattern[str] | None) -> Any:
    return split if split is None or isinstance(split, str) else [split.pattern, split.flags]


def _split_from_json(saved: Any) -> str | re.Pattern[str] | None:
    return re.compile(*saved) if isinstance(saved, list) else saved
