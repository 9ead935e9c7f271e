"""Free memory: how many bytes a device can still give."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

# Where Linux says what a control group may use, what it uses, and how much of that is a cache of
# files that it would give up: in both versions of control groups.
_GROUPS = {
    "memory": (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
    "": ("memory.max", "memory.current", ("inactive_file", "active_file")),
}


def available(device: torch.device, root: Path = Path("/")) -> int | None:
    """Bytes that a run could still take on a device; None where they cannot be told.

    >>> available(torch.device("meta")) is None
    True

    Args:
        device: a GPU of CUDA, or the CPU under Linux; others cannot be told.
        root: of the file system.
    """
    if device.type == "cuda":
        # What torch has reserved, but not given to a tensor, is free to it.
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    if device.type == "cpu" and sys.platform == "linux":
        free = [_free_in_machine(root), *_free_in_groups(root)]
        return min((one for one in free if one is not None), default=None)
    return None


def _free_in_machine(root: Path) -> int | None:
    return _numbers(root / "proc/meminfo").get("MemAvailable:")


def _free_in_groups(root: Path) -> list[int]:
    """What the limits leave that hold for this process, a container's for instance."""
    free = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        fields = line.split(":", 2)
        if len(fields) < 3:  # noqa: PLR2004 (number, controllers, path)
            continue
        _number, controllers, path = fields
        names = controllers.split(",")
        kind = "memory" if "memory" in names else ""
        if kind not in names:
            continue
        limit, used, files = _GROUPS[kind]
        mount = root / "sys/fs/cgroup" / kind
        group = mount / path.lstrip("/")
        # A limit of a group above holds, too. In a container the path may name a group that is
        # not to be seen from inside, where the container's own is at the top.
        for folder in (group, *group.parents):
            most, taken = _text(folder / limit).strip(), _text(folder / used).strip()
            if most.isdigit() and taken.isdigit():
                statistics = _numbers(folder / "memory.stat")
                cached = sum(statistics.get(name, 0) for name in files)
                free.append(max(0, int(most) - int(taken) + cached))
            if folder == mount:
                break
    return free


def _numbers(path: Path) -> dict[str, int]:
    """The first number of each line behind its name, in bytes."""
    lines = [line.split() for line in _text(path).splitlines()]
    return {
        words[0]: int(words[1]) * (1024 if words[2:] == ["kB"] else 1)
        for words in lines
        if len(words) > 1 and words[1].isdigit()
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
