"""Chats worth looking at: facts and a question, as `model.chat` takes them.

>>> from segviz.tiny.examples import examples
>>> examples["chain-short"][1]["content"]
'Ben follows Carl. Dora follows Emil. Anna follows Ben. Who leads Anna?'

The chats named in `FLIPPING` show what the mask does to the embedded model that is tuned for
segment masks: it is right under the segment mask and wrong under the causal mask, and at least two
of the five ways to split the user segment between two facts make it wrong, too. The chats named in
`EASY` are answered right under both masks. The tests prove this on the shipped weights.
"""

from __future__ import annotations

from segviz.tiny.world import QUESTION_SYSTEM

FLIPPING = ("chain", "chain-2", "chain-3")
EASY = ("chain-short", "one-link", "place", "owner", "amount")

_USERS = {
    # Leader: Lena. Wrong after a split behind the second or the third fact.
    "chain": (
        "Rosa follows Jane. Kurt follows Fay. Jane follows Emil. "
        "Fay follows Lena. Emil follows Ben. Ivan follows Kurt. Who leads Ivan?"
    ),
    # Leader: Anna. Wrong after a split behind the third or the fourth fact.
    "chain-2": (
        "Carl follows Emil. Jane follows Hana. Emil follows Gus. "
        "Dora follows Ben. Gus follows Anna. Hana follows Dora. Who leads Carl?"
    ),
    # Leader: Carl. Wrong after a split behind the second, the third or the fourth fact.
    "chain-3": (
        "Paul follows Fay. Emil follows Ben. Jane follows Olga. "
        "Anna follows Emil. Ben follows Carl. Olga follows Paul. Who leads Anna?"
    ),
    # Leader: Carl.
    "chain-short": "Ben follows Carl. Dora follows Emil. Anna follows Ben. Who leads Anna?",
    # Leader: Emil.
    "one-link": "Anna follows Ben. Dora follows Emil. Who leads Dora?",
    # The kitchen, Ben and Tara.
    "place": (
        "The lamp is in the kitchen. The kite is in the garden. The map is in the library. "
        "Where is the lamp?"
    ),
    "owner": (
        "The compass belongs to Ben. The guitar belongs to Mira. The lantern belongs to Ben. "
        "Who owns the lantern?"
    ),
    "amount": "Sven has 6 apples. Tara has 17 apples. Jane has 9 apples. Who has the most apples?",
}


class _Chats(dict[str, list[dict[str, str]]]):
    def __missing__(self, name: str) -> list[dict[str, str]]:
        raise KeyError(f"there is no example {name!r}; there are {', '.join(self)}")


examples: dict[str, list[dict[str, str]]] = _Chats(
    (name, [{"role": "system", "content": QUESTION_SYSTEM}, {"role": "user", "content": user}])
    for name, user in _USERS.items()
)
