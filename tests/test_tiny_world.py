"""The embedded model's world, tokenizer and batches: everything that needs no weights."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segviz.data import Encoder
from segviz.tiny import NAMES, folder
from segviz.tiny.accuracy import FACTS
from segviz.tiny.batches import draw_example, encode
from segviz.tiny.examples import examples
from segviz.tiny.recipe import ALL, ONE_LINK, QUESTIONS, TWO_LINKS, WITH_AMOUNTS, WITH_LOOKUPS
from segviz.tiny.tokenizer import build_tokenizer, render, saved_tokenizer, world_text
from segviz.tiny.world import FAMILIES, Example, Turn, chains, chats, draw


@pytest.fixture(scope="module", params=NAMES)
def tokenizer(request):
    return saved_tokenizer(folder(request.param, "segment"))


# The world


def independent_leader(text: str) -> tuple[str, int]:
    """Solve a user turn from its text alone: the leader and the number of links."""
    parts = text.replace(".", "").replace("?", "").split()
    name, facts = parts[-1], parts[:-3]
    follows = {facts[i]: facts[i + 2] for i in range(0, len(facts), 3)}
    links = 0
    while name in follows:
        name, links = follows[name], links + 1
    return name, links


SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.integers(1, 4))
def test_answers_are_right(seed, links):
    question = chains.draw_question(Random(seed), links)
    assert independent_leader(question.user) == (question.answer, links)
    assert question.links == links


@given(SEEDS)
def test_two_chains_are_what_the_bars_say(seed):
    question = chains.draw_two_chains(Random(seed))
    followers = [fact.follower for fact in question.facts]
    leaders = [fact.leader for fact in question.facts]
    assert len(question.facts) == FACTS
    assert len(set(followers)) == FACTS
    assert len(set(leaders)) == FACTS
    assert len(set(followers + leaders)) == 8  # two chains of four names, disjoint
    assert question.links == 3
    assert question.name not in leaders
    # By the text: where is each link's fact?
    places, name = [], question.name
    while f"{name} follows " in question.user:
        places.append(question.user.index(f"{name} follows "))
        name = question.user[places[-1] :].split(".")[0].split()[2]
    assert question.forward_links == sum(b > a for a, b in pairwise(places)) >= 1


def test_facts_are_shuffled():
    rng = Random(0)
    firsts = [chains.draw_two_chains(rng, 0).forward_links for _ in range(600)]
    shares = [firsts.count(count) / 600 for count in range(3)]
    # Of the six orders of three facts one has no forward link, one has two.
    assert shares == pytest.approx([1 / 6, 4 / 6, 1 / 6], abs=0.06)


@given(SEEDS)
def test_boundaries_lie_between_facts(seed):
    question = chains.draw_two_chains(Random(seed))
    cuts = [0, *question.boundaries, len(chains.facts_text(question.facts))]
    parts = [question.user[start:stop].strip() for start, stop in pairwise(cuts)]
    assert parts == [str(fact) for fact in question.facts]


def facts_of(text: str) -> str:
    """The facts of a user turn, without its question."""
    return "".join(re.findall(r"[^.?]*\.", text))


def test_training_never_sees_held_out_facts():
    rng = Random(1)
    for mixture in (ONE_LINK, WITH_LOOKUPS, WITH_AMOUNTS, TWO_LINKS, ALL, QUESTIONS):
        for _ in range(300):
            assert not chats.is_held_out(facts_of(draw_example(rng, mixture).turns[0].user))
    for family in FAMILIES:
        assert chats.is_held_out(facts_of(draw(family, rng).turns[0].user))


def solve(text: str) -> str:
    """Answer a user turn of any family from its text alone."""
    *facts, question = re.findall(r"[^.?]+[.?]", text)
    said = [fact.strip(" .").split() for fact in facts]
    asked = question.strip(" ?").split()
    if "leads" in asked:
        return independent_leader(text)[0]
    if "Where" in asked:  # The key is in the hall
        return {one[1]: one[5] for one in said}[asked[-1]]
    if "owns" in asked:  # The key belongs to Ben
        return {one[1]: one[4] for one in said}[asked[-1]]
    # Ben has 7 coins
    assert {one[3] for one in said} == {asked[-1]}
    return max(said, key=lambda one: int(one[2]))[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_answered_right(family):
    rng = Random(family)
    for _ in range(200):
        (turn,) = draw(family, rng).turns
        assert solve(turn.user) == turn.answer


def test_training_chats_are_answered_right():
    rng = Random(4)
    for _ in range(500):
        example = draw_example(rng, QUESTIONS)
        facts = facts_of(example.turns[0].user)
        for number, turn in enumerate(example.turns):
            assert solve(f"{facts} {turn.user}" if number else turn.user) == turn.answer


def test_an_unknown_family():
    with pytest.raises(ValueError, match="no family 'chain'; there are chains, places"):
        draw("chain", Random(0))


def test_there_are_words_to_read():
    known = {word for text in world_text() for word in re.findall(r"\w+", text)}
    assert len(known) >= 200


@given(SEEDS)
def test_none_ahead(seed):
    assert chains.draw_none_ahead(Random(seed)).forward_links == 0


def test_lengths_fit_the_names():
    rng = Random(2)
    seen = set()
    for _ in range(2000):
        lengths = chains.draw_lengths(rng, 4)
        assert sum(lengths) + len(lengths) <= chains.MOST_NAMES
        assert sum(lengths) >= 2
        seen.update(lengths)
    assert seen == {1, 2, 3, 4}


def test_a_name_that_follows_nobody_is_an_error():
    with pytest.raises(ValueError, match="Ben follows nobody"):
        chains.leader([chains.Fact("Anna", "Ben")], "Ben")


def test_the_world_follows_from_its_seed():
    assert chains.draw_two_chains(Random(3)) == chains.draw_two_chains(Random(3))
    assert chains.draw_two_chains(Random(3)) != chains.draw_two_chains(Random(4))


# The tokenizer


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_round_trips(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text


def test_the_shipped_tokenizer_is_the_script_s(tokenizer):
    assert tokenizer.get_vocab() == build_tokenizer().get_vocab()
    assert tokenizer.chat_template == build_tokenizer().chat_template


def test_every_word_is_one_token_with_its_space(tokenizer):
    for sentence in world_text():
        parts = sentence.rstrip(".?").split(" ")[1:]
        expected = [f"Ġ{part}" for part in parts] + [sentence[-1]]
        assert tokenizer.tokenize(sentence) == expected


def test_offsets_cut_the_text(tokenizer):
    text = " Anna follows Ben. naïve 中"
    encoded = tokenizer(text, return_offsets_mapping=True)
    assert encoded["input_ids"][0] == tokenizer.bos_token_id
    pieces = [text[start:stop] for start, stop in encoded["offset_mapping"][1:5]]
    assert pieces == [" Anna", " follows", " Ben", "."]


def test_the_chat_template(tokenizer):
    messages = [
        {"role": "system", "content": "Answer with one word."},
        {"role": "user", "content": " Anna follows Ben. Who leads Anna?\n"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|bos|><|system|> Answer with one word.<|end|>"
        "<|user|> Anna follows Ben. Who leads Anna?<|end|><|assistant|>"
    )
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) == 1 + 7 + 10 + 1
    with pytest.raises(Exception, match="not: tool"):
        tokenizer.apply_chat_template([{"role": "tool", "content": ""}])


@pytest.mark.parametrize("last_answer", [True, False])
def test_training_renders_as_the_template_does(tokenizer, last_answer):
    rng = Random(5)
    for _ in range(20):
        example = draw_example(rng, ALL)
        messages = example.messages
        if last_answer:
            messages.append({"role": "assistant", "content": example.turns[-1].answer})
        expected = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=not last_answer
        )
        assert render(example, last_answer=last_answer) == expected


# Batches


def test_segments_and_masks_of_a_batch(tokenizer):
    facts = [chains.Fact("Anna", "Ben"), chains.Fact("Ben", "Carl")]
    short = Example("Answer with one word.", (Turn("Who leads Anna?", "Ben"),))
    first = Turn(chains.Question(tuple(facts), "Anna").user, "Carl")
    long = Example("Answer with one word.", (first, Turn("Who leads Ben?", "Carl")))
    batch = encode(tokenizer, [short, long])
    expected = [-1] + [0] * 7 + [1] * 14 + [-1] * 3 + [3] * 6 + [-1] * 3
    assert batch.blocks[1].tolist() == expected
    assert batch.blocks[0].tolist() == [-1] + [0] * 7 + [1] * 6 + [-1] * (3 + 17)
    answers = tokenizer.batch_decode(
        [row[flags] for row, flags in zip(batch.ids, batch.answers, strict=True)]
    )
    assert answers == [" Ben<|end|>", " Carl<|end|> Carl<|end|>"]
    length = len(expected)
    for kind in ("causal", "segment"):
        mask = batch.mask(kind)
        assert mask.shape == (2, 1, length, length)
        for row in range(2):
            for query in range(length):
                for key in range(length):
                    block = batch.blocks[row]
                    same = kind == "segment" and block[query] == block[key] != -1
                    seen = (key <= query or same) and batch.is_token[row, key]
                    allowed = seen or query == key  # padding sees itself, nobody else does
                    assert mask[row, 0, query, key] == bool(allowed)


def test_a_batch_is_what_the_encoder_makes_of_the_chats(tokenizer):
    rng = Random(7)
    examples = [draw_example(rng, QUESTIONS) for _ in range(20)]
    batch = encode(tokenizer, examples)
    encoder = Encoder(tokenizer)
    for row, example in enumerate(examples):
        one = encoder({"messages": example.record})
        length = len(one.token_ids)
        assert tuple(batch.ids[row, :length].tolist()) == one.token_ids
        assert batch.is_token[row].sum() == length
        assert batch.scored[row, :length].tolist() == one.scored.tolist()
        # Block ids may be numbered in another way; what they put together is the same.
        blocks = batch.blocks[row, :length].numpy()
        assert ((blocks == -1) == (one.block_ids == -1)).all()
        same = blocks[:, None] == blocks[None]
        assert (same == (one.block_ids[:, None] == one.block_ids[None])).all()


def test_a_split_cuts_between_two_facts(tokenizer):
    question = chains.draw_two_chains(Random(6))
    batch = encode(tokenizer, [question.example])
    for facts in range(1, FACTS):
        split = batch.split(tokenizer, facts)
        start = split.blocks[0].tolist().index(int(split.blocks.max()))
        rest = tokenizer.decode(split.ids[0, start:])
        assert rest.startswith(f" {question.user[question.boundaries[facts - 1] :].strip()}<|end|>")
        changed = (split.blocks != batch.blocks).sum().item()
        assert changed == split.blocks[0].tolist().count(int(split.blocks.max()))


def test_the_first_name_of_a_repeated_fact_is_not_scored(tokenizer):
    facts = [chains.Fact("Anna", "Ben"), chains.Fact("Carl", "Dora")]
    batch = encode(tokenizer, [chains.draw_reorder(Random(0), facts)])
    scored = tokenizer.decode(batch.ids[0, batch.scored[0]])
    assert scored in (
        " follows Ben. follows Dora.<|end|>",
        " follows Dora. follows Ben.<|end|>",
    )


def test_a_misspelt_example() -> None:
    with pytest.raises(KeyError, match="there is no example 'chains'; there are chain, chain-2, "):
        examples["chains"]
