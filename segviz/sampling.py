"""Sampling: the few decoding settings that an explorer offers, and the options they stand for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segviz.model import Model

DEFAULTS: Mapping[str, Any] = {
    "max_new_tokens": 16,
    "do_sample": False,
    "temperature": 1.0,
    "top_p": 1.0,
    "seed": None,
}
"""Greedy unless told otherwise. A seed of None: one is drawn, and kept until it is changed."""


def settings_of(
    model: Model, max_new_tokens: int, options: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Decoding options as settings, and those that are none (``stopping_criteria``, …).

    What is not given comes from ``generation_config`` where that is given, else from the model's
    own, as in transformers; whether to sample never comes from the model's own.
    """
    others = {name: value for name, value in options.items() if name not in DEFAULTS}
    given = options.get("generation_config")
    own = given or getattr(model.hf_model, "generation_config", None)
    settings = {**DEFAULTS, "max_new_tokens": max_new_tokens, "seed": options.get("seed")}
    settings["do_sample"] = bool(options.get("do_sample", given is not None and given.do_sample))
    for name in ("temperature", "top_p"):
        settings[name] = options.get(name, getattr(own, name, None) or DEFAULTS[name])
    if not settings["do_sample"]:
        # Given without sampling they are a slip, which the model refuses with a sentence.
        others |= {name: options[name] for name in ("temperature", "top_p") if name in options}
    return settings, others


def options_of(settings: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The options of :meth:`segviz.Model.trace` that settings stand for, but for the length.

    >>> options_of({**DEFAULTS, "do_sample": True, "top_p": 0.9}, {})
    {'do_sample': True, 'temperature': 1.0, 'top_p': 0.9, 'seed': None}
    >>> options_of(DEFAULTS, {"repetition_penalty": 1.2})
    {'repetition_penalty': 1.2, 'do_sample': False, 'seed': None}
    """
    sampling = ("temperature", "top_p") if settings["do_sample"] else ()
    return {**others, **{name: settings[name] for name in ("do_sample", *sampling, "seed")}}


def checked_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, completed with the defaults; numbers of numpy become plain ones.

    >>> checked_settings({"max_new_tokens": 4})["do_sample"]
    False

    Raises:
        ValueError: an unknown name, or a value out of range.
    """
    unknown = set(given) - set(DEFAULTS)
    if unknown:
        raise ValueError(
            f"decoding: unknown {', '.join(sorted(unknown))}; allowed are {', '.join(DEFAULTS)}"
        )
    settings = {**DEFAULTS, **{name: _plain(value) for name, value in given.items()}}
    for name, (allowed, words) in _RULES.items():
        if not allowed(settings[name]):
            raise ValueError(f"decoding: {name} is {settings[name]!r}; it is {words}")
    # transformers takes no whole number for these, and a page sends 2 for 2.0.
    return {**settings, **{name: float(settings[name]) for name in ("temperature", "top_p")}}


def _plain(value: Any) -> Any:
    """A number of any kind (numpy's too) as an int or a float, all else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "max_new_tokens": (_is_whole, "an integer, 0 or more"),
    "do_sample": (lambda value: isinstance(value, bool), "True or False"),
    "temperature": (lambda value: _is_number(value) and 0 < value < math.inf, "a number above 0"),
    "top_p": (lambda value: _is_number(value) and 0 < value <= 1, "a number above 0, at most 1"),
    "seed": (lambda value: value is None or _is_whole(value), "an integer, 0 or more, or None"),
}
