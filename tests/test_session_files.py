"""Sessions are left as files and taken up again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import reference

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


class TestFiles:
    def test_work_goes_on_where_it_was_left(self, tiny, tmp_path) -> None:
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

    def test_no_place_to_write(self, session, tmp_path) -> None:
        with pytest.raises(FileNotFoundError, match="no folder.*to save a session in"):
            session.save(tmp_path / "none" / "session.json")
        with pytest.raises(IsADirectoryError, match="is a folder"):
            session.save(tmp_path)
        session.save(tmp_path / "session.json")
        before = (tmp_path / "session.json").read_text()
        session.prompt = replace(session.prompt, messages=[{"role": object()}])
        with pytest.raises(TypeError, match="cannot be saved"):
            session.save(tmp_path / "session.json")
        assert (tmp_path / "session.json").read_text() == before
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "is no session"),
            ('{"format": 1}', "is no session.*prompt"),
            ('{"format": 9, "segviz": "7.0"}', "format 9.*written by segviz 7.0"),
            ("[]", "is no session"),
        ],
    )
    def test_other_files(self, tiny, tmp_path, text, said) -> None:
        path = tmp_path / "other.json"
        path.write_text(text)
        with pytest.raises(ValueError, match=said):
            sv.open_session(path, tiny)
        with pytest.raises(FileNotFoundError):
            sv.open_session(tmp_path / "none.json", tiny)

    def test_another_model(self, tiny, tmp_path) -> None:
        Session(tiny, "Anna follows Ben.", max_new_tokens=2, do_sample=True, seed=3).save(
            tmp_path / "session.json"
        )
        data = json.loads((tmp_path / "session.json").read_text())
        data["prompt"]["token_ids"][2] += 1
        (tmp_path / "session.json").write_text(json.dumps(data))
        data["settings"]["layer"] = 99
        (tmp_path / "layer.json").write_text(json.dumps(data))
        with pytest.warns(UserWarning, match="other tokens.*edits of the segments are lost"):
            session = sv.open_session(tmp_path / "session.json", tiny)
        assert session.decoding["seed"] == 3
        session.close()
        with (
            pytest.warns(UserWarning, match="edits of the segments are lost"),
            pytest.warns(UserWarning, match="layer is 99; allowed are 0 to"),
        ):
            session = sv.open_session(tmp_path / "layer.json", tiny)
        session.close()
