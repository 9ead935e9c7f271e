"""Chat templates and plain text become the right segments, token ids untouched."""

import re

import numpy as np
import pytest
import templates
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, processors
from transformers import PreTrainedTokenizerFast

from segviz.prompts import Prompt, chat_prompt, text_prompt
from segviz.segments import Segment, Segmentation

DATE = {"date_string": "12 Mar 2031"}
CALL = {"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
CALLED = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call><|im_end|>\n'


def system(content):
    return {"role": "system", "content": content}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def tool(content):
    return {"role": "tool", "content": content}


def segments(name, messages, **options):
    """The (name, text) of every segment, after checks that hold for every chat."""
    tokenizer = templates.tokenizer(name) if isinstance(name, str) else name
    prompt = chat_prompt(tokenizer, messages, **options)
    options.setdefault("add_generation_prompt", messages[-1]["role"] != "assistant")
    encoding = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, **options)
    assert list(prompt.token_ids) == encoding["input_ids"]
    assert prompt.text == tokenizer.apply_chat_template(messages, tokenize=False, **options)
    for segment in prompt.segmentation.segments:
        causal = segment.name.startswith(("assistant", "bos"))
        assert segment.attention == ("causal" if causal else "bidirectional")
    return templates.parts(prompt)


# Every family, spelled out.

SHORT = [user("Hi"), assistant("Yes."), user("Hi")]
LONG = [system("Be kind."), *SHORT]


def test_llama3():
    head = "<|start_header_id|>{}<|end_header_id|>\n\n{}"
    assert segments("llama3", [system(" Be kind.\n"), user("Hi \n")]) == [
        ("bos", "<|begin_of_text|>"),
        ("system", head.format("system", "Be kind.<|eot_id|>")),
        ("user", head.format("user", "Hi<|eot_id|>")),
        ("assistant", head.format("assistant", "")),
    ]


def test_llama31_writes_the_system_turn_around_the_message():
    head = "<|start_header_id|>{}<|end_header_id|>\n\n{}"
    dated = "Knowledge ends: winter\nToday: 12 Mar 2031\n\n"
    assert segments("llama31", LONG, **DATE) == [
        ("bos", "<|begin_of_text|>"),
        ("system", head.format("system", dated + "Be kind.<|eot_id|>")),
        ("user", head.format("user", "Hi<|eot_id|>")),
        ("assistant", head.format("assistant", "Yes.<|eot_id|>")),
        ("user 2", head.format("user", "Hi<|eot_id|>")),
        ("assistant 2", head.format("assistant", "")),
    ]


def test_llama31_injects_a_system_turn():
    head = "<|start_header_id|>{}<|end_header_id|>\n\n{}"
    dated = "Knowledge ends: winter\nToday: 12 Mar 2031\n\n"
    assert segments("llama31", [user("Hi")], **DATE) == [
        ("bos", "<|begin_of_text|>"),
        ("system", head.format("system", dated + "<|eot_id|>")),
        ("user", head.format("user", "Hi<|eot_id|>")),
        ("assistant", head.format("assistant", "")),
    ]


def test_llama31_today():
    (_, (name, text), *_rest) = segments("llama31", [user("Hi")])
    assert name == "system"
    assert re.search(r"Today: \d\d \w+ \d{4}\n", text)


def test_qwen25_injects_a_system_turn():
    assert segments("qwen25", SHORT) == [
        ("system", "<|im_start|>system\nYou are kind.<|im_end|>\n"),
        ("user", "<|im_start|>user\nHi<|im_end|>\n"),
        ("assistant", "<|im_start|>assistant\nYes.<|im_end|>\n"),
        ("user 2", "<|im_start|>user\nHi<|im_end|>\n"),
        ("assistant 2", "<|im_start|>assistant\n"),
    ]


def test_qwen25_with_a_system_message_injects_none():
    assert segments("qwen25", [system("Be kind."), user(" Hi\n\n")]) == [
        ("system", "<|im_start|>system\nBe kind.<|im_end|>\n"),
        ("user", "<|im_start|>user\n Hi\n\n<|im_end|>\n"),
        ("assistant", "<|im_start|>assistant\n"),
    ]


def test_qwen3():
    assert segments("qwen3", LONG, enable_thinking=False) == [
        ("system", "<|im_start|>system\nBe kind.<|im_end|>\n"),
        ("user", "<|im_start|>user\nHi<|im_end|>\n"),
        ("assistant", "<|im_start|>assistant\nYes.<|im_end|>\n"),
        ("user 2", "<|im_start|>user\nHi<|im_end|>\n"),
        ("assistant 2", "<|im_start|>assistant\n<think>\n\n</think>\n\n"),
    ]


def test_phi3():
    assert segments("phi3", LONG) == [
        ("system", "<|system|>\nBe kind.<|end|>\n"),
        ("user", "<|user|>\nHi<|end|>\n"),
        ("assistant", "<|assistant|>\nYes.<|end|>\n"),
        ("user 2", "<|user|>\nHi<|end|>\n"),
        ("assistant 2", "<|assistant|>\n"),
    ]


