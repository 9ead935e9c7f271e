"""Figure: ``segviz figure``, from a saved trace to a file for the paper."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import segviz as sv
from segviz.cli import asking, models, prompting
from segviz.cli.compare import check_writable
from segviz.cli.terminal import Progress

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.model import Model
    from segviz.trace import Trace

_FOR_RUNS = (*models.OPTIONS, *prompting.OPTIONS)

ENDINGS = (".pdf", ".svg", ".png", ".pgf")

_DESCRIPTION = """\
Draw a saved trace as a figure for a paper, or read a figure's recipe back and
draw it again. Not every kind takes every option; what does not fit is told.
"""

_EXAMPLES = """examples:
  segviz compare --example chain --save run
  segviz figure run.segment.safetensors --kind attention --layer 1 --head 0,3 -o fig.pdf
  segviz figure run.causal.safetensors run.segment.safetensors \\
      --kind comparison --layer 1 --head 0 --width text -o fig.pdf
  segviz figure --recipe fig.pdf
  segviz figure --redraw fig.pdf --width slide --style slides -o slide.svg

in a Makefile:
  fig.pdf: run.segment.safetensors
  \tsegviz figure $< --kind attention --layer 1 --head 0 -o $@
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "figure",
        help="draw a saved trace as a figure for a paper",
        usage="segviz figure TRACE [TRACE] --kind KIND [--layer N] [--head N] -o FILE [OPTION …]\n"
        "       segviz figure --recipe FILE\n"
        "       segviz figure --redraw FILE [--model NAME] -o FILE [OPTION …]",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "traces",
        nargs="*",
        metavar="TRACE",
        type=Path,
        help="what trace.save or 'segviz compare --save' wrote; two (one under the causal and one "
        "under a segment mask) make a comparison",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help=f"where to; {_listed(ENDINGS)}"
    )
    parser.add_argument("--dpi", metavar="N", type=_positive, help="pixels per inch, for PNG")
    asking.add_options(parser)
    group = parser.add_argument_group("recipes")
    group.add_argument(
        "--recipe", metavar="FILE", type=Path, help="print the recipe in a figure as JSON"
    )
    group.add_argument(
        "--redraw",
        metavar="FILE",
        type=Path,
        help="draw a figure again by its recipe, changed as the other options say",
    )
    models.add_options(parser, "the one in the recipe")
    prompting.add_options(parser, "the prompt, to redraw a figure made with --no-text")
    parser.add_argument("--prompt", metavar="TEXT", help="its text; '-': standard input")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    _check(options)
    from segviz import figures  # noqa: PLC0415 (matplotlib takes a while)

    if options.recipe is not None:
        print(json.dumps(figures.recipe(options.recipe), indent=2))
        return 0
    with Progress(sys.stderr) as progress:
        if options.redraw is not None:
            figure = _redrawn(figures, options, progress)
        else:
            figure = _drawn(figures, options, progress)
        progress.say(f"writing {options.output} …")
        _save(figure, options.output, {} if options.dpi is None else {"dpi": options.dpi})
        progress.done(f"wrote {options.output}")
    return 0


def _check(options: argparse.Namespace) -> None:
    """What can be wrong before anything is read or computed."""
    sources = {"a trace": options.traces, "--recipe": options.recipe, "--redraw": options.redraw}
    chosen = [name for name, value in sources.items() if value]
    if len(chosen) != 1:
        said = f"{' and '.join(chosen)} were given" if chosen else "there is nothing to draw"
        raise ValueError(f"{said}: give one or two trace files, or --recipe FILE, or --redraw FILE")
    if options.redraw is not None and options.kind is not None:
        raise ValueError("--redraw draws the kind that the recipe names: leave --kind out")
    for_runs = [name for name in _FOR_RUNS if getattr(options, name)]
    if options.redraw is None and for_runs:
        raise ValueError(f"--{for_runs[0]} goes with --redraw only: a trace needs no model")
    if options.recipe is not None:
        if options.output is not None:
            raise ValueError("--recipe prints the recipe: leave -o out, and redirect it (> FILE)")
        return
    if options.traces and options.kind is None:
        raise ValueError(f"--kind is missing: one of {', '.join(asking.KINDS)}")
    if options.output is None:
        raise ValueError(f"-o FILE is missing: where to write the figure, {_listed(ENDINGS)}")
    if options.output.suffix.lower() not in ENDINGS:
        given = f"the ending {options.output.suffix!r}" if options.output.suffix else "no ending"
        raise ValueError(
            f"{str(options.output)!r} has {given}: a figure is written as {_listed(ENDINGS)}"
        )
    check_writable(options.output)


