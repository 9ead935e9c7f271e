"""Chats worth looking at.

>>> from segviz.tiny.examples import examples
>>> examples["chain"][0]
{'role': 'system', 'content': 'Answer with one word.'}
"""

FLIPPING: tuple[str, ...] = ()
EASY: tuple[str, ...] = ()
examples: dict[str, list[dict[str, str]]] = {}
