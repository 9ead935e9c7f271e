"""``segviz compare``: what it prints, what it reads, and what it says when it cannot."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import segviz as sv
from segviz import cli, tiny
from segviz.cli import report
from segviz.cli.terminal import Page, Progress, shortened, wrapped
from segviz.labels import columns_of

CAPTURED = {"capture_output": True, "text": True, "encoding": "utf-8"}
PROGRAM = [sys.executable, "-m", "segviz.cli"]


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_prompt_piped_in(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())


@pytest.fixture(scope="module")
def without_template(tmp_path_factory):
    """A model that has no chat template."""
    path = tmp_path_factory.mktemp("checkpoint")
    shutil.copytree(tiny.folder("tiny-llama", None), path, dirs_exist_ok=True)
    (path / "chat_template.jinja").unlink()
    return path


def as_json(capsys, *arguments: str) -> dict:
    assert cli.main(["compare", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def error(capsys, *arguments: str) -> str:
    """What is said to wrong input: one sentence on stderr."""
    assert cli.main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("segviz: ")
    assert "Traceback" not in captured.err
    return captured.err


def piped(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))


def test_the_report(capsys) -> None:
    comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=32)
    assert cli.main(["compare", "--example", "chain", "--top", "5"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "", "progress is for terminals"
    lines = captured.out.splitlines()
    assert max(map(columns_of, lines)) <= 80
    assert not any(line != line.rstrip() or "\x1b" in line for line in lines)
    assert lines[0] == "tiny-llama, adapter segment, float32"
    segments = {line.split()[0]: line.split()[1:4] for line in lines[3:7]}
    assert segments == {
        one.name: [str(one.start), str(one.stop), one.attention]
        for one in comparison.segment.segmentation.segments[:-1]
    }
    for trace in (comparison.causal, comparison.segment):
        at = lines.index(f"{trace.mask_kind} mask, 2 tokens")
        assert lines[at + 1].strip() == trace.generated_text.strip()
    told = captured.out.replace("\n", " ")
    first = comparison.shared_length
    assert f"They part at token position {first}: " in told
    assert f"“{comparison.causal.tokens[first]}” under the causal mask" in told
    assert f"“{comparison.segment.tokens[first]}” under the segment mask" in told
    assert f"there is {comparison.divergence()[first - 1]:.4g} nats" in told
    assert "untuned" not in told
    for row, (causal, segment) in enumerate(
        zip(*(t.next_tokens(first - 1, 5) for t in (comparison.causal, comparison.segment)),
            strict=True)
    ):  # fmt: skip
        left, right = lines[row - 5][:40], lines[row - 5][40:]
        for column, (token, probability) in ((left, causal), (right, segment)):
            assert column.split()[0] == f"{probability:.4f}"
            assert column.rstrip().endswith(token)


def test_json(capsys) -> None:
    comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=3)
    told = as_json(capsys, "--example", "chain", "--top", "64", "--max-new-tokens", "3")
    position = comparison.shared_length - 1
    assert (told["parted"], told["position"], told["exact"]) == (True, position, True)
    assert told["divergence"] == pytest.approx(comparison.divergence()[position], rel=1e-6)
    for trace in (comparison.causal, comparison.segment):
        one = told[trace.mask_kind]
        assert one["answer"] == trace.generated_text
        assert one["token_ids"] == list(trace.token_ids[trace.prompt_length :])
        likely = [(row["token"], row["probability"]) for row in one["next_tokens"]]
        assert [token for token, _ in likely] == [t for t, _ in trace.next_tokens(position, 64)]
        assert all(trace.decode(row["token_id"]) == row["token"] for row in one["next_tokens"])
        assert one["recipe"]["adapter"] == "segment"
    assert [one["name"] for one in told["segments"]] == ["bos", "system", "user", "assistant"]


def test_answers_that_do_not_part(capsys) -> None:
    comparison = sv.compare(sv.load(), sv.examples["chain-short"], max_new_tokens=4)
    assert not comparison.parted
    # Within the prompt the divergence is larger, but there a token sees the tokens after it.
    after = comparison.segment.prompt_length - 1
    assert comparison.position < after
    told = as_json(capsys, "--example", "chain-short", "--max-new-tokens", "4")
    expected = after + np.argmax(comparison.divergence()[after:-1])
    assert told["position"] == expected < len(comparison.segment.tokens) - 1
    assert told["parted"] is False
    cli.main(["compare", "--example", "chain-short", "--max-new-tokens", "4"])
    assert "The answers do not part." in capsys.readouterr().out
    cli.main(["compare", "--example", "chain-short", "--max-new-tokens", "0"])
    captured = capsys.readouterr().out
    assert "No answer was asked for." in captured
    assert f"what follows token position {after}" in captured


def test_what_would_follow_the_answer_is_no_matter() -> None:
    comparison = sv.compare(sv.load(), sv.examples["one-link"], max_new_tokens=2)
    assert not comparison.parted
    divergence, after = comparison.divergence(), comparison.segment.prompt_length - 1
    last = len(comparison.segment.tokens) - 1
    assert after + np.argmax(divergence[after:]) == last, "else the prompt shows nothing"
    assert report.place(comparison) == after + np.argmax(divergence[after:last])


def test_untuned_weights_are_called_so(capsys) -> None:
    for adapter, untuned in (("none", True), ("causal", True), ("segment", False)):
        arguments = ("--example", "one-link", "--adapter", adapter)
        assert as_json(capsys, *arguments)["untuned"] is untuned
        cli.main(["compare", *arguments])
        assert ("untuned: these weights" in capsys.readouterr().out) is untuned


def test_where_the_prompt_comes_from(capsys, monkeypatch, tmp_path) -> None:
    text = "Anna follows Ben. Who leads Anna?"
    expected = sv.load().chat([{"role": "user", "content": text}])
    path = tmp_path / "prompt.txt"
    path.write_bytes(f"\ufeff{text}\r\n".encode())
    told = [as_json(capsys, text), as_json(capsys, "--file", str(path))]
    for arguments in ([], ["-"]):
        piped(monkeypatch, f"{text}\n".encode())
        told.append(as_json(capsys, *arguments))
    for one in told:
        assert one["prompt_tokens"] == list(expected.tokens)
        assert [s["name"] for s in one["segments"]] == ["bos", "user", "assistant"]
    system = as_json(capsys, text, "--system", "Answer with one word.")
    assert [s["name"] for s in system["segments"]] == ["bos", "system", "user", "assistant"]
    plain = as_json(capsys, text, "--plain")
    assert plain["prompt_tokens"] == list(sv.load().prompt(text).tokens)


def test_a_delimiter_cuts_plain_text(capsys) -> None:
    text = "Anna follows Ben.\n\nWho leads Anna?"
    told = as_json(capsys, text, "--split", r"\n\n")
    expected = sv.load().prompt(text, split="\n\n").segmentation
    assert [one["stop"] for one in told["segments"]] == [s.stop for s in expected.segments]
    assert len(told["segments"]) == 3
    cli.main(["compare", text, "--split", "###"])
    assert "does not hold the delimiter '###'" in capsys.readouterr().err


def test_a_model_without_a_chat_template_takes_plain_text(capsys, without_template) -> None:
    told = as_json(
        capsys, "Anna follows Ben.", "--model", str(without_template), "--max-new-tokens", "2"
    )
    assert [one["name"] for one in told["segments"]][-1] == "text"
    assert told["causal"]["recipe"]["model"] == str(without_template)
    assert "chat template" in error(
        capsys, "compare", "Who?", "--system", "Be brief.", "--model", str(without_template)
    )


def test_saved_traces_load(capsys, tmp_path) -> None:
    prefix = tmp_path / "run"
    told = as_json(capsys, "--example", "chain", "--save", str(prefix))
    traces = [sv.Trace.load(f"{prefix}.{mask}.safetensors") for mask in ("causal", "segment")]
    comparison = sv.Comparison(*traces)
    assert comparison.shared_length == told["position"] + 1
    assert comparison.segment.generated_text == told["segment"]["answer"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "there is no prompt"),
        (["  "], "the prompt is empty"),
        (["--example", "chian"], "there is no example 'chian'; there are chain, chain-2"),
        (["--file", "no/such.txt"], "there is no file 'no/such.txt'"),
        (["a", "--file", "b"], "a prompt and --file were given"),
        (["a", "--system", "b", "--split", "c"], "--system makes a chat and --split plain text"),
        (["--example", "chain", "--plain"], "--example makes a chat and --plain plain text"),
        (["--example", "chain", "--system", "b"], "leave --system out"),
        (["a", "--adapter", "mas"], "has no adapter 'mas'"),
        (["a", "--model", "no/such/model"], "the model 'no/such/model' could not be loaded"),
        (["a", "--device", "tpu9"], "could not be put on the device 'tpu9'"),
        (["a", "--save", "no/such/run"], "there is no folder 'no/such'"),
        (["a", "--max-new-tokens", "999"], "exceed the 512 positions"),
    ],
)
def test_wrong_input_is_told(capsys, monkeypatch, tmp_path, arguments, sentence) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert sentence in error(capsys, "compare", *arguments)


def test_input_that_is_no_text(capsys, monkeypatch, tmp_path) -> None:
    piped(monkeypatch, b"caf\xe9")
    assert "standard input is not UTF-8 text (byte 3)" in error(capsys, "compare")
    (tmp_path / "latin1.txt").write_bytes(b"caf\xe9")
    assert "latin1.txt is not UTF-8" in error(
        capsys, "compare", "--file", str(tmp_path / "latin1.txt")
    )


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--top", "65", "give 1 to 64"),
        ("--top", "0", "give 1 to 64"),
        ("--max-new-tokens", "-1", "0 or more"),
        ("--split", "", "the delimiter is empty"),
        ("--split", r"\d", r"allowed are \n, \t, \r"),
        ("--dtype", "int4", "invalid choice: 'int4'"),
    ],
)
def test_wrong_values_are_told(capsys, option, value, sentence) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["compare", "a", option, value])
    assert sentence in capsys.readouterr().err


def test_a_run_that_cannot_fit_is_told(capsys, monkeypatch) -> None:
    monkeypatch.setattr("segviz.memory.available", lambda _device: 100_000)
    told = error(capsys, "compare", "--example", "chain")
    assert "cpu has 100 kB free" in told
    assert "would help" in told


def test_offloading_is_passed_on(capsys, monkeypatch) -> None:
    given = []
    load = sv.load
    monkeypatch.setattr(sv, "load", lambda *args, **kw: given.append(kw) or load(*args, **kw))
    assert cli.main(["compare", "--example", "chain", "--offload", "cpu"]) == 0
    assert given == [{"offload": "cpu"}]
    assert "Lena" in capsys.readouterr().out


def test_a_traceback_on_request() -> None:
    with pytest.raises(ValueError, match="no example"):
        cli.main(["--traceback", "compare", "--example", "x"])


def test_other_errors_are_not_swallowed(monkeypatch) -> None:
    def broken(*_arguments, **_options):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(sv, "compare", broken)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        cli.main(["compare", "a"])


def test_too_little_memory_is_told(capsys, monkeypatch) -> None:
    def full(*_arguments, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(sv, "compare", full)
    assert "CUDA out of memory: shorten the prompt" in error(capsys, "compare", "a")


def test_an_interrupt_ends_it(monkeypatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)

    def interrupted(*_arguments, on_token, **_options):
        on_token("causal", " Anna")
        raise KeyboardInterrupt

    monkeypatch.setattr(sv, "compare", interrupted)
    assert cli.main(["compare", "a"]) == 130
    said = stream.getvalue()
    assert "loading tiny-llama …" in said
    assert "causal mask: token 1 of at most 32" in said
    assert said.rsplit("\r", 2)[1].isspace(), "the line of progress is gone"
    assert said.endswith("\r")


def test_colour_is_for_terminals(monkeypatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Page(Terminal()).paint("a", "bold") == "\x1b[1ma\x1b[0m"
    assert Page(io.StringIO()).paint("a", "bold") == "a"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Page(Terminal()).paint("a", "bold") == "a"
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert Page(Terminal()).paint("a", "bold") == "a"


def test_the_painted_report_is_the_same_text(monkeypatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=2)
    plain = "\n".join(report.lines(comparison, 4, Page(io.StringIO())))
    painted = "\n".join(report.lines(comparison, 4, Page(Terminal())))
    assert painted.count("\x1b[") > 8
    for code in ("0", "1", "2", "33", "35", "36"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert painted == plain


def test_progress_fits_the_terminal(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    with Progress(stream) as progress:
        progress.say("loading a/name/that/is/far/too/long …")
    _, first, _, erased, end = stream.getvalue().split("\r")
    assert columns_of(first) == 19
    assert (erased, end) == (" " * 19, "")


def test_wide_characters_keep_the_columns() -> None:
    assert shortened("東京都千代田区丸の内", 11) == "東京…の内", "5 columns on each side"
    assert shortened("東京", 4) == "東京"
    for line in wrapped("東京都千代田区丸の内一丁目" * 3, 20):
        assert columns_of(line) <= 20
    assert "".join(wrapped("東京都千代田区" * 9, 15)) == "東京都千代田区" * 9


def test_what_a_model_writes_does_not_reach_the_terminal_as_control() -> None:
    lines = list(wrapped("red\x1b[31m \u202eevil\r\x07\nnext   ", 60))
    assert not any(ord(c) < 32 or c == "\u202e" for line in lines for c in line)
    assert lines[-1] == "next"


def test_a_terminal_without_block_characters() -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert Page(ascii_only).bar(0.5, 10) == "#####     "


# The program itself.


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], check=False, **CAPTURED, **options)


def test_help_comes_without_torch() -> None:
    for command in ([], ["lab"], ["compare"], ["figure"]):
        code = (
            "import sys; from segviz import cli\n"
            f"try: cli.main({[*command, '--help']!r})\n"
            "finally: print(*sys.modules, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False, **CAPTURED)
        heavy = {"torch", "transformers", "matplotlib", "numpy", "plotly"}
        assert not heavy & set(done.stderr.split()), command
        assert "usage: segviz" in done.stdout


def test_the_program(tmp_path) -> None:
    done = run("compare", "--json", input="Anna follows Ben. Who leads Anna?\n", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["segment"]["tokens"]
    wrong = run("compare", input="", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "segviz: the prompt is empty: a prompt needs at least one token\n"


def test_it_speaks_to_an_ascii_terminal(tmp_path) -> None:
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = run("compare", "Anna 東京", "--top", "2", env=ascii_only, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.isascii()


@pytest.mark.skipif(os.name != "posix", reason="a pipe whose reader has gone")
def test_a_reader_that_goes_ends_it_quietly(tmp_path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with (tmp_path / "errors").open("w+") as errors:
        done = subprocess.run(
            [*PROGRAM, "compare", "--example", "chain"], stdout=writer, stderr=errors, check=False
        )
    os.close(writer)
    assert done.returncode == 141
    assert Path(tmp_path / "errors").read_text() == ""