def test_a_template_that_closes_no_user_turn():
    assert segments("unclosed", LONG) == [
        ("bos", "<|bos|>"),
        ("system", "Be kind."),
        ("user", "<|User|>Hi"),
        ("assistant", "<|Assistant|>Yes.<|eos|>"),
        ("user 2", "<|User|>Hi"),
        ("assistant 2", "<|Assistant|><think>\n"),
    ]


def test_a_template_without_special_tokens():
    assert segments("plain", LONG) == [
        ("system", "System: Be kind.\n"),
        ("user", "User: Hi\n"),
        ("assistant", "Assistant: Yes.\n"),
        ("user 2", "User: Hi\n"),
        ("assistant 2", "Assistant:"),
    ]


# What templates do to contents.


@pytest.mark.parametrize("name", templates.NAMES)
@pytest.mark.parametrize("content", ["", " ", "\n\n"])
def test_contents_of_nothing(name, content):
    messages = [system("Be kind."), user(content), assistant(content), user("Hi")]
    found = segments(name, messages, **DATE)
    roles = ["system", "user", "assistant", "user 2", "assistant 2"]
    assert [name for name, _ in found if name != "bos"] == roles
    assert (
        "".join(text for _, text in found)
        == chat_prompt(templates.tokenizer(name), messages, **DATE).text
    )


def test_past_thinking_is_dropped():
    thinking = assistant("<think>\nHm, Hi?\n</think>\n\nYes.")
    assert segments("qwen3", [user("Hi"), thinking, user("Hi")])[1] == (
        "assistant",
        "<|im_start|>assistant\nYes.<|im_end|>\n",
    )


def test_thinking_of_the_last_turn_is_rewritten():
    assert segments("qwen3", [user("Hi"), assistant("<think>Hm?</think>Yes.")]) == [
        ("user", "<|im_start|>user\nHi<|im_end|>\n"),
        ("assistant", "<|im_start|>assistant\n<think>\nHm?\n</think>\n\nYes.<|im_end|>\n"),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("qwen25", f"<|im_start|>assistant\n{CALLED}"),
        ("qwen3", f"<|im_start|>assistant\n<think>\n\n</think>\n\n\n{CALLED}"),
    ],
)
@pytest.mark.parametrize("content", [{"content": ""}, {"content": None}, {}])
def test_tool_turns_that_share_a_wrapper_are_one_segment(name, text, content):
    call = {"role": "assistant", "tool_calls": [CALL], **content}
    tools = [{"type": "function", "function": {"name": "f"}}]
    found = segments(name, [user("Hi"), call, tool("12"), tool(" 12")], tools=tools)
    assert [name for name, _ in found] == ["system", "user", "assistant", "tool", "assistant 2"]
    assert found[0][1].endswith("as <tool_call>\n{}\n</tool_call><|im_end|>\n")
    assert found[1][1] == "<|im_start|>user\nHi<|im_end|>\n"
    assert found[2][1] == text
    assert found[3][1] == (
        "<|im_start|>user\n<tool_response>\n12\n</tool_response>\n"
        "<tool_response>\n 12\n</tool_response><|im_end|>\n"
    )


def test_a_tool_list_behind_the_system_text_belongs_to_its_turn():
    tools = [{"type": "function", "function": {"name": "f"}}]
    for name in ("qwen25", "qwen3"):
        first, second, _ = segments(name, [system("Be kind."), user("Hi")], tools=tools)
        assert first[1].startswith("<|im_start|>system\nBe kind.\n\n# Tools")
        assert first[1].endswith("</tool_call><|im_end|>\n")
        assert second == ("user", "<|im_start|>user\nHi<|im_end|>\n")


def test_a_content_with_a_tool_call_behind_it():
    call = assistant("Let me see.", tool_calls=[CALL])
    found = segments("qwen25", [user("Hi"), call, tool("12")])
    assert found[2][0] == "assistant"
    assert found[2][1].startswith("<|im_start|>assistant\nLet me see.\n<tool_call>\n")
    assert found[2][1].endswith("</tool_call><|im_end|>\n")
    assert found[3][0] == "tool"


def test_tool_turns_with_their_own_wrappers_are_apart():
    head = "<|start_header_id|>{}<|end_header_id|>\n\n{}<|eot_id|>"
    call = assistant("", tool_calls=[CALL])
    assert segments("llama31", [user("Hi"), call, tool("1"), tool("1")], **DATE)[2:-1] == [
        ("user", head.format("user", "Hi")),
        ("assistant", head.format("assistant", '{"name": "f", "arguments": {"a": 1}}')),
        ("tool", head.format("ipython", "1")),
        ("tool 2", head.format("ipython", "1")),
    ]
    assert segments("plain", [user("Hi"), tool("1"), tool("1")])[1:3] == [
        ("tool", "Tool: 1\n"),
        ("tool 2", "Tool: 1\n"),
    ]


def test_contents_that_look_like_the_template():
    trap = "Hi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nYes."
    found = segments("llama3", [user(trap), assistant(trap), user("Hi")])
    assert [name for name, _ in found] == ["bos", "user", "assistant", "user 2", "assistant 2"]
    assert found[1][1] == f"<|start_header_id|>user<|end_header_id|>\n\n{trap}<|eot_id|>"


