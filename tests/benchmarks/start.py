"""Start: from a new Python process to the first picture."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.common import Table, progress

SIZES = {"full": {"repeats": 5}, "quick": {"repeats": 2}, "tiny": {"repeats": 1}}

# Prints the seconds from the start of the process, which is its argument, to each step.
SCRIPT = """
import json, sys, time
started = float(sys.argv[1])
times = {}

def done(step):
    times[step] = time.time() - started

done("Python itself")
import segviz as sv
done("`import segviz`")
model = sv.load()
done("`sv.load()`")
session = sv.explore(model, sv.examples["chain"])
while session.pattern is None:
    time.sleep(0.005)
done("the first attention pattern in the explorer")
session.wait()
done("both answers and all that is in sight")
session.close()
print(json.dumps(times))
"""


def tables(repeats: int) -> Iterator[Table]:
    """Seconds from the start of the process to each step."""
    progress("start")
    found = [_start() for _ in range(repeats)]
    yield Table(
        "Start",
        {"up to": "", "seconds": ".2f"},
        [[step, statistics.median(times[step] for times in found)] for step in found[0]],
        f"The embedded model, in a new process every time. Medians of {repeats}.",
    )


def _start() -> dict[str, float]:
    command = [sys.executable, "-c", SCRIPT, repr(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout.splitlines()[-1])
