"""A causal language model that runs under causal and segment masks."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, get_args

import numpy as np
import torch
import transformers
from transformers import PreTrainedTokenizerBase

from segviz import __version__, memory
from segviz.decoding import TokenStream, generate_arguments, token_text
from segviz.memory import Estimate, Offload
from segviz.prompts import (
    PRESETS,
    Prompt,
    chat_prompt,
    checked_name,
    checked_scheme,
    instruction_prompt,
    text_prompt,
    under_preset,
)
from segviz.run import Result
from segviz.runner import Runner
from segviz.seeding import seed_for
from segviz.segments import Segment, Segmentation
from segviz.support import computing_device, supported_model
from segviz.trace import MaskKind, Trace, with_response
from segviz.weights import weights_state

Messages = Sequence[Mapping[str, Any]]

_MASKS = get_args(MaskKind)


class Model:
    """A Llama, Qwen or similar model with its tokenizer, ready to run under either mask.

    >>> import segviz as sv
    >>> model = sv.load()
    >>> prompt = model.chat(sv.examples["chain"])
    >>> model.trace(prompt, mask="segment", max_new_tokens=4).prompt_length == prompt.length
    True

    Outside of a run the model behaves as before: segviz changes its attention, its training mode
    and the random number generators only while it runs, and puts them back.

    Args:
        hf_model: a causal language model of transformers, or a peft model around one. It stays
            yours: on whatever device, in whatever dtype it is.
        tokenizer: its tokenizer.
        name: what to call it in recipes; by default the name it was loaded under.
        adapter: the adapter that is loaded, for recipes.
        default_mask: the mask the weights were tuned for, None if unknown.
        scheme: how the prompts they were tuned on were written, see :meth:`prompt`.
        preset: how those were cut into segments, a name of ``segviz.prompts.PRESETS``.
        offload: ``"cpu"``: what a run captures goes to main memory layer by layer, and so does what
            is kept for the next one; a GPU then holds no more than the run's own KV cache. For long
            prompts; looking at attention brings back what is looked at.

    Raises:
        TypeError: an object that is no such model.
        ValueError: an unknown mask, scheme, preset or ``offload``.
        NotImplementedError: an architecture that segment masks cannot be applied to.
    """

    def __init__(
        self,
        hf_model: Any,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str | None = None,
        adapter: str | None = None,
        default_mask: MaskKind | None = None,
        scheme: str = "chat",
        preset: str = "segment",
        offload: Offload | None = None,
    ) -> None:
        if offload not in (None, "cpu"):
            raise ValueError(f"offload={offload!r}; allowed are 'cpu' and None")
        self.hf_model = supported_model(hf_model)
        self.tokenizer = tokenizer
        self.name = name or self.hf_model.config.name_or_path or type(self.hf_model).__name__
        self.adapter = None if adapter is None else str(adapter)
        if default_mask is not None:
            checked_name(default_mask, _MASKS, "default_mask")
        self.default_mask: MaskKind | None = default_mask
        self.scheme = checked_scheme(scheme)
        self.preset = checked_name(preset, PRESETS, "preset")
        self.offload: Offload | None = offload
        self._runner = Runner(self.hf_model)

    def __repr__(self) -> str:
        adapter = f", adapter={self.adapter!r}" if self.adapter else ""
        return (
            f"<segviz.Model {self.name!r}{adapter}: {self.layers} layers, {self.heads} query and "
            f"{self.kv_heads} KV heads, {self.hf_model.dtype} on "
            f"{computing_device(self.hf_model)}>"
        )

    @property
    def layers(self) -> int:
        """Number of layers.

        >>> import segviz as sv
        >>> sv.load().layers
        3
        """
        return self._config.num_hidden_layers

    @property
    def heads(self) -> int:
        """Number of query heads per layer.

        >>> import segviz as sv
        >>> sv.load().heads
        4
        """
        return self._config.num_attention_heads

    @property
    def kv_heads(self) -> int:
        """Number of KV heads per layer; under grouped-query attention fewer than query heads.

        >>> import segviz as sv
        >>> sv.load().kv_heads
        2
        """
        return getattr(self._config, "num_key_value_heads", None) or self.heads

    @property
    def vocabulary(self) -> int:
        """Number of token ids.

        >>> import segviz as sv
        >>> sv.load().vocabulary > max(sv.load().prompt("Anna follows Ben.").token_ids)
        True
        """
        return self._config.vocab_size

    @property
    def positions(self) -> int | None:
        """How many tokens a prompt and its answer may have; None where nothing limits them.

        >>> import segviz as sv
        >>> sv.load().positions
        512
        """
        return getattr(self._config, "max_position_embeddings", None)

    def chat(self, messages: Messages, **template_options: Any) -> Prompt:
        """A chat as a prompt, one segment per turn, cut where the chat template puts the turns.

        An adapter that was tuned with another preset has its chats cut by that (``model.preset``).

        >>> import segviz as sv
        >>> prompt = sv.load().chat([{"role": "system", "content": "Answer with one word."},
        ...                          {"role": "user", "content": "Anna follows Ben."}])
        >>> [segment.name for segment in prompt.segmentation.segments]
        ['bos', 'system', 'user', 'assistant']

        Args:
            messages: dicts with ``role`` and ``content``.
            template_options: passed on to the template (``tools``, ``enable_thinking``, …).

        Raises:
            TypeError: messages of another form.
            ValueError: no messages, no chat template, or messages the template cannot take; see
                :func:`segviz.prompts.chat_prompt`.
        """
        prompt = chat_prompt(self.tokenizer, messages, **template_options)
        return under_preset(prompt, self.preset)

    def prompt(
        self,
        text: str | Mapping[str, Any],
        split: str | re.Pattern[str] | None = None,
        scheme: str | None = None,
    ) -> Prompt:
        r"""Plain text as a prompt, cut into segments at a delimiter; or an instruction.

        >>> import segviz as sv
        >>> model = sv.load()
        >>> prompt = model.prompt("Anna follows Ben.\n\nWho leads Anna?", split="\n\n")
        >>> [segment.name for segment in prompt.segmentation.segments]
        ['bos', 'text', 'text 2']
        >>> record = {"instruction": "Who leads Anna?", "input": "Anna follows Ben."}
        >>> prompt = model.prompt(record, scheme="alpaca")
        >>> [segment.name for segment in prompt.segmentation.segments]
        ['bos', 'system', 'user', 'assistant']

        Args:
            text: what the model reads. With a scheme an instruction: a text, or a mapping with
                ``instruction`` and optional ``input``.
            split: a delimiter, which stays at the end of the segment before it; or a pattern,
                likewise, unless it is a lookahead, which starts the next segment. None: one
                segment.
            scheme: writes the instruction as adapters know it: ``"commonsense"``, ``"alpaca"`` or
                ``"chat"``, see :func:`segviz.prompts.instruction_prompt`. None: a text stays as it
                is, and a mapping is written in the loaded adapter's (``model.scheme``).

        Raises:
            TypeError: no text, or a ``split`` that is no delimiter.
            ValueError: an empty text or delimiter, an unknown scheme, a mapping without
                ``instruction``, or an instruction with ``split``.
        """
        if isinstance(text, Mapping):
            scheme = scheme or self.scheme
        if scheme is None:
            plain: Any = text
            return text_prompt(self.tokenizer, plain, split)
        if split is not None:
            raise ValueError(
                f"split={split!r} and scheme={scheme!r} both say where the segments are: leave "
                "one of them out"
            )
        return instruction_prompt(self.tokenizer, text, scheme)

    def as_prompt(self, prompt: Prompt | str | Messages) -> Prompt:
        """A prompt from whatever stands for one: text as it is, messages through the template.

        >>> import segviz as sv
        >>> model = sv.load()
        >>> model.as_prompt(sv.examples["chain"]) == model.chat(sv.examples["chain"])
        True

        An instruction (a mapping) is written in the loaded adapter's scheme; a
        :class:`segviz.Prompt` stays as it is.

        Raises:
            TypeError, ValueError: as in :meth:`prompt` and :meth:`chat`.
        """
        if isinstance(prompt, Prompt):
            return prompt
        if isinstance(prompt, Mapping):
            return self.prompt(prompt)
        return self.prompt(prompt) if isinstance(prompt, str) else self.chat(prompt)

    def trace(
        self,
        prompt: Prompt | str | Messages,
        mask: MaskKind | Segmentation = "segment",
        max_new_tokens: int = 0,
        *,
        seed: int | None = None,
        on_token: Callable[[str], object] | None = None,
        on_layer: Callable[[int], object] | None = None,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> Trace:
        """Run the prompt under a mask, generate an answer, and capture attention on the way.

        >>> import segviz as sv
        >>> model = sv.load()
        >>> trace = model.trace(sv.examples["chain"], mask="causal", max_new_tokens=4)
        >>> [segment.name for segment in trace.segmentation.segments]
        ['bos', 'system', 'user', 'assistant', 'response']

        The prefill follows the mask; generation is causal (Katz et al., arXiv 2412.18487, section
        3). Greedy unless ``do_sample=True``.

        Args:
            prompt: a prompt, or text, or messages.
            mask: ``"causal"``, ``"segment"``, or a segmentation to use instead of the prompt's.
            max_new_tokens: how many tokens to generate at most; 0 runs the prefill only.
            seed: of a sampled answer. Without one it is drawn from torch's generator and kept in
                the trace's recipe.
            on_token: called with the text of each token as it is generated.
            on_layer: called in the prefill with the number of each layer that begins.
            cancel: set it from another thread to end the run.
            options: decoding options of transformers (``do_sample``, ``temperature``, ``top_p``,
                ``stopping_criteria``, ``streamer``, …).

        Returns:
            A trace that shares nothing with later runs.

        Raises:
            ValueError: an empty or too long prompt, one of another model's tokens, an unknown mask,
                a segmentation of another length, or a value that a decoding option cannot have.
            TypeError: an unknown decoding option, one for sampling in a greedy run, or any where
                there is no answer.
            MemoryError: a run that cannot fit; the sentence says what would help.
            NotImplementedError: beams, several sequences, assisted decoding; a model that changes
                its logits behind the output head.
            RuntimeError: a model that did not use segviz's attention in every layer, so that the
                mask was not applied.
            RunCancelledError: ``cancel`` was set.
        """
        prompt = self.as_prompt(prompt)
        if isinstance(mask, Segmentation):
            prompt, mask = prompt.with_segmentation(mask), "segment"
        if not isinstance(mask, str) or mask not in _MASKS:
            given = repr(mask) if isinstance(mask, str) else f"a {type(mask).__name__}"
            raise ValueError(
                f"mask={given} is unknown; allowed are 'causal', 'segment' and a Segmentation"
            )
        heard = None if on_token is None else lambda _mask, token: on_token(token)
        traces = self.traces(
            prompt,
            max_new_tokens,
            masks=(mask,),
            seed=seed,
            on_token=heard,
            on_layer=on_layer,
            cancel=cancel,
            **options,
        )
        return traces[mask]

    def traces(
        self,
        prompt: Prompt | str | Messages,
        max_new_tokens: int = 0,
        *,
        masks: Sequence[MaskKind] = ("causal", "segment"),
        seed: int | None = None,
        on_token: Callable[[MaskKind, str], object] | None = None,
        on_layer: Callable[[int], object] | None = None,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> dict[MaskKind, Trace]:
        """Run a prompt under several masks; what they have in common is computed once.

        >>> import segviz as sv
        >>> traces = sv.load().traces(sv.examples["chain"], max_new_tokens=4)
        >>> {mask: trace.generated_text for mask, trace in traces.items()}
        {'causal': ' Fay', 'segment': ' Lena'}

        Up to the first bidirectional segment the masks are the same. Greedy answers are decoded
        together, as a batch, unless criteria, processors or a streamer of your own listen.

        Args:
            prompt: a prompt, or text, or messages.
            max_new_tokens: how many tokens to generate at most, under each mask.
            masks: ``"causal"`` and ``"segment"``, in the order in which they are prefilled.
            seed: as in :meth:`trace`; the same for all masks.
            on_token: called with the mask and the text of each token as it is generated.
            on_layer: as in :meth:`trace`.
            cancel: as in :meth:`trace`.
            options: as in :meth:`trace`.

        Returns:
            A trace for each mask; they share nothing with later runs.

        Raises:
            ValueError: no mask, an unknown one, or one that is named twice; and all else that
                :meth:`trace` raises.
        """
        if not masks or len(set(masks)) < len(masks) or not set(masks) <= set(_MASKS):
            raise ValueError(f"masks={masks!r}; allowed are 'causal' and 'segment', each once")
        prompt = self.as_prompt(prompt)
        generation = self.check(prompt, max_new_tokens, masks=len(masks), **options)
        seed = seed_for(generation, seed)
        results = self._runner.run(
            np.asarray(prompt.token_ids),
            {mask: _segmentation(prompt, mask) for mask in masks},
            generation,
            seed=seed,
            stream=partial(self._stream, generation, on_token),
            offload=self.offload is not None,
            cancel=cancel,
            on_layer=on_layer,
        )
        recipe = self._recipe(max_new_tokens, seed, options)
        return {
            mask: self._as_trace(prompt, mask, result, recipe) for mask, result in results.items()
        }

    def check(
        self, prompt: Prompt, max_new_tokens: int = 0, *, masks: int = 1, **options: Any
    ) -> dict[str, Any] | None:
        """Raise what :meth:`trace` would raise for these arguments, without running anything.

        >>> import segviz as sv
        >>> model = sv.load()
        >>> model.check(model.chat(sv.examples["chain"]), 1000)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: the prompt's 39 tokens and 1000 new ones exceed the 512 positions of ...

        Args:
            prompt: to run.
            max_new_tokens: how many tokens to generate at most.
            masks: under how many masks at a time.
            options: decoding options; ``seed`` is none of them.

        Returns:
            the arguments of ``generate``; None where there is nothing to generate.

        Raises:
            TypeError, ValueError, MemoryError, NotImplementedError: as in :meth:`trace`.
        """
        _check_size(max_new_tokens, masks)
        self._check_prompt(prompt, max_new_tokens)
        memory.check(
            self.hf_model, prompt.length, max_new_tokens, masks=masks, offload=self.offload
        )
        if max_new_tokens:
            return generate_arguments(self.hf_model, self.tokenizer, max_new_tokens, options)
        if options:
            raise TypeError(
                f"{', '.join(options)}: decoding options without an answer; add max_new_tokens=…"
            )
        return None

    def with_seed(
        self, prompt: Prompt, max_new_tokens: int, options: dict[str, Any]
    ) -> dict[str, Any]:
        """The options of several runs that shall differ in nothing but what is varied.

        >>> import segviz as sv
        >>> model = sv.load()
        >>> prompt = model.chat(sv.examples["chain"])
        >>> sorted(model.with_seed(prompt, 4, {"do_sample": True}))
        ['do_sample', 'seed']

        Checks them like :meth:`check`, and draws a seed from torch's generator if they sample and
        have none; greedy ones get None.

        Args:
            prompt: to run.
            max_new_tokens: how many tokens to generate at most.
            options: decoding options, with or without ``seed``.

        Raises:
            TypeError, ValueError, MemoryError, NotImplementedError: as in :meth:`trace`.
        """
        decoding = {name: value for name, value in options.items() if name != "seed"}
        generation = self.check(prompt, max_new_tokens, **decoding)
        return {**decoding, "seed": seed_for(generation, options.get("seed"))}

    def estimate(
        self, prompt: Prompt | str | Messages, max_new_tokens: int = 0, *, masks: int = 1
    ) -> Estimate:
        """What a run will hold in memory, before it begins.

        >>> import segviz as sv
        >>> model = sv.load()
        >>> needed = model.estimate(sv.examples["chain"], max_new_tokens=4)
        >>> needed.queries == 2 * needed.keys  # two query heads for each KV head
        True

        A run that cannot fit is refused (:class:`MemoryError`) before it begins.

        Args:
            prompt: a prompt, or text, or messages.
            max_new_tokens: how many tokens to generate at most.
            masks: under how many masks at a time: 2 in :func:`segviz.compare`.

        Returns:
            :class:`segviz.memory.Estimate`, in bytes; printed it is a line to read.

        Raises:
            TypeError, ValueError: as in :meth:`as_prompt`; a number that there cannot be.
        """
        _check_size(max_new_tokens, masks)
        length = self.as_prompt(prompt).length
        return memory.estimate(
            self.hf_model, length, max_new_tokens, masks=masks, offload=self.offload
        )

    def weights(self) -> Hashable:
        """Something that is another one after the weights or the active adapters have changed.

        >>> import segviz as sv
        >>> model = sv.load()
        >>> model.weights() == model.weights()
        True
        """
        return weights_state(self.hf_model)

    def exclusive(self) -> AbstractContextManager[None]:
        """A context in which no run begins: to use ``hf_model`` while other threads run prompts.

        >>> import segviz as sv
        >>> model = sv.load()
        >>> with model.exclusive():
        ...     _ = model.hf_model.eval()
        """
        return self._runner.exclusive()

    def clear_cache(self) -> None:
        """Forget the prefixes kept for the next run, and free their memory.

        >>> import segviz as sv
        >>> model = sv.load()
        >>> trace = model.trace(sv.examples["chain"])
        >>> model.clear_cache()

        Traces at hand stay as they are, and with them what they share with the prefixes. A change
        of the weights or of the active adapters is noticed without it.
        """
        self._runner.clear()

    @property
    def _config(self) -> Any:
        return self.hf_model.config.get_text_config(decoder=True)

    def _check_prompt(self, prompt: Prompt, max_new_tokens: int) -> None:
        limit = self.positions
        if limit is not None and prompt.length + max_new_tokens > limit:
            answer = f" and {max_new_tokens} new ones" if max_new_tokens else ""
            raise ValueError(
                f"the prompt's {prompt.length} tokens{answer} exceed the {limit} positions of "
                f"{self.name!r}: shorten the prompt, or use a model with more positions"
            )
        lowest, highest = min(prompt.token_ids), max(prompt.token_ids)
        if lowest < 0:
            raise ValueError(
                f"the prompt holds token id {lowest}; those of {self.name!r} are 0 to "
                f"{self.vocabulary - 1}: make the prompt with model.chat or model.prompt"
            )
        if highest >= self.vocabulary:
            raise ValueError(
                f"the prompt holds token id {highest}, but {self.name!r} has {self.vocabulary} "
                "tokens: it was made with another model's tokenizer"
            )

    def _stream(
        self,
        generation: dict[str, Any] | None,
        on_token: Callable[[MaskKind, str], object] | None,
        masks: Sequence[MaskKind],
    ) -> dict[str, Any]:
        """The argument of ``generate`` that hands on the tokens of a batch."""
        if on_token is None or generation is None:
            return {}
        listeners = [partial(on_token, mask) for mask in masks]
        config, own = generation["generation_config"], generation.get("streamer")
        return {"streamer": TokenStream(self.tokenizer, config, listeners, own)}

    def _as_trace(
        self, prompt: Prompt, kind: MaskKind, result: Result, recipe: dict[str, Any]
    ) -> Trace:
        tokenizer = self.tokenizer  # of its own, so that a trace does not keep the model in memory
        generated = list(result.generated_ids)
        texts = [token_text(tokenizer, generated[: i + 1]) for i in range(len(generated))]
        return Trace(
            tokens=(*prompt.tokens, *texts),
            token_ids=(*prompt.token_ids, *generated),
            prompt_length=prompt.length,
            generated_text=str(tokenizer.decode(generated, skip_special_tokens=True)),
            segmentation=with_response(prompt.segmentation, prompt.length + len(generated)),
            mask_kind=kind,
            layers=result.layers,
            likely=result.likely,
            recipe=recipe,
            decode=lambda token_id: str(tokenizer.decode([token_id])),
            hidden=result.hidden,
            output_head=result.head.log_probabilities,
        )

    def _recipe(
        self, max_new_tokens: int, seed: int | None, options: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "model": self.name,
            "revision": getattr(self.hf_model.config, "_commit_hash", None),
            "adapter": self.adapter,
            "default_mask": self.default_mask,
            "dtype": str(self.hf_model.dtype).removeprefix("torch."),
            "max_new_tokens": int(max_new_tokens),
            "seed": None if seed is None else int(seed),
            "options": {name: repr(value) for name, value in options.items()},
            "segviz": __version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }


def _check_size(max_new_tokens: int, masks: int) -> None:
    """Refuse a run of a size that there cannot be."""
    if not isinstance(max_new_tokens, int | np.integer):
        raise TypeError(f"max_new_tokens is an integer, not {max_new_tokens!r}")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens is {max_new_tokens}; it is 0 or more")
    allowed = range(1, len(_MASKS) + 1)
    if masks not in allowed:
        raise ValueError(
            f"masks is {masks!r}; it is a number of masks, {' or '.join(map(str, allowed))}"
        )


def _segmentation(prompt: Prompt, mask: MaskKind) -> Segmentation:
    """What a mask makes of a prompt."""
    if mask == "segment":
        return prompt.segmentation
    return Segmentation([Segment(0, prompt.length, "prompt", "causal")])