def test_contents_of_private_use_characters():
    content = "\ue000a\ue001\U000f0000" + "".join(map(chr, range(0xE000, 0xE020)))
    prompt = chat_prompt(templates.tokenizer("qwen25"), [user(content), assistant(content)])
    assert prompt.text.count(content) == 2
    assert [s.name for s in prompt.segmentation.segments] == ["system", "user", "assistant"]


def test_a_message_that_the_template_drops_has_no_segment():
    deaf = """\
{%- for message in messages if message.role != 'system' -%}
{{- message.role + ': ' + message.content + '\n' -}}
{%- endfor -%}"""
    found = segments(templates.with_template("plain", deaf), [system("Be kind."), user("Hi")])
    assert found == [("user", "user: Hi\n")]


@pytest.mark.parametrize("change", ["upper", "lower", "capitalize", "title", "tojson"])
def test_templates_that_change_letters(change):
    template = templates.LLAMA3.replace("| trim", f"| trim | {change}")
    tokenizer = templates.with_template("llama3", template)
    found = segments(tokenizer, [system("be KIND <now>"), user("hi YOU")])
    assert [name for name, _ in found] == ["bos", "system", "user", "assistant"]
    assert found[2][1].casefold().replace('"', "").endswith("hi you<|eot_id|>")


def test_a_template_that_turns_letters_around():
    template = templates.PLAIN.replace("trim", "reverse")
    assert segments(templates.with_template("plain", template), [user("Hi"), assistant("Yes")]) == [
        ("user", "User: iH\n"),
        ("assistant", "Assistant: seY\n"),
    ]


ASIDE = """\
{%- for message in messages -%}
{%- set aside = message.content.startswith(mark) and message.content.endswith('!') -%}
{%- set name = 'aside' if aside else message.role -%}
"""


@pytest.mark.parametrize("mark", ["#", "<|im_end|>", "[note]"])
def test_a_template_that_looks_at_the_ends_of_a_content(mark):
    messages = [user(f"{mark}Hi!"), assistant("Yes."), user("Hi")]
    body = "{{- '<|im_start|>' + name + '\n' + message.content + '<|im_end|>\n' -}}{%- endfor -%}"
    assert segments(templates.with_template("qwen25", ASIDE + body), messages, mark=mark) == [
        ("user", f"<|im_start|>aside\n{mark}Hi!<|im_end|>\n"),
        ("assistant", "<|im_start|>assistant\nYes.<|im_end|>\n"),
        ("user 2", "<|im_start|>user\nHi<|im_end|>\n"),
    ]
    body = "{{- name + ': ' + message.content + '\n' -}}{%- endfor -%}"
    assert segments(templates.with_template("plain", ASIDE + body), messages, mark=mark) == [
        ("user", f"aside: {mark}Hi!\n"),
        ("assistant", "assistant: Yes.\n"),
        ("user 2", "user: Hi\n"),
    ]


def test_a_system_text_within_the_user_turn():
    template = """\
{{- bos_token -}}
{%- set first = messages[0].content + '\n\n' if messages[0].role == 'system' else '' -%}
{%- for message in messages if message.role != 'system' -%}
{{- '<|im_start|>' + message.role + '\n' -}}
{{- (first if message.role == 'user' and loop.first else '') + message.content + '<|im_end|>\n' -}}
{%- endfor -%}"""
    tokenizer = templates.with_template("qwen25", "{%- set bos_token = '' -%}" + template)
    assert segments(tokenizer, [system("Be kind."), user("Hi"), assistant("Yes.")]) == [
        ("system", "<|im_start|>user\nBe kind.\n\n"),
        ("user", "Hi<|im_end|>\n"),
        ("assistant", "<|im_start|>assistant\nYes.<|im_end|>\n"),
    ]


def test_a_system_text_that_is_written_with_the_last_user_turn():
    template = """\
{{- bos_token -}}
{%- for message in messages if message.role != 'system' -%}
{%- if message.role == 'assistant' -%}
{{- message.content + eos_token -}}
{%- else -%}
{{- '[INST]' + (messages[0].content + '\n\n' if loop.last else '') + message.content -}}
{{- '[/INST]' -}}
{%- endif -%}
{%- endfor -%}"""
    brackets = templates.Family(template, special=("[INST]", "[/INST]"), bos="<s>", eos="</s>")
    assert segments(templates.build(brackets), LONG) == [
        ("bos", "<s>"),
        ("user", "[INST]Hi[/INST]"),
        ("assistant", "Yes.</s>"),
        ("system", "[INST]Be kind.\n\n"),
        ("user 2", "Hi[/INST]"),
    ]


def test_brackets_that_are_no_tokens():
    template = """\
{%- for message in messages -%}
{{- '[ASK] ' + message.content + ' [/ASK]' if message.role == 'user' else message.content -}}
{{- ' ' if not loop.last -}}
{%- endfor -%}"""
    tokenizer = templates.with_template("plain", template)
    assert segments(tokenizer, [user("Hi")]) == [("user", "[ASK] Hi "), ("assistant", "[/ASK]")]
    assert segments(tokenizer, [user("Hi")], add_generation_prompt=False) == [
        ("user", "[ASK] Hi [/ASK]")
    ]


