"""Chat tokenizers for tests, without a network: small byte-level BPEs, and templates in the style
of the families people use.

``templates.tokenizer("qwen3")`` trains one and keeps it; ``templates.NAMES`` lists them. The
templates are written for these tests; they imitate what matters for segments (what is injected,
trimmed, dropped or wrapped), not the real texts.
"""

from dataclasses import dataclass
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

CORPUS = (
    "The captain writes a letter. Who reads the letter? The baker reads it on Sunday.",
    "Answer briefly. You are kind, and you answer the user in one short line.\n\nHello there!",
    "system user assistant tool User: Assistant: System: Tool: Hello. Good morning, how are you?",
    "Today is 12 March. Knowledge ends in winter.\n\n\nOne, two, three ... four?\n\nYes.",
    "café naïve über 北京 東京 привет 😀😀 👍 def f(x):\n    return x\n",
)
# One word with its space, digits one by one, punctuation with the line breaks behind it.
WORDS = Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

LLAMA3 = """\
{{- bos_token -}}
{%- for message in messages -%}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' -}}
{{- message['content'] | trim + '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
{%- endif -%}
"""

LLAMA31 = """\
{{- bos_token -}}
{%- if date_string is not defined -%}
{%- set date_string = strftime_now('%d %b %Y') -%}
{%- endif -%}
{%- set chat = messages -%}
{%- set instruction = '' -%}
{%- if messages[0]['role'] == 'system' -%}
{%- set instruction = messages[0]['content'] | trim -%}
{%- set chat = messages[1:] -%}
{%- endif -%}
{{- '<|start_header_id|>system<|end_header_id|>\n\nKnowledge ends: winter\n' -}}
{{- 'Today: ' + date_string + '\n\n' + instruction + '<|eot_id|>' -}}
{%- for message in chat -%}
{%- set role = 'ipython' if message.role == 'tool' else message.role -%}
{{- '<|start_header_id|>' + role + '<|end_header_id|>\n\n' -}}
{%- if message.tool_calls is defined -%}
{{- message.tool_calls[0].function | tojson -}}
{%- else -%}
{{- message.content | trim -}}
{%- endif -%}
{{- '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
{%- endif -%}
"""

# A tool list and its explanation come behind the system text, and hold added tokens.
_TOOL_LIST = """\
{%- if tools -%}
{{- '\n\n# Tools\n' + (tools | tojson) + '\nCall one as <tool_call>\n{}\n</tool_call>' -}}
{%- endif -%}
"""

_TOOL_CALLS = """\
{%- for call in message.tool_calls -%}
{{- '\n<tool_call>\n' + (call.function | tojson) + '\n</tool_call>' -}}
{%- endfor -%}
"""

# Tool messages in a row share one user turn.
_TOOL_RESPONSES = """\
{%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}
{{- '<|im_start|>user' -}}
{%- endif -%}
{{- '\n<tool_response>\n' + message.content + '\n</tool_response>' -}}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}
{{- '<|im_end|>\n' -}}
{%- endif -%}
"""

QWEN25 = (
    """\
{{- '<|im_start|>system\n' -}}
{%- if messages[0].role == 'system' -%}
{{- messages[0].content -}}
{%- else -%}
{{- 'You are kind.' -}}
{%- endif -%}
"""
    + _TOOL_LIST
    + """\
{{- '<|im_end|>\n' -}}
{%- for message in messages -%}
{%- if message.role == 'tool' -%}
"""
    + _TOOL_RESPONSES
    + """\
{%- elif not (loop.first and message.role == 'system') -%}
{{- '<|im_start|>' + message.role -}}
{%- if message.content or not message.tool_calls -%}
{{- '\n' + message.content -}}
{%- endif -%}
"""
    + _TOOL_CALLS
    + """\
{{- '<|im_end|>\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\n' -}}
{%- endif -%}
"""
)

