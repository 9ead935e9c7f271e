"""The tokenizer of the embedded models: byte-level BPE on the world's own text.

>>> from segviz.tiny.tokenizer import build_tokenizer
>>> build_tokenizer().tokenize(" Anna follows Ben.")
['ĠAnna', 'Ġfollows', 'ĠBen', '.']

Every word of the world is one token together with the space before it, and any other text falls
back to bytes. The chat template puts one space between a role and its content, so the first word
of a turn is the same token as the same word elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from segviz.tiny.world import QUESTION_SYSTEM, amounts, chains
from segviz.tiny.world.lookups import OWNERS, PLACES
from segviz.tiny.world.words import GOODS, NAMES, NUMBERS

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from segviz.tiny.world import Example

MAX_LENGTH = 512
BOS, PAD, SYSTEM, USER, ASSISTANT, END = SPECIAL_TOKENS = (
    "<|bos|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>",
)  # fmt: skip
# Byte-level BPE writes a space as Ġ.
FOLLOWS, LEADS, IN, BELONGS, THE = "Ġfollows", "Ġleads", "Ġin", "Ġbelongs", "Ġthe"
QUESTION_MARK = "?"
FULL_STOP = "."

CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
  {%- if message.role not in ['system', 'user', 'assistant'] -%}
    {{- raise_exception('The roles are system, user and assistant, not: ' + message.role) -}}
  {%- endif -%}
  {{- '<|' + message.role + '|> ' + message.content | trim + '<|end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|assistant|>' -}}
{%- endif -%}
"""


def world_text() -> list[str]:
    """Every sentence of the world, each with the space that stands before it in a chat."""
    sentences = [QUESTION_SYSTEM, chains.REPEAT_SYSTEM, chains.REORDER_SYSTEM]
    sentences += [str(chains.Fact(one, other)) for one in NAMES for other in NAMES if one != other]
    sentences += [chains.question_text(name) for name in NAMES]
    for family in (PLACES, OWNERS):
        pairs = [(key, value) for key in family.keys for value in family.values]
        sentences += [family.fact.format(*pair) for pair in pairs]
        sentences += [family.question.format(key) for key in family.keys]
    sentences += [amounts.fact("Anna", number, goods) for number in NUMBERS for goods in GOODS]
    sentences += [amounts.question(one, goods) for one in amounts.EXTREMES for goods in GOODS]
    return [f" {sentence}" for sentence in sentences]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Train the tokenizer; the same one every time."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4000,  # more than there is to merge: merging ends at whole words
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL_TOKENS],
        show_progress=False,
    )
    tokenizer.train_from_iterator(world_text(), trainer)
    # Plain text gets the beginning-of-sequence token that the chat template writes itself.
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A",
        pair=f"{BOS} $A $B:1",
        special_tokens=[(BOS, tokenizer.token_to_id(BOS))],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=MAX_LENGTH,
        padding_side="right",
    )


def saved_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a checkpoint that the script wrote.

    `AutoTokenizer` would give one of the Qwen2 architecture the rules of Qwen's own tokenizer,
    which cut numbers to digits.
    """
    return PreTrainedTokenizerFast.from_pretrained(folder)


def token_ids(tokenizer: PreTrainedTokenizerBase, *tokens: str) -> list[int]:
    """The ids of tokens, in their order."""
    vocabulary = tokenizer.get_vocab()
    return [vocabulary[token] for token in tokens]


def render(example: Example, *, last_answer: bool = True) -> str:
    """The chat as text, as the template renders it (which a test checks), but much faster."""
    text = f"{BOS}{SYSTEM} {example.system}{END}"
    for turn in example.turns:
        text += f"{USER} {turn.user}{END}{ASSISTANT} {turn.answer}{END}"
    return text if last_answer else text[: text.rindex(ASSISTANT) + len(ASSISTANT)]
