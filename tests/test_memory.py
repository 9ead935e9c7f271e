"""The estimate beside what a run really holds, the refusal and its advice, and free memory."""

from __future__ import annotations

import os
import re
import sys
import weakref

import pytest
import reference
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary
from transformers import AutoModelForCausalLM

import segviz as sv
from segviz import memory
from segviz.free_memory import available

CPU = torch.device("cpu")
GPUS = [torch.device("cuda", number) for number in (0, 1)]
LENGTH = 300


class Live(TorchDispatchMode):
    """Counts the bytes of the storages that are made while it is active, and live at once."""

    def __init__(self, model: sv.Model) -> None:
        super().__init__()
        self.live = self.peak = 0
        here = [*model.hf_model.parameters(), *model.hf_model.buffers()]
        self.seen = WeakIdKeyDictionary({tensor.untyped_storage(): None for tensor in here})

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(results):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage() not in self.seen:
                storage = tensor.untyped_storage()
                self.seen[storage] = None
                self._add(storage.nbytes())
                weakref.finalize(storage, self._add, -storage.nbytes())
        return results

    def _add(self, count: int) -> None:
        self.live += count
        self.peak = max(self.peak, self.live)


def wide(**shape) -> sv.Model:
    """A model whose layers are large beside its vocabulary, as real ones are."""
    dtype = shape.pop("dtype", torch.float32)
    config = reference.make("llama", positions=1024).config
    config.update({"hidden_size": 96, "intermediate_size": 320, "head_dim": 16, **shape})
    hf_model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    hf_model.generation_config.eos_token_id = None
    return sv.Model(hf_model, reference.tokenizer())


def size_of(tensors) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@pytest.fixture(scope="module")
def prompt():
    segments = [
        sv.Segment(0, 1, "bos", "causal"),
        sv.Segment(1, 90, "system"),
        sv.Segment(90, 295, "user"),
        sv.Segment(295, LENGTH, "assistant", "causal"),
    ]
    return reference.random_prompt(LENGTH, 2, sv.Segmentation(segments))


# The estimate


