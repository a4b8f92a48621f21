"""Receipts: short words for the id of a stored message, which a person can write down and read out.

A receipt is the first 40 bits of the id in letters that are not mistaken for each other (Crockford's
base 32), so that the desk can find the message, and nobody else learns anything.
"""

from __future__ import annotations

from triage.errors import BadInput
from triage.vocabulary import Channel

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISTAKEN = str.maketrans({"O": "0", "I": "1", "L": "1"})
_FIRST = {Channel.FORM: "F", Channel.BY_HAND: "H"}
_ID_DIGITS = 10
_LENGTH = 8


def receipt_of(message_id: str, channel: Channel) -> str:
    """The receipt of a message, such as "F-7ZK2-QX04"."""
    number = int(message_id[:_ID_DIGITS], 16)
    word = "".join(_LETTERS[number >> 5 * place & 31] for place in reversed(range(_LENGTH)))
    return f"{_FIRST[channel]}-{word[:4]}-{word[4:]}"


def id_start(receipt: str) -> str:
    """How the id of the receipt's message begins; BadInput when it is no receipt."""
    word = receipt.upper().replace(" ", "").replace("-", "").translate(_MISTAKEN)
    if len(word) != _LENGTH + 1 or word[0] not in _FIRST.values() or not set(word[1:]) <= set(_LETTERS):
        raise BadInput("a receipt looks like F-7ZK2-QX04")
    number = 0
    for letter in word[1:]:
        number = number << 5 | _LETTERS.index(letter)
    return f"{number:0{_ID_DIGITS}x}"