def test_an_injected_turn_before_a_hidden_one():
    found = segments("qwen25", [assistant("", tool_calls=[CALL]), tool("1")])
    assert [name for name, _ in found] == ["system", "assistant", "tool", "assistant 2"]
    assert found[1][1] == f"<|im_start|>assistant\n{CALLED}"


def test_an_injected_turn_that_two_tokens_close():
    injecting = "{{- '<|system|>\nBe kind.<|end|><|endoftext|>\n' -}}" + templates.PHI3
    assert segments(templates.with_template("phi3", injecting), [user("Hi")]) == [
        ("system", "<|system|>\nBe kind.<|end|><|endoftext|>\n"),
        ("user", "<|user|>\nHi<|end|>\n"),
        ("assistant", "<|assistant|>\n"),
    ]


def test_a_hidden_turn_among_turns_in_another_order_names_its_message():
    template = templates.QWEN25.replace("in messages", "in messages | reverse")
    chat = [user("Hi"), assistant("", tool_calls=[CALL]), user("Hi")]
    assert segments("qwen25", chat)[2][0] == "assistant"
    with pytest.raises(ValueError, match=r"message 1 \('assistant'\)"):
        chat_prompt(templates.with_template("qwen25", template), chat)


def test_tool_turns_behind_a_bos_token_alone_are_apart():
    family = templates.Family("{{- bos_token -}}" + templates.PLAIN, bos="<s>")
    found = segments(templates.build(family), [user("Hi"), tool("1"), tool("1")])
    assert found[2:4] == [("tool", "Tool: 1\n"), ("tool 2", "Tool: 1\n")]


def test_system_messages_in_a_row_are_turns_of_their_own():
    found = segments("unclosed", [system("Be kind."), system("Be brief."), user("Hi")])
    assert found[1:3] == [("system", "Be kind."), ("system 2", "Be brief.")]


def test_a_hidden_turn_that_closes_like_the_other_answers():
    template = """\
{%- for message in messages -%}
{%- set letter = message.role[0] -%}
{{- '<' + letter + '>' + (message.calls or message.content) + '</' + letter + '>' -}}
{%- endfor -%}"""
    family = templates.Family(template, special=("<u>", "</u>", "<a>", "</a>"))
    hidden = assistant("", calls="f()", tool_calls=[CALL])
    assert segments(templates.build(family), [*SHORT, hidden, user("Hi")]) == [
        ("user", "<u>Hi</u>"),
        ("assistant", "<a>Yes.</a>"),
        ("user 2", "<u>Hi</u>"),
        ("assistant 2", "<a>f()</a>"),
        ("user 3", "<u>Hi</u>"),
    ]


def test_a_special_token_before_the_one_that_closes():
    template = templates.LLAMA3.replace("'<|eot_id|>'", "message.get('code', '') + '<|eot_id|>'")
    llama = templates.FAMILIES["llama3"]
    family = templates.Family(template, (*llama.special, "<|code|>"), (), llama.bos, llama.eos)
    coding = assistant("Let me see.", code="<|code|>f()")
    assert segments(templates.build(family), [user("Hi"), coding, user("Hi")])[2] == (
        "assistant",
        "<|start_header_id|>assistant<|end_header_id|>\n\nLet me see.<|code|>f()<|eot_id|>",
    )


def test_one_token_that_is_both_bos_and_eos():
    both = "<|endoftext|>"
    chatml = templates.Family(
        "{{- bos_token -}}" + templates.QWEN25,
        special=("<|im_start|>", "<|im_end|>"),
        bos=both,
        eos=both,
    )
    assert segments(templates.build(chatml), [user("Hi")]) == [
        ("bos", both),
        ("system", "<|im_start|>system\nYou are kind.<|im_end|>\n"),
        ("user", "<|im_start|>user\nHi<|im_end|>\n"),
        ("assistant", "<|im_start|>assistant\n"),
    ]
    ending = "(eos_token if message.role == 'assistant' else '') + '\n'"
    plain = templates.PLAIN.replace("'\n'", ending)
    family = templates.Family("{{- bos_token -}}" + plain, bos=both, eos=both)
    assert segments(templates.build(family), SHORT) == [
        ("bos", both),
        ("user", "User: Hi\n"),
        ("assistant", f"Assistant: Yes.{both}\n"),
        ("user 2", "User: Hi\n"),
        ("assistant 2", "Assistant:"),
    ]


def test_tokens_of_white_space_and_of_contents_wrap_nothing():
    family = templates.Family(
        templates.PLAIN.replace("': '", "':\n'"), added=("\n",), eos="<|endoftext|>"
    )
    ends = "1<|endoftext|>"
    assert segments(templates.build(family), [user("Hi"), tool(ends), tool(ends)]) == [
        ("user", "User:\nHi\n"),
        ("tool", f"Tool:\n{ends}\n"),
        ("tool 2", f"Tool:\n{ends}\n"),
        ("assistant", "Assistant:"),
    ]


def test_a_bos_token_that_opens_every_turn_is_no_segment_of_its_own():
    family = templates.Family(templates.QWEN25, bos="<|im_start|>", eos="<|im_end|>")
    assert segments(templates.build(family), [user("Hi")])[0] == (
        "system",
        "<|im_start|>system\nYou are kind.<|im_end|>\n",
    )