@pytest.mark.parametrize("new_tokens", [0, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("architecture", reference.CONFIGS)
def test_what_a_trace_keeps(architecture, dtype, new_tokens) -> None:
    model = sv.Model(reference.make(architecture, dtype=dtype), reference.tokenizer())
    model.hf_model.generation_config.eos_token_id = None
    prompt = reference.random_prompt(41, 3)
    needed = model.estimate(prompt, new_tokens)
    trace = model.trace(prompt, max_new_tokens=new_tokens)
    assert needed.queries == size_of(layer.queries for layer in trace.layers)
    assert needed.keys == needed.values == size_of(layer.keys for layer in trace.layers)
    assert needed.hidden == trace.hidden.numel() * trace.hidden.element_size()
    shape = (reference.LAYERS, reference.HEADS, len(trace.tokens), len(trace.tokens))
    assert needed.attention == torch.empty(shape, dtype=dtype, device="meta").nbytes
    both = model.estimate(prompt, new_tokens, masks=2)
    assert (both.kept, both.attention) == (2 * needed.kept, 2 * needed.attention)


@pytest.mark.parametrize(
    ("shape", "new_tokens", "masks"),
    [
        ({}, 0, 1),
        ({"num_key_value_heads": 6, "intermediate_size": 64}, 0, 1),  # attention is the widest
        ({"num_hidden_layers": 16, "dtype": torch.bfloat16}, 0, 1),
        ({"num_hidden_layers": 8}, 5, 1),
        ({"num_hidden_layers": 8}, 5, 2),
    ],
)
def test_what_a_run_holds_at_most(prompt, shape, new_tokens, masks) -> None:
    model = wide(**shape)
    with Live(model) as counted:
        model.traces(prompt, new_tokens, masks=("segment", "causal")[:masks])
    needed = model.estimate(prompt, new_tokens, masks=masks)
    assert sum(needed.devices.values()) == pytest.approx(counted.peak, rel=0.15)


def test_sizes_that_there_cannot_be(prompt) -> None:
    model = wide()
    for call in (model.estimate, model.check):
        with pytest.raises(ValueError, match="max_new_tokens is -3; it is 0 or more"):
            call(prompt, -3)
        with pytest.raises(TypeError, match="max_new_tokens is an integer, not 1.5"):
            call(prompt, 1.5)
        for masks in (0, 3, ("causal", "segment")):
            with pytest.raises(ValueError, match=r"masks is .*; it is a number of masks, 1 or 2"):
                call(prompt, masks=masks)


def test_layers_on_several_devices(prompt, monkeypatch) -> None:
    model = wide(num_hidden_layers=5)
    alone = model.estimate(prompt)
    layers = list(model.hf_model.model.layers)
    monkeypatch.setattr(memory, "computing_device", lambda layer: GPUS[layers.index(layer) > 1])
    shared = model.estimate(prompt)
    assert (shared.kept, shared.attention) == (alone.kept, alone.attention)
    captured = alone.kept - alone.hidden
    assert shared.devices == {
        GPUS[0]: captured * 2 // 5 + alone.workspace,
        GPUS[1]: captured * 3 // 5 + alone.hidden + alone.workspace,
    }
    moved = memory.estimate(model.hf_model, LENGTH, offload="cpu")
    cache = (alone.keys + alone.values) // 5
    assert moved.devices == {
        GPUS[0]: 2 * cache + alone.workspace,
        GPUS[1]: 3 * cache + alone.workspace,
        CPU: alone.kept,
    }


def test_offloading_changes_nothing_on_the_cpu() -> None:
    hf_model = wide().hf_model
    assert memory.estimate(hf_model, LENGTH, offload="cpu") == memory.estimate(hf_model, LENGTH)


def test_weights_that_are_brought_for_each_call() -> None:
    accelerate = pytest.importorskip("accelerate", reason="accelerate is an optional dependency")
    hf_model = wide().hf_model
    before = memory.estimate(hf_model, LENGTH)
    largest = max(weight.nbytes for weight in hf_model.parameters())
    accelerate.cpu_offload(hf_model, CPU)
    after = memory.estimate(hf_model, LENGTH)
    assert after.workspace == before.workspace + largest
    assert list(after.devices) == [CPU]


def test_a_line_for_people(prompt) -> None:
    line = str(wide().estimate(prompt))
    pattern = (
        r"about \d+\.\d MB on cpu \(.* captured queries, .* keys and values, .* kB hidden states, "
        r".* workspace\); storing attention would take \d\.\d MB"
    )
    assert re.fullmatch(pattern, line), line


# The refusal


def refusal(monkeypatch, hf_model, free: dict[torch.device, int], **arguments) -> str:
    """The sentence of the refusal, "" if there is none, where the devices have so much free."""
    monkeypatch.setattr(memory, "available", free.get)
    try:
        memory.check(hf_model, LENGTH, **arguments)
    except MemoryError as error:
        return str(error)
    return ""


def test_a_run_that_fits_is_not_refused(monkeypatch) -> None:
    hf_model = wide().hf_model
    needed = memory.estimate(hf_model, LENGTH).devices[CPU]
    assert not refusal(monkeypatch, hf_model, {CPU: needed})
    assert "300 tokens needs about" in refusal(monkeypatch, hf_model, {CPU: needed - 1})
    assert not refusal(monkeypatch, hf_model, {}), "what a device has free may be unknown"


def test_a_trace_is_refused_before_it_runs(prompt, monkeypatch) -> None:
    model = wide()
    monkeypatch.setattr(memory, "available", {CPU: 100_000}.get)
    model.hf_model.register_forward_pre_hook(lambda *_: pytest.fail("the model runs"))
    with pytest.raises(MemoryError, match=r"300 tokens needs .* But cpu has 100 kB free"):
        model.trace(prompt)


def test_the_prompt_that_would_fit_fits(monkeypatch) -> None:
    hf_model = wide(dtype=torch.bfloat16).hf_model
    free = memory.estimate(hf_model, 100, 8).devices
    sentence = refusal(monkeypatch, hf_model, free, max_new_tokens=8)
    assert "300 tokens and 8 new ones needs" in sentence
    longest = int(re.search(r"at most about ([\d,]+) tokens", sentence)[1])
    assert 97 <= longest <= 100


def test_advice_that_would_not_help_is_not_given(monkeypatch) -> None:
    half = wide(dtype=torch.bfloat16).hf_model
    sentence = refusal(monkeypatch, half, {CPU: 1000})
    assert sentence.endswith("would help: a smaller model")
    full = wide().hf_model
    needed = memory.estimate(full, LENGTH).devices[CPU]
    freed = sum(weight.nbytes for weight in full.parameters()) // 2
    assert "dtype='bfloat16'" in refusal(monkeypatch, full, {CPU: needed // 2 - freed})
    assert "dtype='bfloat16'" not in refusal(monkeypatch, full, {CPU: needed // 2 - freed - 2})


def test_advice_for_a_gpu(monkeypatch) -> None:
    hf_model = wide(dtype=torch.bfloat16).hf_model
    monkeypatch.setattr(memory, "computing_device", lambda _layer: GPUS[0])
    needed = memory.estimate(hf_model, LENGTH)
    moved = memory.estimate(hf_model, LENGTH, offload="cpu").devices
    assert "offload='cpu'" in refusal(monkeypatch, hf_model, moved)
    assert "offload='cpu'" not in refusal(monkeypatch, hf_model, {**moved, CPU: moved[CPU] - 1})
    assert "offload='cpu'" not in refusal(
        monkeypatch, hf_model, {GPUS[0]: 1000, CPU: 1 << 40}, offload="cpu"
    )
    whole = sum(needed.devices.values()) + sum(weight.nbytes for weight in hf_model.parameters())
    assert "device='cpu'" in refusal(monkeypatch, hf_model, {GPUS[0]: 1000, CPU: whole})
    assert "device='cpu'" not in refusal(monkeypatch, hf_model, {GPUS[0]: 1000, CPU: whole - 1})
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    free = {GPUS[0]: 1000, GPUS[1]: whole, CPU: whole}
    assert "device='cuda:1'" in refusal(monkeypatch, hf_model, free)


def test_one_mask_after_the_other(monkeypatch) -> None:
    hf_model = wide().hf_model
    free = memory.estimate(hf_model, LENGTH, 3).devices
    sentence = refusal(monkeypatch, hf_model, free, max_new_tokens=3, masks=2)
    assert "under 2 masks side by side" in sentence
    assert "one mask after the other" in sentence


# Free memory


def write(root, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


MEMINFO = {"proc/meminfo": "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  8000 kB\n"}


@pytest.mark.skipif(sys.platform != "linux", reason="main memory can be told under Linux only")
@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 8000 * 1024),
        # The second version of control groups: the limit of a group above holds, too, and files
        # that are cached give way.
        (
            {
                "proc/self/cgroup": "0::/user/lab\n",
                "sys/fs/cgroup/user/lab/memory.max": "max\n",
                "sys/fs/cgroup/user/lab/memory.current": "4000\n",
                "sys/fs/cgroup/user/memory.max": "9000\n",
                "sys/fs/cgroup/user/memory.current": "5000\n",
                "sys/fs/cgroup/user/memory.stat": "anon 1\ninactive_file 700\nfile 1000\n",
            },
            4700,
        ),
        # Inside a container its own group is at the top, whatever the path says.
        (
            {
                "proc/self/cgroup": "0::/somewhere/else\n",
                "sys/fs/cgroup/memory.max": "7000\n",
                "sys/fs/cgroup/memory.current": "8000\n",
            },
            0,
        ),
        # The first version, beside other controllers; no limit is a huge number.
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/\n2:hugetlb,memory:/job\n0::/\n",
                "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "6000\n",
                "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "1000\n",
                "sys/fs/cgroup/memory/job/memory.stat": "total_inactive_file 50\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1000\n",
            },
            5050,
        ),
    ],
)
def test_main_memory(tmp_path, files, free) -> None:
    write(tmp_path, MEMINFO | files)
    assert available(CPU, tmp_path) == free


@pytest.mark.skipif(sys.platform != "linux", reason="main memory can be told under Linux only")
def test_main_memory_of_this_machine() -> None:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < available(CPU) < whole


def test_memory_that_cannot_be_told(tmp_path) -> None:
    assert available(CPU, tmp_path) is None
    assert available(torch.device("mps")) is None


def test_a_gpu(monkeypatch) -> None:
    """What torch holds without using it is free to it."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (500, 9000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _device: 70)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _device: 30)
    assert available(GPUS[1]) == 540
