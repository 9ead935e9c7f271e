"""Sessions are left as files and taken up again."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace

import pytest
import reference
from tokenizers import models

import segviz as sv
from segviz.session import Session

CHAT = [
    {"role": "system", "content": "Anna follows Ben. Ben follows Carl."},
    {"role": "user", "content": "Who leads Anna?"},
]


@pytest.fixture(scope="module")
def tiny() -> sv.Model:
    return sv.load()


@pytest.fixture
def session() -> Session:
    model = sv.Model(reference.make("qwen3"), reference.tokenizer(), default_mask="segment")
    return Session(model, reference.random_prompt(30, 4), max_new_tokens=5)


def test_work_goes_on_where_it_was_left(tiny, tmp_path) -> None:
    session = Session(tiny, CHAT, max_new_tokens=3)
    session.segmentation = session.segmentation.split(5).set_attention(2, "causal")
    session.view, session.layer, session.head = "difference", 1, 2
    session.scale, session.hide_first, session.panels = "log", True, ["compare", "prompt"]
    session.pinned = 7
    session.save(tmp_path / "session.json")
    assert (tmp_path / "session.json").stat().st_size < 20_000
    opened = sv.open_session(tmp_path / "session.json", tiny)
    assert opened.prompt == session.prompt
    assert opened.template == session.template
    for name in ("segmentation", "view", "layer", "head", "scale", "hide_first", "panels",
                 "pinned", "decoding"):  # fmt: skip
        assert getattr(opened, name) == getattr(session, name), name
    opened.wait(60)
    assert opened.segment_answer == session.wait(60).segment_answer
    opened.close()
    session.close()


def test_no_place_to_write(session, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder.*to save a session in"):
        session.save(tmp_path / "none" / "session.json")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        session.save(tmp_path)
    session.save(tmp_path / "session.json")
    before = (tmp_path / "session.json").read_text()
    session.prompt = replace(session.prompt, messages=[{"role": object()}])
    with pytest.raises(TypeError, match="cannot be saved: its messages hold <object"):
        session.save(tmp_path / "session.json")
    assert (tmp_path / "session.json").read_text() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("options", [{"tools": [{1: "x"}]}, {"tools": [{"a": {(1, 2): 3}}]}])
def test_what_json_would_change_is_refused(tiny, tmp_path, options) -> None:
    session = Session(tiny, tiny.chat(CHAT, **options), max_new_tokens=0)
    with pytest.raises(TypeError, match=r"its template options hold the key (1|\(1, 2\))\."):
        session.save(tmp_path / "session.json")
    session.close()


class TestDecoding:
    def test_options_besides_the_settings(self, tmp_path) -> None:
        model = sv.Model(reference.make("qwen3"), reference.tokenizer())
        prompt = reference.random_prompt(30, 4)
        options = {"repetition_penalty": 9.0, "suppress_tokens": [5, 6]}
        session = Session(model, prompt, max_new_tokens=12, **options).wait(60)
        plain = Session(model, prompt, max_new_tokens=12).wait(60)
        assert session.segment_answer.tokens != plain.segment_answer.tokens
        session.save(tmp_path / "session.json")
        opened = sv.open_session(tmp_path / "session.json", model).wait(60)
        assert opened.segment_answer == session.segment_answer
        for one in (session, plain, opened):
            one.close()

    def test_the_drawn_seed_is_kept(self, tmp_path) -> None:
        model = sv.Model(reference.make("qwen3"), reference.tokenizer())
        prompt = reference.random_prompt(30, 4)
        options = {"do_sample": True, "temperature": 3.0, "top_k": 50}
        session = Session(model, prompt, max_new_tokens=12, **options).wait(60)
        assert session.decoding["seed"] is None
        session.save(tmp_path / "session.json")
        opened = sv.open_session(tmp_path / "session.json", model).wait(60)
        assert opened.segment_answer == session.segment_answer
        assert opened.causal_answer == session.causal_answer
        session.close()
        opened.close()

    def test_what_cannot_be_saved_is_named(self, tiny, tmp_path) -> None:
        session = Session(
            tiny, CHAT, max_new_tokens=3, stopping_criteria=[lambda *_, **__: False], min_length=2
        )
        with pytest.warns(UserWarning, match="stopping_criteria cannot be saved") as warned:
            session.save(tmp_path / "session.json")
        assert warned[0].filename == __file__
        assert json.loads((tmp_path / "session.json").read_text())["options"] == {"min_length": 2}
        session.close()


def words(text: str, segmentation: sv.Segmentation) -> list[str]:
    """What starts at each boundary, with the name and kind of its segment."""
    parts = text.split()
    return [f"{parts[one.start]} {one.name} {one.attention}" for one in segmentation.segments]


class TestOtherTokens:
    """The prompt is made again, and has other tokens than it had."""

    CHAT = (
        {"role": "system", "content": "w50 w51 w52 w53"},
        {"role": "user", "content": "w60 w61 w62"},
    )

    @staticmethod
    def model(day: str, *, shuffled: bool = False) -> sv.Model:
        """Its template prints the day, in one word or more."""
        tokenizer = reference.tokenizer()
        if shuffled:
            special, others = range(4), range(reference.VOCABULARY - 4)
            ids = [*special, *(4 + number * 5 % len(others) for number in others)]
            words = {f"w{number}": token_id for number, token_id in enumerate(ids)}
            tokenizer.backend_tokenizer.model = models.WordLevel(words, unk_token="w3")
        turns = "{% for m in messages %}w7 {{ m.content }} w8 {% endfor %}"
        tokenizer.chat_template = f"w4 {day} w5 {turns}"
        name = "other" if shuffled else "same"
        return sv.Model(reference.make("qwen3"), tokenizer, name=name)

    @pytest.fixture
    def saved(self, tmp_path):
        """A session whose system segment is split, renamed and made causal."""
        session = Session(self.model("w80"), self.CHAT, max_new_tokens=2)
        assert session.prompt.text.split()[6] == "w52"
        edited = session.segmentation.split(6).rename(0, "facts").set_attention(1, "causal")
        session.segmentation = edited
        session.pinned = 4
        session.save(tmp_path / "session.json")
        expected = words(session.prompt.text, edited)
        session.close()
        return tmp_path / "session.json", expected

    @pytest.mark.parametrize(
        ("day", "shuffled"), [("w80", False), ("w81", False), ("w81 w82", False), ("w83", True)]
    )
    def test_edits_survive(self, saved, day, shuffled) -> None:
        path, expected = saved
        model = self.model(day, shuffled=shuffled)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            opened = sv.open_session(path, model)
        assert words(opened.prompt.text, opened.segmentation) == expected
        assert opened.prompt.token_ids == model.chat(self.CHAT).token_ids
        assert opened.template == model.chat(self.CHAT).segmentation
        assert opened.pinned == (4 if day == "w80" else None)
        assert opened.wait(60).trace.prompt_length == opened.prompt.length
        opened.close()

    def test_what_is_lost_is_named(self, saved) -> None:
        path, _ = saved
        content = '"content": "w50 {} w53"'.format
        data = path.read_text()
        assert content("w51 w52") in data
        path.write_text(data.replace(content("w51 w52"), content("w90 w91")))
        model = self.model("w80")
        with pytest.warns(UserWarning, match="other tokens.*saved with 'same'") as warned:
            opened = sv.open_session(path, model)
        (message,) = [str(one.message) for one in warned]
        assert message.endswith("edits of its segments that are lost: the boundary before 'w52 '")
        assert warned[0].filename == __file__
        assert [one.name for one in opened.segmentation.segments][:2] == ["facts", "user"]
        opened.close()

    def test_token_ids_of_another_vocabulary(self, tmp_path) -> None:
        prompt = reference.random_prompt(12, 1)
        session = Session(self.model("w80"), prompt, max_new_tokens=0)
        session.save(tmp_path / "session.json")
        session.close()
        with pytest.warns(UserWarning, match="token ids of 'same'; to 'other' they may"):
            opened = sv.open_session(tmp_path / "session.json", self.model("w80", shuffled=True))
        assert opened.prompt == prompt
        opened.close()


class TestHandEdited:
    @pytest.fixture
    def data(self, tiny, tmp_path) -> dict:
        session = Session(tiny, CHAT, max_new_tokens=0)
        session.save(tmp_path / "session.json")
        session.close()
        return json.loads((tmp_path / "session.json").read_text())

    @pytest.mark.parametrize(
        ("keys", "value", "said"),
        [
            (["prompt"], None, "'prompt' is None, not a dict"),
            (["prompt", "kind"], "song", "not of 'song'"),
            (["prompt", "kind"], ["chat"], "'kind' is"),
            (["prompt", "token_ids"], [1, 2], "one string per token"),
            (["prompt", "token_ids", 0], 1.5, "'token_ids' are integers"),
            (["prompt", "token_ids", 0], -1, "'token_ids' are integers"),
            (["prompt", "tokens", 0], None, "'tokens' are strings"),
            (["prompt", "messages"], "hi", "'messages' is 'hi'"),
            (["prompt", "messages", 0], 7, "message 0 is 7"),
            (["prompt", "template_options"], {"messages": []}, "messages"),
            (["prompt", "split"], ["(", 0], "unterminated"),
            (["prompt", "split"], 3, "'split' is 3"),
            (["segmentation", "segments", -1, "stop"], 99, "spans 99 tokens, the prompt has"),
            (["segmentation", "segments"], [], "at least one segment"),
            (["segmentation", "segments", 0, "start"], "a", "start is an integer"),
            (["template", "segments", -1, "stop"], 99, "spans 99 tokens, the prompt has"),
            (["template"], [], "'template' is"),
            (["decoding"], [], "'decoding' is"),
            (["settings"], "x", "'settings' is"),
            (["options"], 1, "'options' is"),
            (["model"], None, "'model' is"),
            (["format"], "1", "'format' is '1'"),
        ],
    )
    def test_wrong_values(self, tiny, tmp_path, data, keys, value, said) -> None:
        inner = data
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        self.assert_refused(tiny, tmp_path, data, said)

    @pytest.mark.parametrize(
        "name", ["format", "model", "prompt", "template", "segmentation", "decoding", "settings"]
    )
    def test_missing_keys(self, tiny, tmp_path, data, name) -> None:
        del data[name]
        self.assert_refused(tiny, tmp_path, data, f"'{name}' is missing")

    @staticmethod
    def assert_refused(tiny, tmp_path, data, said) -> None:
        path = tmp_path / "edited.json"
        path.write_text(json.dumps(data))
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))} is no session: .*{said}"):
            sv.open_session(path, tiny)

    def test_only_settings_are_taken(self, tiny, tmp_path, data) -> None:
        data["settings"] |= {"layer": 1, "stage": "ready", "close": None, "model": "x"}
        data["options"] = {"wings": 2}
        (tmp_path / "session.json").write_text(json.dumps(data))
        with (
            pytest.warns(UserWarning, match="ignored close, model, stage: no setting"),
            pytest.warns(UserWarning, match="ignored the decoding options wings: unknown decoding"),
        ):
            session = sv.open_session(tmp_path / "session.json", tiny)
        assert session.layer == 1
        assert callable(session.close)
        assert session.model is tiny
        session.decoding = {"max_new_tokens": 2}
        assert len(session.wait(60).segment_answer.tokens) == 2
        session.close()

    def test_settings_the_model_cannot_take(self, tiny, tmp_path, data) -> None:
        data["settings"] |= {"layer": 99, "pinned": 2.5}
        data["decoding"]["temperature"] = 0
        (tmp_path / "session.json").write_text(json.dumps(data))
        with (
            pytest.warns(UserWarning, match="layer is 99; allowed are 0 to"),
            pytest.warns(UserWarning, match="pinned"),
            pytest.warns(UserWarning, match="temperature is 0; it is a number above 0"),
        ):
            session = sv.open_session(tmp_path / "session.json", tiny)
        assert (session.layer, session.pinned) == (0, None)
        session.close()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "is no session"),
            ('{"format": 1}', "is no session: 'prompt' is missing"),
            ('{"format": 9, "segviz": "7.0"}', "format 9.*written by segviz 7.0"),
            ("[]", "is no session"),
            ("[" * 100_000, "is no session"),
            ("\xff", "is no session"),
        ],
    )
    def test_other_files(self, tiny, tmp_path, text, said) -> None:
        path = tmp_path / "other.json"
        path.write_text(text, encoding="latin-1")
        with pytest.raises(ValueError, match=said):
            sv.open_session(path, tiny)
        with pytest.raises(FileNotFoundError):
            sv.open_session(tmp_path / "none.json", tiny)
