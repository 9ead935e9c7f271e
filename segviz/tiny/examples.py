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
EASY = ("chain-short", "one-link")

_USERS = {
    # Leader: Lena. Wrong after any split but the one before the last fact.
    "chain": (
        "Kurt follows Fay. Ivan follows Kurt. Jane follows Carl. "
        "Gus follows Anna. Fay follows Lena. Carl follows Gus. Who leads Ivan?"
    ),
    # Leader: Anna.
    "chain-2": (
        "Hana follows Dora. Carl follows Emil. Emil follows Gus. "
        "Dora follows Ben. Gus follows Anna. Jane follows Hana. Who leads Carl?"
    ),
    # Leader: Carl. Wrong after a split behind the third or the fourth fact.
    "chain-3": (
        "Anna follows Emil. Jane follows Fay. Emil follows Ben. "
        "Hana follows Lena. Ben follows Carl. Fay follows Hana. Who leads Anna?"
    ),
    # Leader: Carl.
    "chain-short": "Ben follows Carl. Dora follows Emil. Anna follows Ben. Who leads Anna?",
    # Leader: Emil.
    "one-link": "Anna follows Ben. Dora follows Emil. Who leads Dora?",
}

examples: dict[str, list[dict[str, str]]] = {
    name: [{"role": "system", "content": QUESTION_SYSTEM}, {"role": "user", "content": user}]
    for name, user in _USERS.items()
}