QWEN3 = (
    """\
{%- set last = namespace(user=-1) -%}
{%- for message in messages -%}
{%- if message.role == 'user' -%}
{%- set last.user = loop.index0 -%}
{%- endif -%}
{%- endfor -%}
{%- if tools and messages[0].role != 'system' -%}
{{- '<|im_start|>system' -}}
"""
    + _TOOL_LIST
    + """\
{{- '<|im_end|>\n' -}}
{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'tool' -%}
"""
    + _TOOL_RESPONSES
    + """\
{%- else -%}
{%- set content = message.content or '' -%}
{%- set thought = '' -%}
{%- if message.role == 'assistant' and '</think>' in content -%}
{%- set thought = content.split('</think>')[0].split('<think>')[-1].strip('\n') -%}
{%- set content = content.split('</think>')[-1].lstrip('\n') -%}
{%- endif -%}
{{- '<|im_start|>' + message.role + '\n' -}}
{%- if message.role == 'assistant' and loop.index0 > last.user -%}
{{- '<think>\n' + thought + '\n</think>\n\n' -}}
{%- endif -%}
{{- content -}}
"""
    + _TOOL_CALLS
    + """\
{%- if loop.first and message.role == 'system' -%}
"""
    + _TOOL_LIST
    + """\
{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\n' -}}
{%- if enable_thinking is defined and not enable_thinking -%}
{{- '<think>\n\n</think>\n\n' -}}
{%- endif -%}
{%- endif -%}
"""
)

PHI3 = """\
{%- for message in messages -%}
{{- '<|' + message.role + '|>\n' + message.content + '<|end|>\n' -}}
{%- endfor -%}
{{- '<|assistant|>\n' if add_generation_prompt else eos_token -}}
"""

# Nothing closes a system or a user turn here: the next header does.
UNCLOSED = """\
{{- bos_token -}}
{%- for message in messages -%}
{%- if message.role == 'system' -%}
{{- message.content -}}
{%- elif message.role == 'user' -%}
{{- '<|User|>' + message.content -}}
{%- else -%}
{{- '<|Assistant|>' + message.content + eos_token -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|Assistant|><think>\n' -}}
{%- endif -%}
"""

PLAIN = """\
{%- for message in messages -%}
{{- message.role | capitalize + ': ' + message.content | trim + '\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- 'Assistant:' -}}
{%- endif -%}
"""


@dataclass(frozen=True)
class Family:
    template: str
    special: tuple[str, ...] = ()
    added: tuple[str, ...] = ()  # added to the vocabulary, but not special
    bos: str | None = None
    eos: str | None = None


_CHATML_ADDED = ("<think>", "</think>", "<tool_call>", "</tool_call>")
FAMILIES = {
    "llama3": Family(
        LLAMA3,
        special=("<|start_header_id|>", "<|end_header_id|>"),
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
    ),
    "llama31": Family(
        LLAMA31,
        special=("<|start_header_id|>", "<|end_header_id|>"),
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
    ),
    "qwen25": Family(
        QWEN25, special=("<|im_start|>", "<|endoftext|>"), added=_CHATML_ADDED, eos="<|im_end|>"
    ),
    "qwen3": Family(
        QWEN3,
        special=("<|im_start|>", "<|endoftext|>"),
        added=(*_CHATML_ADDED, "<tool_response>", "</tool_response>"),
        eos="<|im_end|>",
    ),
    "phi3": Family(
        PHI3,
        special=("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>"),
        eos="<|endoftext|>",
    ),
    "unclosed": Family(
        UNCLOSED, added=("<|User|>", "<|Assistant|>", "<think>"), bos="<|bos|>", eos="<|eos|>"
    ),
    "plain": Family(PLAIN),
}
NAMES = tuple(FAMILIES)
# "unclosed" writes every role but system and user as an answer; the others know tool messages.
TOOL_NAMES = tuple(name for name in NAMES if name != "unclosed")


@cache
def backend(vocab_size: int = 400) -> str:
    """A byte-level BPE trained on CORPUS, as JSON (a tokenizer is mutable, its JSON is not)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(WORDS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer.to_str()


def build(family: Family, template: str | None = None) -> PreTrainedTokenizerFast:
    """A fresh tokenizer of a family, for tests that change it."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(backend()),
        bos_token=family.bos,
        eos_token=family.eos,
        extra_special_tokens=list(family.special),
    )
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in family.added])
    tokenizer.chat_template = family.template if template is None else template
    return tokenizer


@cache
def tokenizer(name: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a family, made once per test session; do not change it."""
    return build(FAMILIES[name])


def with_template(name: str, template: str) -> PreTrainedTokenizerFast:
    """A family's tokenizer with another chat template."""
    return build(FAMILIES[name], template)


def parts(prompt) -> list[tuple[str, str]]:
    """(name, text) of every segment; only for prompts without several tokens per character."""
    return [
        (segment.name, "".join(prompt.tokens[segment.start : segment.stop]))
        for segment in prompt.segmentation.segments
    ]
