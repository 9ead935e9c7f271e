"""How often the embedded models are right: `python -m segviz.tiny.accuracy` prints the tables.

Greedy decoding, exact match: the right name followed by the end of the turn. All prompts are held
out from training, whatever its seed.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import torch
from transformers import AutoModelForCausalLM

from segviz.tiny import NAMES, folder
from segviz.tiny.batches import encode
from segviz.tiny.tokenizer import saved_tokenizer
from segviz.tiny.world import FAMILIES, chains, draw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from segviz.tiny.world import Example
    from segviz.tiny.world.chains import Question

# Each model with the mask it is run under.
RUNS = (
    ("base", "causal"),
    ("base", "segment"),
    ("causal", "causal"),
    ("segment", "segment"),
    ("segment", "causal"),
)
TUNED_RUNS = RUNS[2:]
LEAST_RIGHT, LEAST_GAP, LEAST_FLIPPED = 0.95, 0.1, 0.2
FACTS = 6  # in a prompt of two chains of three links


@torch.inference_mode()
def right_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    mask: str,
    split: int | None = None,
    batch_size: int = 250,
) -> torch.Tensor:
    """Whether each chat's answers are right, bool `[example]`.

    With `split`, the user segment is cut in two behind so many facts. Feeding the right answer and
    comparing each most likely token with it is the same as decoding greedily and comparing the
    text.
    """
    model.eval()
    right = []
    for start in range(0, len(examples), batch_size):
        batch = encode(tokenizer, examples[start : start + batch_size])
        if split is not None:
            batch = batch.split(tokenizer, split)
        logits = model(input_ids=batch.ids, attention_mask=batch.mask(mask), use_cache=False).logits
        is_right = logits[:, :-1].argmax(-1) == batch.ids[:, 1:]
        right.append((is_right | ~batch.answers[:, 1:]).all(1))
    return torch.cat(right)


@dataclass(frozen=True)
class Shipped:
    """The three checkpoints and their tokenizer."""

    tokenizer: PreTrainedTokenizerBase
    models: Mapping[str, PreTrainedModel]

    @classmethod
    def load(cls, weights: Path | None = None, *, name: str = NAMES[0]) -> Shipped:
        """The shipped weights, or those in a folder that the training script wrote."""
        root = folder(name, None).parent if weights is None else weights
        models = {
            name: AutoModelForCausalLM.from_pretrained(root / name, dtype=torch.float32).eval()
            for name in ("base", "causal", "segment")
        }
        return cls(saved_tokenizer(root / "base"), models)

    def right(
        self, run: tuple[str, str], examples: Sequence[Example], split: int | None = None
    ) -> torch.Tensor:
        """`right_answers` of one run, given as model and mask."""
        name, mask = run
        return right_answers(self.models[name], self.tokenizer, examples, mask, split)

    def family(self, run: tuple[str, str], examples: Sequence[Example]) -> float:
        """The share of right answers to one family."""
        return self.right(run, examples).float().mean().item()

    def accuracy(self, run: tuple[str, str], questions: Sequence[Question]) -> float:
        """The share of right answers about chains."""
        return self.family(run, [question.example for question in questions])

    def flipped_by_split(self, questions: Sequence[Question]) -> float:
        """The share of prompts that the default answers right until some split between facts."""
        run = ("segment", "segment")
        examples = [question.example for question in questions]
        right = self.right(run, examples)
        wrong = torch.stack([~self.right(run, examples, split) for split in range(1, FACTS)])
        return (right & wrong.any(0)).float().mean().item()


@dataclass(frozen=True)
class Accuracies:
    """Everything measured, as shares between 0 and 1."""

    prompts: int
    two_chains: dict[str, float]  # by run; these are the bars
    flipped_by_split: float
    by_links: dict[str, list[float]]  # by run; 1 to 4 links
    by_forward_links: dict[str, list[float]]  # by run; 0 to 2 forward links of 3
    by_family: dict[str, dict[str, float]]  # by run and family, chains left out

    def missed_bars(self) -> list[str]:
        """What these numbers fall short of, as sentences; empty for weights fit to be shipped."""
        causal, segment = (self.two_chains[run] for run in ("causal/causal", "segment/segment"))
        gap, flipped = segment - causal, self.flipped_by_split
        bars = (
            ("right answers of the segment-tuned model", segment, LEAST_RIGHT),
            ("its lead over the causal-tuned model", gap, LEAST_GAP),
            ("right answers that a split turns wrong", flipped, LEAST_FLIPPED),
        )
        return [f"{what}: {share:.3f} < {bar}" for what, share, bar in bars if share < bar]

    def tables(self) -> str:
        """The numbers as Markdown."""
        lines = ["| model / mask | two chains, some link forward |", "| --- | --- |"]
        lines += [f"| {run} | {share:.3f} |" for run, share in self.two_chains.items()]
        lines += ["", f"A split between two facts turns {self.flipped_by_split:.3f} of them wrong."]
        lines += ["", "| model / mask | 1 link | 2 links | 3 links | 4 links |", "| --- " * 5 + "|"]
        lines += [row(run, shares) for run, shares in self.by_links.items()]
        lines += ["", "| model / mask | 0 forward | 1 forward | 2 forward |", "| --- " * 4 + "|"]
        lines += [row(run, shares) for run, shares in self.by_forward_links.items()]
        families = list(next(iter(self.by_family.values())))
        lines += ["", f"| model / mask | {' | '.join(families)} |", "| --- " * 4 + "|"]
        lines += [row(run, [*shares.values()]) for run, shares in self.by_family.items()]
        return "\n".join([*lines, "", f"n = {self.prompts} for each number."])


def row(run: str, shares: Sequence[float]) -> str:
    """One row of a Markdown table."""
    return f"| {run} | " + " | ".join(f"{share:.3f}" for share in shares) + " |"


def measure(shipped: Shipped, prompts: int, seed: int = 0) -> Accuracies:
    """Measure everything on fresh prompts."""
    rng = Random(f"accuracy/{seed}")  # noqa: S311 - reproducible data, no secret
    two_chains = [chains.draw_two_chains(rng) for _ in range(prompts)]
    by_links = [
        [chains.draw_question(rng, links) for _ in range(prompts)]
        for links in range(1, chains.LONGEST_CHAIN + 1)
    ]
    by_forward: list[list[Question]] = [[], [], []]
    while min(map(len, by_forward)) < prompts:
        question = chains.draw_two_chains(rng, least_forward=0)
        by_forward[question.forward_links].append(question)

    families = {
        family: [draw(family, rng) for _ in range(prompts)]
        for family in FAMILIES
        if family != "chains"
    }

    def table(groups: Sequence[Sequence[Question]]) -> dict[str, list[float]]:
        return {
            "/".join(run): [shipped.accuracy(run, group) for group in groups] for run in TUNED_RUNS
        }

    return Accuracies(
        prompts=prompts,
        two_chains={"/".join(run): shipped.accuracy(run, two_chains) for run in RUNS},
        flipped_by_split=shipped.flipped_by_split(two_chains),
        by_links=table(by_links),
        by_forward_links=table([group[:prompts] for group in by_forward]),
        by_family={
            "/".join(run): {name: shipped.family(run, them) for name, them in families.items()}
            for run in RUNS
        },
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m segviz.tiny.accuracy", description=__doc__)
    parser.add_argument("--model", choices=NAMES, default=NAMES[0])
    parser.add_argument("--prompts", type=int, default=1000, help="prompts for each number")
    parser.add_argument("--seed", type=int, default=0, help="seed of the prompts")
    options = parser.parse_args(arguments)
    print(measure(Shipped.load(name=options.model), options.prompts, options.seed).tables())  # noqa: T201


if __name__ == "__main__":
    main()
