"""Sessions as small JSON files: prompt, segments, view and settings."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Any, cast

from segviz import __version__
from segviz.files import whole
from segviz.prompts import Prompt, carried, lost
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

_NAMED = 5
"""Lost edits that are named; a warning is no list."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file says, as the model that goes on with it can take it.

    Args:
        prompt: the prompt with its segments.
        template: the segments before any edit.
        decoding: the settings of the answers.
        options: decoding options besides those.
        settings: values of :data:`SETTINGS`.
        notes: what could not be kept, in sentences.
    """

    prompt: Prompt
    template: Segmentation
    decoding: dict[str, Any]
    options: dict[str, Any]
    settings: dict[str, Any]
    notes: Sequence[str]


def write(path: Path, session: Session) -> None:
    """Write what :func:`read` needs to go on; a warning names decoding options that JSON lacks.

    Raises:
        TypeError: template options or messages that JSON does not know.
        FileNotFoundError: no such folder.
    """
    with session.lock:
        data, left_out = _described(session)
    with whole(path, "a session") as unfinished:
        text = json.dumps(data, ensure_ascii=False, indent=1)
        unfinished.write_text(text + "\n", encoding="utf-8")
    if left_out:
        warnings.warn(
            f"{path}: {', '.join(left_out)} cannot be saved; opened again, the session decodes "
            "without",
            stacklevel=3,
        )


def read(path: Path, model: Model) -> Saved:
    """What is needed to go on with a model.

    The prompt is made again. Where it has other tokens than it had, by another model or by a
    template that prints the date, edits of the segments survive where its text is still there.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is no session, or a prompt the model cannot take.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no session file {str(path)!r}")
    with _no_session_if(path, TypeError, ValueError, RecursionError, re.error):
        data = json.loads(path.read_text(encoding="utf-8"))
        version = _entry(data, "format", int)
    if version != FORMAT:
        raise ValueError(
            f"{path} has format {version}; this segviz reads format {FORMAT}: "
            f"it was written by segviz {data.get('segviz')}"
        )
    with _no_session_if(path, TypeError, ValueError, re.error):
        old, template = _old_prompt(data)
        name = _entry(data, "model", str)
        decoding = _entry(data, "decoding", dict)
        options = _entry({"options": {}, **data}, "options", dict)
        settings = _entry(data, "settings", dict)
    with _no_session_if(path, TypeError):
        new = _made_again(old, template, model)
    notes = []
    if old.kind == "tokens" and name != model.name:
        notes.append(
            f"the prompt is token ids of {name!r}; to {model.name!r} they may stand for other text"
        )
    segmentation, gone = _edits_kept(old, template, new)
    if gone:
        more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
        notes.append(
            f"the prompt has other tokens than when it was saved with {name!r}; edits of its "
            f"segments that are lost: {', '.join(gone[:_NAMED])}{more}"
        )
    if unknown := sorted(settings.keys() - SETTINGS):
        notes.append(f"ignored {', '.join(unknown)}: no setting of a session")
        settings = {name: value for name, value in settings.items() if name in SETTINGS}
    if new.token_ids != old.token_ids:
        settings["pinned"] = None
    if options:
        try:
            model.check(new, 1, **{"do_sample": bool(decoding.get("do_sample")), **options})
        except (TypeError, ValueError, NotImplementedError) as error:
            notes.append(f"ignored the decoding options {', '.join(options)}: {error}")
            options = {}
    prompt = new.with_segmentation(segmentation)
    return Saved(prompt, new.segmentation, decoding, options, settings, notes)


def _described(session: Session) -> tuple[dict[str, Any], list[str]]:
    """A session as JSON knows it, and the decoding options that JSON does not know."""
    prompt = session.prompt
    for what, value in {
        "messages": prompt.messages,
        "template options": prompt.template_options,
    }.items():
        for unknown in _unknown_to_json(value):
            raise TypeError(
                f"this session cannot be saved: its {what} hold {unknown}. Messages and template "
                "options have to be text, numbers, lists, and dicts whose keys are text"
            )
    others = session._other_options  # noqa: SLF001 (a file holds what the session keeps)
    options = {name: one for name, one in others.items() if not any(_unknown_to_json(one))}
    decoding = dict(session.decoding)
    if decoding["do_sample"]:
        # The one that was drawn, so that the answer is the same again.
        decoding["seed"] = session._options.get("seed", decoding["seed"])  # noqa: SLF001
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
        "decoding": decoding,
        "options": options,
        "settings": {name: getattr(session, name) for name in SETTINGS},
    }
    return data, sorted(others.keys() - options.keys())