def _drawn(figures: Any, options: argparse.Namespace, progress: Progress) -> Any:
    """The figure of one or two trace files."""
    kind = options.kind
    arguments = asking.arguments(figures, kind, options)
    asking.check_complete(figures, kind, arguments)
    if len(options.traces) > 2:  # noqa: PLR2004 (as many as there are masks)
        raise ValueError(
            f"{len(options.traces)} traces were given: one, or two for a comparison. Several "
            "layers or heads are written with commas: --layer 0,1"
        )
    if len(options.traces) > 1 and kind not in asking.OF_COMPARISONS:
        raise ValueError(
            f"--kind {kind} draws one trace, and two were given; two make a comparison, for "
            f"{_listed(asking.OF_COMPARISONS)}"
        )
    if len(options.traces) == 1 and kind == "comparison":
        raise ValueError(
            "--kind comparison needs two traces of one prompt: one under the causal and one under "
            "a segment mask"
        )
    traces = []
    for path in options.traces:
        progress.say(f"reading {path} …")
        traces.append(sv.Trace.load(path))
    progress.say(f"drawing {kind} of {len(traces[0].tokens):,} tokens …")
    drawn = traces[0] if len(traces) == 1 else _compared(traces)
    return getattr(figures, kind)(drawn, **arguments)


def _compared(traces: list[Trace]) -> Comparison:
    """Two traces, in either order, as a comparison."""
    by_mask = {trace.mask_kind: trace for trace in traces}
    if len(by_mask) < len(traces):
        raise ValueError(
            f"both traces ran under the {traces[0].mask_kind} mask: a comparison takes one under "
            "the causal and one under a segment mask"
        )
    return sv.Comparison(by_mask["causal"], by_mask["segment"])


def _redrawn(figures: Any, options: argparse.Namespace, progress: Progress) -> Any:
    """The figure of a recipe."""
    recipe = figures.recipe(options.redraw)
    if recipe["kind"] not in asking.KINDS:
        raise ValueError(
            f"{str(options.redraw)!r} is a figure of the kind {recipe['kind']!r}; this version of "
            f"segviz draws {_listed(asking.KINDS)}"
        )
    changes = asking.arguments(figures, recipe["kind"], options)
    source = prompting.source(options) if prompting.given(options) else None
    if source is None and any("token_ids" not in trace for trace in recipe["traces"]):
        raise ValueError(
            f"the recipe in {str(options.redraw)!r} holds only the hash of the prompt: give the "
            "prompt with --prompt TEXT, --file PATH or --example NAME"
        )
    chosen = models.Choice.of(options)
    loaded: dict[models.Choice, Model] = {}
    for_mask: dict[str, Model] = {}
    for trace in recipe["traces"]:
        choice = _choice(trace, chosen)
        if choice not in loaded:
            loaded[choice] = choice.load(progress)
        for_mask[trace["mask"]] = loaded[choice]
    # Of a comparison the model under the segment mask comes first, as in `compare`.
    model = for_mask.get("segment", for_mask.get("causal"))
    arguments: dict[str, Any] = {}
    if for_mask.get("causal", model) is not model:
        arguments["causal_model"] = for_mask["causal"]
    if source is not None and model is not None:
        arguments["prompt"] = source.prompt(model)
    progress.say(f"drawing {recipe['kind']} …")
    return figures.redraw(options.redraw, model, **arguments, **changes)


def _save(figure: Any, path: Path, settings: dict[str, Any]) -> None:
    try:
        figure.savefig(path, **settings)
    except RuntimeError as error:
        if path.suffix.lower() != ".pgf":
            raise
        # LaTeX, which is not installed or has refused.
        raise OSError(str(error)) from error


def _choice(trace: dict[str, Any], chosen: models.Choice) -> models.Choice:
    """The model that a recipe names, but for what the options say."""
    dtype = chosen.dtype or trace["dtype"]
    if chosen.name not in (None, trace["model"]):
        # The adapter that is recorded may be none of another model's.
        return replace(chosen, dtype=dtype)
    adapter = chosen.adapter or trace["adapter"] or models.NO_ADAPTER
    return replace(
        chosen, name=trace["model"], adapter=adapter, dtype=dtype, revision=trace["revision"]
    )


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no resolution: 1 or more, print wants 300")
    return int(text)
