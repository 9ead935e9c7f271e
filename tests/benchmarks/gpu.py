"""GPU: models of real shapes in bf16, their prefill, memory, kernels, capture, looks and decode.

The weights are random, made on the device: speed does not depend on them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen2Config

import segviz as sv
from benchmarks import capture, decode, looking
from benchmarks.common import Cell, Table, progress, ratio
from benchmarks.measure import FAILURES, Way, medians, peak, said
from benchmarks.models import chat, prompt, sentences, shape_text, work_ratio
from benchmarks.peers import CAUSAL, FLEX, SEGMENT, TRACED, TRACED_CAUSAL, ways

SHAPES: dict[str, PreTrainedConfig] = {
    "Llama-3.2-1B": LlamaConfig(
        vocab_size=128256,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=64,
        max_position_embeddings=131072,
        tie_word_embeddings=True,
        eos_token_id=None,
    ),
    "Qwen2.5-7B": Qwen2Config(
        vocab_size=152064,
        hidden_size=3584,
        intermediate_size=18944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        max_position_embeddings=131072,
        eos_token_id=None,
    ),
    "Llama-3.1-8B": LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=131072,
        eos_token_id=None,
    ),
}

SIZES = {
    "full": {"shapes": SHAPES, "lengths": (1024, 4096, 16384, 32768), "repeats": 5},
    "quick": {"shapes": {"Llama-3.2-1B": SHAPES["Llama-3.2-1B"]}, "lengths": (1024, 4096)},
    "tiny": {
        "shapes": {
            "tiny": LlamaConfig(
                vocab_size=97,
                hidden_size=32,
                intermediate_size=48,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                eos_token_id=None,
            )
        },
        "lengths": (32,),
        "repeats": 1,
        "device": "cpu",
        "flex": False,
    },
}

LOOKED = 4096
"""Tokens of the smaller tables, where the lengths allow it."""

SLOW = "_scaled_dot_product_attention_math"
"""The operator that torch's attention falls to when no fused kernel takes the call."""


def tables(
    shapes: Mapping[str, PreTrainedConfig],
    lengths: Sequence[int],
    repeats: int = 3,
    device: str = "cuda",
    *,
    flex: bool = True,
) -> Iterator[Table]:
    """For each shape the prefills, the kernels, capture, one head and decoding."""
    if device == "cuda" and not torch.cuda.is_available():
        yield Table("On a GPU", {}, [], "No CUDA device here: not run.")
        return
    left_out = set() if flex else {FLEX}
    for name, config in shapes.items():
        hf_model = made(config, device)
        for cut in (chat, sentences):
            rows = [
                row
                for tokens in lengths
                for row in prefills(hf_model, cut(tokens), repeats, left_out)
            ]
            yield Table(
                f"{name}, prefill, {_CUTS[cut]}",
                {
                    "tokens": ",d",
                    "prefill": "",
                    "seconds": ".3f",
                    "ratio": ".2f",
                    "ratio / arithmetic": ".2f",
                    "peak above the weights, GB": ".2f",
                },
                rows,
                f"{shape_text(hf_model)}, bf16, random weights. Medians of {repeats}.",
            )
        tokens = min(LOOKED, max(lengths))
        progress(f"{name}: kernels, capture, one head, decoding")
        yield kernels(hf_model, name, tokens)
        yield capture.share(hf_model, tokens, repeats)
        yield looking.one_head(hf_model, tokens, repeats)
        compiled = {"cache_implementation": "static"} if device == "cuda" else {}
        yield decode.one_answer(
            hf_model, tokens, 64 if device == "cuda" else 3, repeats, **compiled
        )
        del hf_model
        _free()


_CUTS: dict[Callable[[int], sv.Segmentation], str] = {
    chat: "a chat: 20 % system, 70 % user",
    sentences: "one short segment per sentence",
}


def made(config: PreTrainedConfig, device: str) -> Any:
    """A model with random weights in bf16, made where it runs."""
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()


def prefills(
    hf_model: Any, segmentation: sv.Segmentation, repeats: int, left_out: set[str]
) -> list[list[Cell]]:
    """The rows of one length: each way alone on the device, since each may fill it."""
    tokens = segmentation.length
    found: dict[str, tuple[Cell, Cell]] = {}
    for way, prepare in ways(hf_model, prompt(segmentation)).items():
        if way not in left_out:
            progress(f"{tokens} tokens in {len(segmentation.segments)} segments: {way}")
            found[way] = _alone(prepare, repeats, str(hf_model.device))
    work, floor = work_ratio(hf_model, segmentation), found[CAUSAL][0]
    return [
        [
            tokens,
            way,
            seconds,
            ratio(seconds, floor),
            ratio(ratio(seconds, floor), work if way in SEGMENT else 1),
            held,
        ]
        for way, (seconds, held) in found.items()
    ]


def _alone(prepare: Callable[[], Way], repeats: int, device: str) -> tuple[Cell, Cell]:
    """Seconds and peak GB of one way; the words for what failed in their place."""

    def prepare_and_run() -> object:
        return prepare()()

    failed = ""
    try:
        # With its masks, which belong to it.
        held = peak(prepare_and_run, device) / 1e9
        return medians({"": prepare()}, repeats, device)[""], held
    except FAILURES as error:
        failed = said(error)
    finally:
        _free()
    return failed, "–"


def _free() -> None:
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


def kernels(hf_model: Any, name: str, tokens: int) -> Table:
    """Which attention operators and kernels a trace runs: none of them the slow ones."""
    rows: list[list[Cell]] = []
    for way, cut in ((TRACED_CAUSAL, chat), (TRACED, chat), (TRACED, sentences)):
        run = ways(hf_model, prompt(cut(tokens)))[way]()
        run()  # compiles and loads outside of the profile
        operators, devices = profiled(run)
        slow = [operator for operator in operators if SLOW in operator]
        verdict = f"**error: {', '.join(slow)}**" if slow else "fused"
        rows.append([f"{way}, {_CUTS[cut]}", verdict, _counted(operators), _counted(devices)])
    return Table(
        f"{name}, kernels at {tokens:,} tokens",
        {"run": "", "attention": "", "operators": "", "kernels on the device": ""},
        rows,
    )


def profiled(run: Way) -> tuple[dict[str, int], dict[str, int]]:
    """Attention's operators and its kernels on the device in one run, with their counts."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profile:
        run()
    operators: dict[str, int] = {}
    devices: dict[str, int] = {}
    for event in profile.key_averages():
        lower = event.key.lower()
        if "_scaled_dot_product_" in lower or "flex_attention" in lower:
            operators[event.key] = event.count
        elif event.device_type == torch.autograd.DeviceType.CUDA and any(
            part in lower for part in ("flash", "fmha", "cudnn", "attention")
        ):
            devices[event.key[:60]] = event.count
    return operators, devices


def _counted(found: Mapping[str, int]) -> str:
    return ", ".join(f"`{name}` × {count}" for name, count in found.items()) or "–"