def _unknown_to_json(value: object) -> Iterator[str]:
    """What would be refused, or come back as something else."""
    if isinstance(value, dict):
        yield from (f"the key {key!r}" for key in value if not isinstance(key, str))
        for one in value.values():
            yield from _unknown_to_json(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _unknown_to_json(one)
    elif not isinstance(value, str | int | float | None):
        yield shortened(value)


@contextmanager
def _no_session_if(path: Path, *errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        raise ValueError(f"{path} is no session: {error}. session.save(path) writes one") from error


def _entry(data: Any, name: str, kind: type) -> Any:
    if not isinstance(data, dict):
        raise TypeError(f"{name!r} is looked for in {shortened(data)}")
    if name not in data:
        raise ValueError(f"{name!r} is missing")
    if not isinstance(data[name], kind):
        raise TypeError(f"{name!r} is {shortened(data[name])}, not a {kind.__name__}")
    return data[name]


def _old_prompt(data: Any) -> tuple[Prompt, Segmentation]:
    """The prompt as it was saved, and its segments before any edit."""
    saved = _entry(data, "prompt", dict)
    kind = _entry(saved, "kind", str)
    if kind not in ("chat", "text", "tokens"):
        raise ValueError(f"a prompt is made of chat, text or tokens, not of {kind!r}")
    token_ids, tokens = _entry(saved, "token_ids", list), _entry(saved, "tokens", list)
    if not all(type(one) is int and one >= 0 for one in token_ids):
        raise TypeError("'token_ids' are integers, 0 or more")
    if not all(isinstance(one, str) for one in tokens):
        raise TypeError("'tokens' are strings")
    prompt = Prompt(
        token_ids,
        tokens,
        _entry(saved, "text", str),
        Segmentation.from_dict(_entry(data, "segmentation", dict)),
        kind=cast("Any", kind),
        messages=_entry(saved, "messages", list) if kind == "chat" else None,
        template_options=_entry(saved, "template_options", dict) if kind == "chat" else None,
        split=_split_from_json(saved.get("split")),
    )
    template = Segmentation.from_dict(_entry(data, "template", dict))
    return prompt, prompt.with_segmentation(template).segmentation


def _made_again(old: Prompt, template: Segmentation, model: Model) -> Prompt:
    """The prompt as the model makes it now; as it was where nothing but its tokens is known."""
    if old.kind == "chat":
        messages = cast("Sequence[Mapping[str, Any]]", old.messages)
        return model.chat(messages, **(old.template_options or {}))
    if old.kind == "text":
        return model.prompt(old.text, old.split)
    return old.with_segmentation(template)


def _edits_kept(old: Prompt, template: Segmentation, new: Prompt) -> tuple[Segmentation, list[str]]:
    """The segments of the new prompt with the edits of the old one, and the edits that are lost."""
    # Told apart by their text: to another model the same token has another id.
    texts = {text: number for number, text in enumerate(dict.fromkeys(old.tokens + new.tokens))}
    before, now = (
        replace(one, token_ids=[texts[text] for text in one.tokens]) for one in (old, new)
    )
    segmentation = carried(before, template, now)
    return segmentation, lost(before, template, now.with_segmentation(segmentation))


def _split_to_json(split: str | re.Pattern[str] | None) -> Any:
    return split if split is None or isinstance(split, str) else [split.pattern, split.flags]


def _split_from_json(saved: Any) -> str | re.Pattern[str] | None:
    if isinstance(saved, list):
        return re.compile(*saved)
    if saved is not None and not isinstance(saved, str):
        raise TypeError(f"'split' is {shortened(saved)}")
    return saved
