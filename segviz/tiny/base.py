"""The causal base: a curriculum that moves on when a stage is learned, not when time is up.

What was needed, found by trial with one to three seeds for each variant, nothing ablated:

- Weights drawn with a standard deviation of 0.1 instead of 0.02. With 0.02 two seeds had not even
  learned to repeat facts after 2,000 steps; with 0.1 that took about 300.
- The hints of `segviz.tiny.hints`. Without any, one-link questions stayed at chance for the 700 to
  1,200 steps that each of six variants was given. With the first hint alone one seed of three
  learned them. With all three, and heads of size 32, both seeds did, within 300 steps.
- Heads of size 32. With size 16 and all hints one seed of two was still at chance after 900 steps.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

from segviz.tiny.accuracy import right_answers
from segviz.tiny.batches import draw_batches
from segviz.tiny.hints import hint_loss
from segviz.tiny.tokenizer import BOS, END, MAX_LENGTH, PAD, token_ids
from segviz.tiny.world import chains, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from segviz.tiny.batches import Batch
    from segviz.tiny.recipe import Gate, Recipe, Stage


class PlateauError(RuntimeError):
    """A stage of the curriculum did not reach its accuracy."""


CONFIGS = {"llama": LlamaConfig, "qwen2": Qwen2Config}


def new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """An untrained model."""
    torch.manual_seed(seed)
    shape = recipe.shape
    bos, end, pad = token_ids(tokenizer, BOS, END, PAD)
    config = CONFIGS[recipe.architecture](
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.query_heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_size,
        max_position_embeddings=MAX_LENGTH,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        initializer_range=shape.initial_deviation,
        tie_word_embeddings=True,
        bos_token_id=bos,
        eos_token_id=end,
        pad_token_id=pad,
    )
    return AutoModelForCausalLM.from_config(config)


def answer_loss(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    batch: Batch,
    mask: str,
    hint: float = 0.0,
) -> torch.Tensor:
    """Cross entropy of the scored answer tokens, plus `hint` times the hints."""
    output = model.model(
        input_ids=batch.ids,
        attention_mask=batch.mask(mask),
        output_hidden_states=hint > 0,
        use_cache=False,
    )
    row, position = batch.scored.nonzero(as_tuple=True)
    # The output layer only where it counts: most tokens are no answers.
    logits = model.lm_head(output.last_hidden_state[row, position - 1])
    loss = cross_entropy(logits, batch.ids[row, position])
    if hint > 0:
        loss = loss + hint * hint_loss(model, tokenizer, batch, output.hidden_states[1:])
    return loss


class BaseTrainer:
    """Trains a base: Muon on the matrices of the layers, AdamW on embeddings and norms."""

    def __init__(
        self,
        recipe: Recipe,
        tokenizer: PreTrainedTokenizerFast,
        seed: int,
        log: Callable[[str], None] = print,
    ) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise ImportError(
                f"training a base takes torch.optim.Muon, which torch {torch.__version__} lacks: "
                "install a newer torch"
            )
        self.recipe, self.tokenizer, self.seed, self.log = recipe, tokenizer, seed, log
        self.model = new_model(recipe, tokenizer, seed)
        self.steps = 0
        matrices = [p for p in self.model.model.layers.parameters() if p.ndim > 1]
        known = set(map(id, matrices))
        others = [p for p in self.model.parameters() if id(p) not in known]
        self.optimizers: list[tuple[torch.optim.Optimizer, float]] = [
            (torch.optim.Muon(matrices, weight_decay=0.0), recipe.muon_rate),
            (torch.optim.AdamW(others, weight_decay=0.0), recipe.adam_rate),
        ]

    def train(self) -> PreTrainedModel:
        """Go through the stages, then let the learning rate fall."""
        for stage in self.recipe.stages:
            self.pass_stage(stage)
        self.settle()
        return self.model.eval()

    def pass_stage(self, stage: Stage) -> None:
        """Train until the stage's accuracy is reached."""
        batches, accuracies = self._batches(stage), {}
        for step in range(1, stage.most_steps + 1):
            loss = self._step(next(batches), stage.hint, self.steps / self.recipe.warmup_steps)
            if step % self.recipe.gate_every:
                continue
            accuracies = {gate: self._gate_accuracy(stage, gate) for gate in stage.gates}
            reached = ", ".join(f"{gate} {share:.3f}" for gate, share in accuracies.items())
            self.log(f"base, {stage.name}: step {self.steps}, loss {loss:.3f}, {reached}")
            if all(share >= gate.accuracy for gate, share in accuracies.items()):
                return
        missed = "; ".join(
            f"{gate}: {share:.3f}, needed {gate.accuracy}" for gate, share in accuracies.items()
        )
        raise PlateauError(
            f"The stage “{stage.name}” was not passed after {stage.most_steps} steps ({missed}). "
            f"Try another seed than {self.seed}."
        )

    def settle(self) -> None:
        """Train on the last stage's mixture while the learning rate falls to zero."""
        stage = self.recipe.stages[-1]
        batches = self._batches(stage, "/settle")
        for step in range(1, self.recipe.final_steps + 1):
            loss = self._step(next(batches), 0.0, 1 - step / self.recipe.final_steps)
            if step % self.recipe.gate_every == 0:
                self.log(f"base, settling: step {self.steps}, loss {loss:.3f}")

    def _batches(self, stage: Stage, suffix: str = "") -> Iterator[Batch]:
        seed = f"{self.seed}/base/{stage.name}{suffix}"
        return draw_batches(self.tokenizer, stage.mixture, self.recipe.batch, seed)

    def _step(self, batch: Batch, hint: float, rate: float) -> float:
        self.steps += 1
        loss = answer_loss(self.model.train(), self.tokenizer, batch, "causal", hint)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, full_rate in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = full_rate * min(1.0, rate)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def _gate_accuracy(self, stage: Stage, gate: Gate) -> float:
        """Share of right answers to held-out questions; of chains, in texts like the stage's."""
        rng = Random(f"gate/{stage.name}/{gate}")  # noqa: S311 - reproducible data, no secret
        longest = stage.mixture.longest
        questions = [
            chains.draw_question(rng, gate.links, longest).example
            if gate.links
            else draw(gate.family, rng)
            for _ in range(self.recipe.gate_questions)
        ]
        right = right_answers(self.model, self.tokenizer, questions, "causal")
        return right.float().mean().item()