# Options.


def test_a_chat_that_ends_with_the_assistant_gets_no_generation_prompt():
    messages = [user("Hi"), assistant("Yes.")]
    assert segments("phi3", messages)[-1] == (
        "assistant",
        "<|assistant|>\nYes.<|end|>\n<|endoftext|>",
    )
    assert segments("phi3", messages, add_generation_prompt=True)[-2:] == [
        ("assistant", "<|assistant|>\nYes.<|end|>\n"),
        ("assistant 2", "<|assistant|>\n"),
    ]
    assert segments("llama3", messages, continue_final_message=True)[-1] == (
        "assistant",
        "<|start_header_id|>assistant<|end_header_id|>\n\nYes.",
    )
    assert segments("unclosed", LONG[:3], continue_final_message=True)[1:] == [
        ("system", "Be kind."),
        ("user", "<|User|>Hi"),
        ("assistant", "<|Assistant|>Yes."),
    ]
    assert segments("llama3", [user("Hi")], add_generation_prompt=False)[-1][0] == "user"
    assert chat_prompt(
        templates.tokenizer("phi3"), [user("Hi")], continue_final_message=True
    ).text.endswith("Hi")


def test_contents_as_text_parts():
    chat = [user([{"type": "text", "text": " Hi"}, {"type": "text", "text": " there "}])]
    joined = chat_prompt(templates.tokenizer("qwen25"), [user(" Hi there ")])
    parts = chat_prompt(templates.tokenizer("qwen25"), chat)
    assert (parts.token_ids, parts.segmentation) == (joined.token_ids, joined.segmentation)
    assert [prompt.messages for prompt in (parts, joined)] == [chat, [user(" Hi there ")]]
    template = """\
{%- for message in messages -%}
{{- '<|im_start|>' + message.role -}}
{%- for part in message.content -%}{{- '\n' + part.text | trim -}}{%- endfor -%}
{{- '<|im_end|>\n' -}}
{%- endfor -%}"""
    assert segments(templates.with_template("qwen25", template), chat) == [
        ("user", "<|im_start|>user\nHi\nthere<|im_end|>\n")
    ]


def test_text_parts_without_special_tokens_around_them():
    template = """\
{%- for message in messages -%}
{%- for part in message.content -%}{{- part.text + '\n' -}}{%- endfor -%}
{%- endfor -%}"""
    chat = [
        user([{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]),
        assistant([{"type": "text", "text": "Yes."}]),
    ]
    assert segments(templates.with_template("plain", template), chat) == [
        ("user", "Hi\nthere\n"),
        ("assistant", "Yes.\n"),
    ]


def test_a_template_that_prints_lists_as_python_does_gets_strings():
    printing = templates.PHI3.replace("+ message.content", "~ message.content")
    tokenizer = templates.with_template("phi3", printing)
    chat = [user([{"type": "text", "text": "Hi"}])]
    assert "[{" in tokenizer.apply_chat_template(chat, tokenize=False)
    assert templates.parts(chat_prompt(tokenizer, chat))[0][1] == "<|user|>\nHi<|end|>\n"


def test_messages_are_left_alone_and_may_be_any_iterable():
    messages = [system(" Be kind. "), user([{"type": "text", "text": "Hi"}])]
    copy = [system(" Be kind. "), user([{"type": "text", "text": "Hi"}])]
    prompt = chat_prompt(templates.tokenizer("llama3"), messages)
    assert messages == copy
    assert chat_prompt(templates.tokenizer("llama3"), iter(messages)) == prompt


# Tokens.


def test_a_token_over_a_boundary_belongs_to_the_segment_of_its_first_character():
    tokenizer = templates.with_template("plain", templates.PLAIN)
    tokenizer.add_tokens(["? Nobody"])
    found = segments(tokenizer, [user("Who"), assistant("? Nobody")])
    assert found == [("user", "User: Who\n"), ("assistant", "Assistant: ? Nobody\n")]
    glued = "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer.chat_template = glued
    assert segments(tokenizer, [user("Who?"), assistant(" Nobody knows")]) == [
        ("user", "Who? Nobody"),
        ("assistant", " knows"),
    ]


def test_characters_of_several_tokens():
    prompt = chat_prompt(templates.tokenizer("plain"), [user("a🦉b"), assistant("🦉")])
    user_turn, answer = prompt.segmentation.segments
    assert [s.name for s in prompt.segmentation.segments] == ["user", "assistant"]
    owl = ("🦉[1/3]", "🦉[2/3]", "🦉[3/3]")  # two of its four bytes are one token
    assert prompt.tokens[user_turn.start : user_turn.stop][-5:] == (*owl, "b", "\n")
    assert prompt.tokens[answer.start : answer.stop][-4:] == (" 🦉[1/3]", *owl[1:], "\n")


def test_an_emoji_at_a_boundary():
    glued = "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer = templates.with_template("plain", glued)
    prompt = chat_prompt(tokenizer, [user("a🦉"), assistant("🦉b")])
    # The first owl ends the user's turn, the second begins the answer.
    assert prompt.segmentation.boundaries == (4,)
    assert prompt.tokens[0] == "a"
    assert prompt.tokens[4] == "🦉[1/3]"
    assert prompt.tokens[-1] == "b"


def test_trimmed_offsets_do_not_move_boundaries():
    backend = Tokenizer.from_str(templates.backend())
    backend.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    text = "Hello  there\n\n  you. Yes"
    exact = text_prompt(templates.tokenizer("plain"), text, split=re.compile("(?= )"))
    prompt = text_prompt(tokenizer, text, split=re.compile("(?= )"))
    assert (
        tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        != templates.tokenizer("plain")(text, return_offsets_mapping=True)["offset_mapping"]
    )
    assert prompt == exact
    assert "".join(prompt.tokens) == text


def test_offsets_of_a_sentencepiece_style_tokenizer():
    letters = {letter: number for number, letter in enumerate("▁abc.")}
    backend = Tokenizer(models.BPE(letters, []))
    backend.normalizer = normalizers.Replace(" ", "▁")
    prompt = text_prompt(PreTrainedTokenizerFast(tokenizer_object=backend), "ab. c a", split=". ")
    assert templates.parts(prompt) == [("text", "ab. "), ("text 2", "c a")]


# Errors.


@pytest.mark.parametrize(
    ("messages", "error", "message"),
    [
        ([], ValueError, "no messages"),
        ("Hi", TypeError, r"not 'Hi'; plain text goes to model\.prompt"),
        (user("Hi"), TypeError, "messages are a list like"),
        (7, TypeError, "messages are a list like"),
        ([user("Hi"), "Yes."], TypeError, "message 1 is 'Yes.'"),
        ([{"content": "Hi"}], TypeError, "message 0 has the role None"),
        ([user("Hi"), {"role": "assistant"}], TypeError, r"message 1 \('assistant'\).*None"),
        ([user(7)], TypeError, r"message 0 \('user'\) has the content 7"),
        ([user([{"type": "image"}])], TypeError, r"message 0 \('user'\) has the part.*text alone"),
        ([user(["Hi"])], TypeError, "has the part 'Hi'"),
    ],
)
def test_messages_of_another_form(messages, error, message):
    with pytest.raises(error, match=message):
        chat_prompt(templates.tokenizer("qwen3"), messages)


def test_a_tokenizer_without_a_chat_template():
    tokenizer = templates.build(templates.Family(template=""))
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match=r"no chat template.*model\.prompt"):
        chat_prompt(tokenizer, [user("Hi")])
    assert segments(tokenizer, [user("Hi")], chat_template=templates.PLAIN)[0][0] == "user"


