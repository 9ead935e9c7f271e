"""What every family of the world is made of: turns, chats, and what is kept out of training."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

QUESTION_SYSTEM = "Answer with one word."
HELD_OUT_SHARE = 8


@dataclass(frozen=True)
class Turn:
    """What the user says and what the assistant should answer."""

    user: str
    answer: str


@dataclass(frozen=True)
class Example:
    """A chat: one system prompt and one or more turns.

    >>> example = Example("Be brief.", (Turn("Hi!", "Hello."),))
    >>> [message["role"] for message in example.messages], example.record[-1]["content"]
    (['system', 'user'], 'Hello.')
    """

    system: str
    turns: tuple[Turn, ...]

    @property
    def messages(self) -> list[dict[str, str]]:
        """The chat up to the last question, as `model.chat` takes it."""
        return self.record[:-1]

    @property
    def record(self) -> list[dict[str, str]]:
        """The chat with its last answer, as `sv.finetune` takes it."""
        messages = [{"role": "system", "content": self.system}]
        for turn in self.turns:
            messages.append({"role": "user", "content": turn.user})
            messages.append({"role": "assistant", "content": turn.answer})
        return messages


def is_held_out(text: str) -> bool:
    """Whether this text, word by word, is kept out of all training.

    One in `HELD_OUT_SHARE` is, whatever the seed, so no training run can meet an evaluation prompt.
    """
    return zlib.crc32(text.encode()) % HELD_OUT_SHARE == 0
