"""Whatever is done to a session, and in whatever order: what it shows equals a fresh one."""

from __future__ import annotations

import random
import threading
from contextlib import suppress

import numpy as np
import pytest
import reference

import segviz as sv
from segviz.explorer import explorer_view
from segviz.session import Session

SETTINGS = ("decoding", "layer", "head", "view", "reduce", "panels")


def edited(segmentation: sv.Segmentation, rng: random.Random) -> sv.Segmentation:
    """A random edit that the segmentation takes; itself if none of a few tries is."""
    count, length = len(segmentation.segments), segmentation.length
    edits = [
        lambda: segmentation.move_boundary(rng.randrange(count), rng.randrange(length)),
        lambda: segmentation.split(rng.randrange(length)),
        lambda: segmentation.merge(rng.randrange(count)),
        lambda: segmentation.set_attention(
            rng.randrange(count), rng.choice(["causal", "bidirectional"])
        ),
    ]
    for _ in range(9):
        with suppress(ValueError, IndexError):
            return rng.choice(edits)()
    return segmentation


class Hand:
    """Does something random to a session, by Python or by its page."""

    def __init__(self, session: Session, seed: int) -> None:
        self.rng = random.Random(seed)
        self.session = session
        self.view = explorer_view(session)

    def act(self) -> None:
        rng, session, view = self.rng, self.session, self.view
        segments = edited(view.strip.segmentation, rng).to_dict()["segments"]
        actions = [
            lambda: setattr(session, "segmentation", edited(session.segmentation, rng)),
            lambda: view.strip.set_state({"segments": segments}),
            lambda: setattr(session, "layer", rng.randrange(3)),
            lambda: view.grid.set_state({"head": rng.randrange(6)}),
            lambda: view.set_state({"view": rng.choice(["causal", "segment", "difference"])}),
            lambda: setattr(session, "reduce", rng.choice(["head", "head", "mean", "max"])),
            lambda: view.set_state({"panels": rng.sample(["heads", "compare"], rng.randint(0, 2))}),
            lambda: setattr(session, "segmentation", rng.choice([*session.presets.values()])),
            lambda: session.edit(reference.random_prompt(rng.randint(2, 40), rng.randrange(99))),
            lambda: setattr(session, "decoding", {"max_new_tokens": rng.randint(0, 4)}),
            lambda: view.attention.set_state({"pinned": rng.choice([None, 0, 1])}),
            lambda: view._dispatch({"kind": "pick", "mask": "causal", "index": 1}, []),
            lambda: view.strip.set_state({"dragging": rng.random() < 0.3}),
            session.stop,
            session.run,
        ]
        rng.choice(actions)()


def settled(session: Session) -> Session:
    """The session once its run is done, started again where it was stopped."""
    session.dragging = False
    with suppress(RuntimeError):  # stopped
        return session.wait(60)
    session.run()
    return session.wait(60)


def assert_alike(session: Session, other: Session) -> None:
    """Two sessions show the same."""
    assert not session.stale
    assert (session.busy, session.error, session.look_error) == (False, "", "")
    for mask in ("causal_answer", "segment_answer"):
        mine, others = getattr(session, mask), getattr(other, mask)
        assert (mine.tokens, mine.state) == (others.tokens, others.state)
        np.testing.assert_allclose(mine.probabilities, others.probabilities, atol=1e-4)
    assert_patterns_alike(session.pattern, other.pattern)
    if session.reduce == "head":
        assert session.receipt.ok
        assert session.receipt.added == other.receipt.added
    if "heads" in session.panels:
        for layer, look in other.overview.items():
            mine = session.overview[layer]
            difference = mine.thumbnails.astype(int) - look.thumbnails
            assert np.abs(difference).max() <= 2, layer
            for name, values in look.summaries.items():
                np.testing.assert_allclose(mine.summaries[name], values, atol=1e-3)
    if "compare" in session.panels:
        for name in ("causal", "segment", "difference"):
            mine, others = (getattr(one.contrast, name) for one in (session, other))
            assert_patterns_alike(mine, others)
        assert session.flows.names == other.flows.names
        for scope, pair in other.flows.by_scope.items():
            np.testing.assert_allclose(session.flows.by_scope[scope], pair, atol=1e-4)
        assert session.parting.parted == other.parting.parted
        np.testing.assert_allclose(session.parting.divergence, other.parting.divergence, atol=1e-4)


def assert_patterns_alike(mine, others) -> None:
    for name in ("view", "layer", "head", "tokens", "segmentation", "prompt_length"):
        assert getattr(mine, name) == getattr(others, name), name
    np.testing.assert_allclose(mine.array, others.array, atol=1e-4)


@pytest.mark.parametrize(("architecture", "seed"), [("llama", 1), ("qwen3", 2), ("mistral", 3)])
def test_any_order_of_edits_leads_to_what_a_fresh_session_shows(architecture, seed) -> None:
    hf_model = reference.make(architecture)
    model, fresh = (sv.Model(hf_model, reference.tokenizer()) for _ in range(2))
    session = Session(model, reference.random_prompt(30, seed), max_new_tokens=3)
    hand = Hand(session, seed)
    for _ in range(12):
        for _ in range(6):
            hand.act()
        settled(session)
        other = Session(fresh, session.prompt, max_new_tokens=0)
        for name in SETTINGS:
            setattr(other, name, getattr(session, name))
        assert_alike(session, other.wait(60))
        assert hand.view.strip.segmentation == session.segmentation
        other.close()
    session.close()


def test_hands_in_several_threads(caplog) -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    session = Session(model, reference.random_prompt(30, 5), max_new_tokens=3)
    hands = [Hand(session, seed) for seed in range(4)]
    refused = []

    def work(hand: Hand) -> None:
        for _ in range(40):
            try:
                hand.act()
            except Exception as error:  # noqa: BLE001 - looked at below
                refused.append(str(error))

    threads = [threading.Thread(target=work, args=(hand,)) for hand in hands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    settled(session)
    other = Session(model, session.prompt, max_new_tokens=0)
    for name in SETTINGS:
        setattr(other, name, getattr(session, name))
    assert_alike(session, other.wait(60))
    for hand in hands:
        assert hand.view.strip.segmentation == session.segmentation
        assert hand.view.layer == hand.view.grid.layer == session.layer
    # Only what another thread has made impossible in between.
    assert not [text for text in refused if "spans" not in text and "outside" not in text]
    assert not caplog.records
    session.close()