def test_a_template_that_refuses_the_messages():
    strict = "{{ raise_exception('Roles must alternate.') if messages | length > 1 }}Hi"
    tokenizer = templates.with_template("plain", strict)
    with pytest.raises(ValueError, match=r"refuses these messages: Roles must alternate\."):
        chat_prompt(tokenizer, [user("Hi"), user("Hi")])


def test_a_template_that_writes_nothing():
    with pytest.raises(ValueError, match="writes nothing"):
        chat_prompt(templates.with_template("plain", "{{ '' }}"), [user("Hi")])


@pytest.mark.parametrize("change", ["length", "replace('Hi', 'Ho') | first"])
def test_a_hidden_content_names_its_message(change):
    template = templates.PLAIN.replace("message.content | trim", f"message.content | {change} ~ ''")
    with pytest.raises(ValueError, match=r"message 0 \('user'\).*model\.prompt\(text, split=…\)"):
        chat_prompt(templates.with_template("plain", template), [user("Hi there")])


def test_a_content_that_is_written_twice_names_its_message():
    template = templates.PLAIN.replace("message.content | trim", "message.content * 2")
    with pytest.raises(ValueError, match=r"message 1 \('assistant'\)"):
        chat_prompt(
            templates.with_template("plain", template.replace("* 2", "* loop.index")),
            [user("Hi"), assistant("Yes.")],
        )


def test_a_template_that_never_repeats_itself():
    ticking = "{{ strftime_now('%f') }} {{ messages[0].content }}\n"
    with pytest.raises(ValueError, match=r"3 different ways.*date_string"):
        chat_prompt(templates.with_template("plain", ticking), [user("Hi")])


def test_a_template_that_is_tokenized_in_another_way():
    class Other(PreTrainedTokenizerFast):
        def apply_chat_template(self, *args, tokenize=True, **kwargs):
            text = super().apply_chat_template(*args, **{**kwargs, "tokenize": False})
            return {"input_ids": self("<|end|>" + text)["input_ids"]} if tokenize else text

    tokenizer = Other(tokenizer_object=Tokenizer.from_str(templates.backend()))
    tokenizer.chat_template = templates.PLAIN
    with pytest.raises(ValueError, match=r"other token ids.*model\.prompt"):
        chat_prompt(tokenizer, [user("Hi")])


