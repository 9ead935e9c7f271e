"""Compare: ``segviz compare``, a prompt under both masks in the terminal."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import segviz as sv
from segviz.cli import models, prompting, report
from segviz.cli.terminal import Page, Progress

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.trace import MaskKind, Trace

_MOST = 64
"""Next tokens that a trace keeps of each position."""

_DESCRIPTION = """\
Run a prompt under the causal and the segment mask with the same weights,
greedily, and print both answers, where they part, and the next-token
distributions there.
"""

_EXAMPLES = r"""examples:
  segviz compare --example chain
  segviz compare "Anna follows Ben. Who leads Anna?" --system "Answer with one word."
  segviz compare --file essay.txt --split '\n\n' --max-new-tokens 0
  git log -1 | segviz compare - --model Qwen/Qwen2.5-0.5B-Instruct --dtype bfloat16
  segviz compare --example chain --save run
  segviz figure run.causal.safetensors run.segment.safetensors \
      --kind comparison --layer 1 --head 0 -o fig.pdf
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "compare",
        help="run a prompt under the causal and the segment mask",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "prompt",
        nargs="?",
        metavar="PROMPT",
        help="its text; '-', or nothing in a pipe: standard input",
    )
    prompting.add_options(parser)
    models.add_options(parser, "tiny-llama, tuned for segment masks, which needs no network")
    parser.add_argument(
        "--max-new-tokens",
        metavar="N",
        type=_count,
        default=32,
        help="how long each answer may be; 0: the prompt only (default: 32)",
    )
    parser.add_argument(
        "--top",
        metavar="K",
        type=_top,
        default=8,
        help=f"next tokens to show of each distribution, up to {_MOST} (default: 8)",
    )
    parser.add_argument(
        "--save",
        metavar="PREFIX",
        help="keep the traces as PREFIX.causal.safetensors and PREFIX.segment.safetensors",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    # What can be wrong is found before the model is loaded.
    source = prompting.source(options)
    files = _files(options.save)
    with Progress(sys.stderr) as progress:
        model = models.Choice.of(options).load(progress)
        prompt = source.prompt(model)
        progress.say(f"reading {prompt.length:,} tokens under both masks …")
        written: dict[MaskKind, int] = {"causal": 0, "segment": 0}

        def on_token(mask: MaskKind, _text: str) -> None:
            written[mask] += 1
            progress.say(f"{mask} mask: token {written[mask]} of at most {options.max_new_tokens}")

        comparison = sv.compare(model, prompt, options.max_new_tokens, on_token=on_token)
        for trace in (comparison.causal, comparison.segment):
            if files:
                progress.say(f"writing {files[trace.mask_kind]} …")
                trace.save(files[trace.mask_kind])
    if options.split is not None and options.split not in (source.text or ""):
        print(
            f"segviz: the prompt does not hold the delimiter {options.split!r}: it is one segment",
            file=sys.stderr,
        )
    if options.json:
        print(json.dumps(as_json(comparison, options.top), indent=2))
    else:
        print("\n".join(report.lines(comparison, options.top, Page(sys.stdout))))
    return 0


def as_json(comparison: Comparison, top: int) -> dict[str, Any]:
    """The report for programs.

    >>> comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)
    >>> made = as_json(comparison, top=3)
    >>> made["segment"]["answer"].strip(), made["parted"], made["exact"]
    ('Lena', True, True)

    Returns:
        ``segments`` of the prompt; for each mask its answer, the generated tokens and the
        ``next_tokens`` at ``position``; ``divergence`` there in nats, None where it is infinite;
        ``parted``: whether the answers differ, then from token position ``position + 1`` on.
    """
    segment, position = comparison.segment, report.place(comparison)
    divergence = float(comparison.divergence()[position])
    return {
        "segviz": sv.__version__,
        "prompt_length": segment.prompt_length,
        "prompt_tokens": segment.tokens[: segment.prompt_length],
        "segments": [
            {
                "name": one.name,
                "start": one.start,
                "stop": one.stop,
                "attention": one.attention,
            }
            for one in report.prompt_segments(segment)
        ],
        "parted": comparison.parted,
        "position": position,
        "divergence": divergence if math.isfinite(divergence) else None,
        "exact": comparison.exact,
        "untuned": segment.untuned,
        "causal": _one_run(comparison.causal, position, top),
        "segment": _one_run(segment, position, top),
    }


def _one_run(trace: Trace, position: int, top: int) -> dict[str, Any]:
    top = min(top, trace.likely.ranks)
    ids = trace.likely.at(position).token_ids[:top].tolist()
    likely = zip(ids, trace.next_tokens(position, top), strict=True)
    return {
        "answer": trace.generated_text,
        "tokens": trace.tokens[trace.prompt_length :],
        "token_ids": trace.token_ids[trace.prompt_length :],
        "next_tokens": [
            {"token": token, "token_id": token_id, "probability": probability}
            for token_id, (token, probability) in likely
        ],
        "recipe": dict(trace.recipe),
    }


def _files(prefix: str | None) -> dict[MaskKind, Path]:
    """Where to keep the traces, by mask."""
    if prefix is None:
        return {}
    files: dict[MaskKind, Path] = {
        "causal": Path(f"{prefix}.causal.safetensors"),
        "segment": Path(f"{prefix}.segment.safetensors"),
    }
    for path in files.values():
        check_writable(path)
    return files


def check_writable(path: Path) -> None:
    """Find out before the work whether a file can be written; where not, an OSError."""
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder: give the name of a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {str(path.parent)!r} to write {path.name!r} in: make it first, or "
            "give another path"
        )
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(
            f"the folder {str(path.parent)!r} cannot be written to: give another path"
        )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tokens: 0 or more")
    return int(text)


def _top(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= _MOST):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not possible: a trace keeps the {_MOST} most likely tokens, give 1 to "
            f"{_MOST}"
        )
    return int(text)
