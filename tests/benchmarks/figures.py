"""How long a figure for a paper takes, made and saved as PDF, beside plain matplotlib.

In ``tests/``: ``python -m benchmarks.figures [--tokens 60 512 4000] [--repeats 5]``. Prints a
Markdown table: medians, and in brackets the size of the file. The last row is what one writes
without segviz: the same pattern in ``imshow``, every token as a tick label.
"""

from __future__ import annotations

import argparse
import io
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from reference import make, random_prompt, tokenizer

import segviz as sv

NEW = 8


def traced(tokens: int) -> sv.Comparison:
    """Runs of a small random model under both masks, of so many tokens with the answer."""
    model = sv.Model(make("llama", positions=tokens), tokenizer())
    segments = sv.Segmentation(
        [
            sv.Segment(0, 1, "bos", "causal"),
            sv.Segment(1, tokens // 5, "system"),
            sv.Segment(tokens // 5, tokens - NEW - 2, "user"),
            sv.Segment(tokens - NEW - 2, tokens - NEW, "assistant", "causal"),
        ]
    )
    prompt = random_prompt(tokens - NEW, seed=0, segmentation=segments)
    return sv.compare(model, prompt, max_new_tokens=NEW)


def kinds(comparison: sv.Comparison) -> dict[str, Callable[[], Figure]]:
    """What is timed."""
    trace = comparison.segment
    figures = sv.figures
    return {
        "mask": lambda: figures.mask(trace),
        "attention": lambda: figures.attention(trace, 1, 2),
        "attention, 2 × 3 heads": lambda: figures.attention(trace, [0, 1], [0, 1, 2], width="text"),
        "comparison": lambda: figures.comparison(comparison, 1, 2),
        "heads, 3 × 6": lambda: figures.heads(trace),
        "flow": lambda: figures.flow(trace),
        "tokens": lambda: figures.tokens(trace, 1, 2),
        "arcs": lambda: figures.arcs(trace, 1, 2),
        "plain matplotlib": lambda: plain(trace),
    }


def plain(trace: sv.Trace) -> Figure:
    """The figure one writes by hand."""
    figure = Figure(figsize=(3.25, 3.25))
    axes = figure.subplots()
    axes.imshow(trace.attention(1, 2), interpolation="none")
    places = range(len(trace.tokens))
    axes.set_xticks(places, trace.tokens, rotation=90, fontsize=4, parse_math=False)
    axes.set_yticks(places, trace.tokens, fontsize=4, parse_math=False)
    figure.tight_layout()
    return figure


def timed(make_figure: Callable[[], Figure], repeats: int) -> tuple[float, int]:
    """Median seconds, and the bytes of the file; the first time does not count."""
    seconds, size = [], 0
    for _ in range(repeats + 1):
        started = time.perf_counter()
        buffer = io.BytesIO()
        with mpl.rc_context({"pdf.fonttype": 42}):
            make_figure().savefig(buffer, format="pdf")
        seconds.append(time.perf_counter() - started)
        size = buffer.tell()
    return statistics.median(seconds[1:]), size


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=[60, 512, 4000])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    columns = {tokens: kinds(traced(tokens)) for tokens in options.tokens}
    print(
        f"matplotlib {mpl.__version__}, torch {torch.__version__}, Python "
        f"{platform.python_version()}, {torch.get_num_threads()} threads on "
        f"{platform.machine()}, {datetime.now(UTC):%Y-%m-%d}\n"
    )
    print("| figure |", " | ".join(f"{tokens:,} tokens" for tokens in columns), "|")
    print("| --- |" + " --- |" * len(columns))
    for name in next(iter(columns.values())):
        cells = []
        for tokens, makers in columns.items():
            if name == "plain matplotlib" and tokens > 1000:
                cells.append("not tried")
                continue
            seconds, size = timed(makers[name], options.repeats)
            cells.append(f"{seconds:.2f} s ({size / 1000:.0f} kB)")
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