def test_a_clock_that_ticks_in_between_is_survived():
    class Ticking(PreTrainedTokenizerFast):
        renderings = 0

        def apply_chat_template(self, *args, **kwargs):
            Ticking.renderings += 1
            day = "Monday" if Ticking.renderings < 3 else "Sunday"
            return super().apply_chat_template(*args, **kwargs, day=day)

    tokenizer = Ticking(tokenizer_object=Tokenizer.from_str(templates.backend()))
    tokenizer.chat_template = "{{ day }}: {{ messages[0].content }}"
    assert templates.parts(chat_prompt(tokenizer, [user("Hi")])) == [("user", "Sunday: Hi")]


@pytest.mark.parametrize("option", ["tokenize", "return_tensors", "truncation", "max_length"])
def test_options_that_change_tokens(option):
    with pytest.raises(ValueError, match=f"{option} cannot be given here"):
        chat_prompt(templates.tokenizer("qwen3"), [user("Hi")], **{option: 1})


def test_a_tokenizer_without_offsets():
    class Slow:
        is_fast = False
        chat_template = "{{ messages[0].content }}"

        def apply_chat_template(self, messages, **_options):
            return messages[0]["content"]

    for call in (lambda: chat_prompt(Slow(), [user("Hi")]), lambda: text_prompt(Slow(), "Hi")):
        with pytest.raises(ValueError, match=r"Slow does not tell.*load the fast version"):
            call()


# Plain text.


@pytest.mark.parametrize(
    ("text", "split", "expected"),
    [
        ("a\n\nb\n\nc", None, ["a\n\nb\n\nc"]),
        ("a\n\nb\n\nc", "\n\n", ["a\n\n", "b\n\n", "c"]),
        ("a|b|", "|", ["a|", "b|"]),
        ("a|||b", "|", ["a|||", "b"]),
        ("|a||b", "|", ["|a||", "b"]),
        ("|||", "|", ["|||"]),
        ("a.b", ".", ["a.", "b"]),
        ("abc", "x", ["abc"]),
        ("a1b22c", re.compile(r"\d+"), ["a1", "b22", "c"]),
        ("Q: a Q: b", re.compile(r"(?=Q:)"), ["Q: a ", "Q: b"]),
        ("a\nQ: b\nc", re.compile(r"\n(?=Q:)"), ["a\n", "Q: b\nc"]),
        ("a||b", re.compile(r"(?=\|)|\|"), ["a", "||", "b"]),
        ("a b", re.compile(r"(?= )|(?<= )"), ["a", " ", "b"]),
        ("abc", re.compile(""), ["a", "b", "c"]),
    ],
)
def test_text_is_cut_behind_delimiters(text, split, expected):
    letters = {letter: number for number, letter in enumerate("abcQ:.|x12 \n")}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(letters, [])))
    prompt = text_prompt(tokenizer, text, split)
    names = ["text", *(f"text {number}" for number in range(2, len(expected) + 1))]
    assert templates.parts(prompt) == list(zip(names, expected, strict=True))
    assert all(s.attention == "bidirectional" for s in prompt.segmentation.segments)
    assert prompt.text == text
    assert list(prompt.token_ids) == tokenizer(text)["input_ids"]


def test_a_cut_inside_a_token_moves_to_its_end():
    tokenizer = templates.with_template("plain", templates.PLAIN)
    tokenizer.add_tokens(["one two"])
    assert templates.parts(text_prompt(tokenizer, "one two one", split="t")) == [
        ("text", "one two"),
        ("text 2", " one"),
    ]
    assert templates.parts(text_prompt(tokenizer, "one two", split="e")) == [("text", "one two")]


def bos_tokenizer():
    backend = Tokenizer.from_str(templates.backend())
    backend.add_special_tokens(["<s>", "</s>"])
    ids = [(token, backend.token_to_id(token)) for token in ("<s>", "</s>")]
    backend.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def test_a_bos_token_is_a_causal_segment_of_its_own():
    tokenizer = bos_tokenizer()
    prompt = text_prompt(tokenizer, "Hello. Yes", split=".")
    assert templates.parts(prompt) == [("bos", "<s>"), ("text", "Hello."), ("text 2", " Yes</s>")]
    assert prompt.segmentation.segments[0].attention == "causal"
    assert list(prompt.token_ids) == tokenizer("Hello. Yes")["input_ids"]
    assert prompt.text == "Hello. Yes"


def test_a_rendered_chat_gets_no_second_bos_token():
    prompt = text_prompt(bos_tokenizer(), "<s>Hello")
    assert templates.parts(prompt) == [("bos", "<s>"), ("text", "Hello")]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("",), ValueError, "'' holds no token"),
        (([user("Hi")],), TypeError, r"text is a string.*model\.chat"),
        (("Hi", ""), ValueError, "split is an empty string"),
        (("Hi", 7), TypeError, "split is a string, a compiled pattern"),
        (("Hi", re.compile(b"x")), TypeError, "split is a string, a compiled pattern"),
    ],
)
@pytest.mark.parametrize("make", [bos_tokenizer, lambda: templates.tokenizer("plain")])
def test_text_that_is_no_prompt(make, arguments, error, message):
    with pytest.raises(error, match=message):
        text_prompt(make(), *arguments)


# Prompts.


