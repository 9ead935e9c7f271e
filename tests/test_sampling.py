"""Decoding settings: what they stand for, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import reference

import segviz as sv
from segviz.sampling import DEFAULTS, checked_settings, options_of, settings_of


@pytest.fixture(scope="module")
def model() -> sv.Model:
    return sv.Model(reference.make("qwen2"), reference.tokenizer())


def test_options_become_settings_and_back(model) -> None:
    options = {"do_sample": True, "top_p": 0.5, "repetition_penalty": 1.5}
    settings, others = settings_of(model, 7, options)
    assert settings == {**DEFAULTS, "max_new_tokens": 7, "do_sample": True, "top_p": 0.5}
    assert others == {"repetition_penalty": 1.5}
    assert options_of(settings, others) == {**options, "temperature": 1.0, "seed": None}


def test_the_models_own_temperature_holds_until_it_is_changed(model, monkeypatch) -> None:
    monkeypatch.setattr(model.hf_model.generation_config, "temperature", 0.25)
    monkeypatch.setattr(model.hf_model.generation_config, "do_sample", True)
    settings, _others = settings_of(model, 4, {})
    assert settings["temperature"] == 0.25
    assert settings["do_sample"] is False


def test_a_temperature_without_sampling_is_left_to_the_model_to_refuse(model) -> None:
    settings, others = settings_of(model, 4, {"temperature": 0.5})
    with pytest.raises(TypeError, match="add do_sample=True"):
        model.with_seed(reference.random_prompt(5, 0), 4, options_of(settings, others))


def test_numbers_of_numpy() -> None:
    given = {
        "max_new_tokens": np.int64(4),
        "temperature": np.float32(0.5),
        "top_p": np.float64(0.25),
        "seed": np.uint8(3),
    }
    settings = checked_settings(given)
    assert settings == {**DEFAULTS, **given}
    assert [type(settings[name]) for name in given] == [int, float, float, int]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"beams": 2}, "unknown beams; allowed are max_new_tokens, do_sample"),
        ({"temperature": 0}, "temperature is 0; it is a number above 0"),
        ({"temperature": "hot"}, "temperature is 'hot'"),
        ({"top_p": 1.5}, "top_p is 1.5; it is a number above 0, at most 1"),
        ({"max_new_tokens": 2.5}, "max_new_tokens is 2.5; it is an integer, 0 or more"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": True}, "seed is True"),
        ({"max_new_tokens": np.float32(4)}, "max_new_tokens is 4.0; it is an integer"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"top_p": np.float32(1.5)}, "top_p is 1.5"),
    ],
)
def test_refused(given, said) -> None:
    with pytest.raises(ValueError, match=said):
        checked_settings(given)
