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
    # Leader: Ivan. Wrong after any split but the one behind the first fact.
    "chain": (
        "Dora follows Hana. Fay follows Lena. Anna follows Fay. "
        "Carl follows Kurt. Kurt follows Dora. Lena follows Ivan. Who leads Anna?"
    ),
    # Leader: Emil.
    "chain-2": (
        "Kurt follows Gus. Ivan follows Jane. Gus follows Ben. "
        "Fay follows Kurt. Lena follows Ivan. Jane follows Emil. Who leads Lena?"
    ),
    # Leader: Dora.
    "chain-3": (
        "Jane follows Fay. Hana follows Lena. Ben follows Ivan. "
        "Fay follows Dora. Kurt follows Jane. Lena follows Ben. Who leads Kurt?"
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