def test_prompts_check_their_lengths():
    two = Segmentation([Segment(0, 2, "text")])
    prompt = Prompt(np.array([4, 5]), ["a", "b"], "ab", two)
    assert prompt.token_ids == (4, 5)
    assert prompt.tokens == ("a", "b")
    assert hash(prompt) == hash(Prompt((4, 5), ("a", "b"), "ab", two))
    with pytest.raises(ValueError, match="2 token ids and 1 tokens"):
        Prompt((4, 5), ("ab",), "ab", two)
    with pytest.raises(ValueError, match="spans 3 tokens, the prompt has 2"):
        prompt.with_segmentation(two.append(1, "response"))


def test_with_segmentation_leaves_the_prompt_alone():
    prompt = chat_prompt(templates.tokenizer("llama3"), [user("Hi")])
    before = prompt.segmentation
    edited = prompt.with_segmentation(before.merge(0))
    assert prompt.segmentation == before
    assert edited.segmentation == before.merge(0)
    assert (edited.token_ids, edited.tokens, edited.text) == (
        prompt.token_ids,
        prompt.tokens,
        prompt.text,
    )


# Any content, every template: an independent rendering says where the turns are.

TRICKY = st.sampled_from(
    ["<|eot_id|>", "<|im_end|>\n", "<|im_start|>user\n", "<|end|>", "<|User|>", "User: ", "😀",
     "北京", "\ue000", "\n\n", "  ", "<tool_call>", "\N{COMBINING ACUTE ACCENT}", "a", "."]
)  # fmt: skip
CONTENTS = st.lists(st.one_of(TRICKY, st.text(max_size=4)), max_size=5).map("".join)


@st.composite
def chats(draw):
    messages = [system(draw(CONTENTS))] if draw(st.booleans()) else []
    contents = draw(st.lists(CONTENTS, min_size=1, max_size=4))
    spoken = [(user, assistant)[n % 2](content) for n, content in enumerate(contents)]
    return messages + spoken


def turns_by_hand(name, messages):
    """What the family's template writes, turn by turn: [(role, text), …]."""
    prompted = messages[-1]["role"] != "assistant"
    said = [(m["role"], m["content"]) for m in messages]
    if name in ("llama3", "llama31"):
        head = "<|start_header_id|>{}<|end_header_id|>\n\n"
        turns = [(role, head.format(role) + text.strip() + "<|eot_id|>") for role, text in said]
        if name == "llama31":
            dated = head.format("system") + "Knowledge ends: winter\nToday: 12 Mar 2031\n\n"
            if said[0][0] == "system":
                turns[0] = ("system", dated + said[0][1].strip() + "<|eot_id|>")
            else:
                turns.insert(0, ("system", dated + "<|eot_id|>"))
        return [("bos", "<|begin_of_text|>"), *turns] + [
            ("assistant", head.format("assistant"))
        ] * prompted
    if name in ("qwen25", "qwen3"):
        if name == "qwen25" and said[0][0] != "system":
            said.insert(0, ("system", "You are kind."))
        turns = [(role, f"<|im_start|>{role}\n{text}<|im_end|>\n") for role, text in said]
        if name == "qwen3" and not prompted:
            thought = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
            turns[-1] = ("assistant", f"{thought}{said[-1][1]}<|im_end|>\n")
        return turns + [("assistant", "<|im_start|>assistant\n")] * prompted
    if name == "phi3":
        turns = [(role, f"<|{role}|>\n{text}<|end|>\n") for role, text in said]
        return [*turns, ("assistant", "<|assistant|>\n" if prompted else "<|endoftext|>")]
    if name == "unclosed":
        forms = {"system": "{}", "user": "<|User|>{}", "assistant": "<|Assistant|>{}<|eos|>"}
        turns = [(role, forms[role].format(text)) for role, text in said]
        return [("bos", "<|bos|>"), *turns] + [("assistant", "<|Assistant|><think>\n")] * prompted
    turns = [(role, f"{role.capitalize()}: {text.strip()}\n") for role, text in said]
    return turns + [("assistant", "Assistant:")] * prompted


@pytest.mark.parametrize("name", templates.NAMES)
@settings(deadline=None, max_examples=120)
@given(messages=chats())
def test_any_contents(name, messages):
    tokenizer = templates.tokenizer(name)
    prompt = chat_prompt(tokenizer, messages, **DATE)
    turns = turns_by_hand(name, messages)
    assert prompt.text == "".join(text for _, text in turns)
    encoding = tokenizer(prompt.text, add_special_tokens=False, return_offsets_mapping=True)
    assert list(prompt.token_ids) == encoding["input_ids"]

    owners = [role for role, text in turns for _ in text]
    indices = [number for number, (_, text) in enumerate(turns) for _ in text]
    if name == "phi3" and turns[-1][1] == "<|endoftext|>":  # the end of the last turn
        indices = [min(index, len(turns) - 2) for index in indices]
    firsts = [first for first, _ in encoding["offset_mapping"]]
    for position, (first, previous) in enumerate(zip(firsts, [None, *firsts], strict=False)):
        segment = prompt.segmentation.segments[prompt.segmentation.at(position)]
        assert segment.name.split()[0] == owners[first]
        starts = previous is None or indices[first] != indices[previous]
        assert (segment.start == position) == starts
    names = [segment.name for segment in prompt.segmentation.segments]
    assert len(names) == len(set(names))
