"""Statements: exact bytes beside a signature over them (`proto/spec/statement.md`).

`parse` says what the bytes claim, `verify` that a key states them as the noun asked for; a payload is parsed only
after that, by the noun's own reader.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, TypeVar

from . import labels
from .cursor import Cursor
from .keys import SigningKey, key_id, verifies
from .outcome import Refused

TYPE_LIMIT = 64
PAYLOAD_LIMIT = 1 << 20

Noun = TypeVar("Noun")


class Statement(NamedTuple):
    """A statement as it was received; nothing of it is believed yet."""

    received: bytes
    type: str
    key_id: bytes
    payload: bytes
    signature: bytes

    def signed_bytes(self) -> bytes:
        """What the signature covers: the label, then everything between version and signature."""
        return labels.STATEMENT + self.received[1:-64]


def parse(received: bytes) -> Statement:
    """ST-1 to ST-5, in the order of the bytes."""
    cursor = Cursor(received)
    if cursor.u8() != 1:
        raise Refused("refused-value")
    statement = Statement(
        received, cursor.text(TYPE_LIMIT), cursor.take(16), cursor.part(PAYLOAD_LIMIT), cursor.take(64)
    )
    cursor.end()
    return statement


def verify(statement: Statement, noun_type: str, key: bytes, read: Callable[[Cursor], Noun]) -> Noun:
    """ST-6 to ST-9: the noun, once `key` is known to state it as `noun_type`."""
    if statement.type != noun_type:
        raise Refused("refused-type")
    if statement.key_id != key_id(key):
        raise Refused("refused-signer")
    if not verifies(key, statement.signed_bytes(), statement.signature):
        raise Refused("refused-signature")
    return parse_payload(statement.payload, read)


def parse_payload(payload: bytes, read: Callable[[Cursor], Noun]) -> Noun:
    """ST-9: the payload is one noun, to its last byte; whatever is wrong inside is one refusal."""
    try:
        return read_whole(payload, read)
    except Refused:
        raise Refused("refused-payload") from None


def read_whole(payload: bytes, read: Callable[[Cursor], Noun]) -> Noun:
    """A noun and nothing after it."""
    cursor = Cursor(payload)
    noun = read(cursor)
    cursor.end()
    return noun


def state(noun_type: str, payload: bytes, key: SigningKey) -> bytes:
    """A statement by a key of ours; only `mutations` states anything."""
    parts = b"".join((part(noun_type.encode()), key_id(key.public), part(payload)))
    return b"\x01" + parts + key.sign(labels.STATEMENT + parts)


def part(data: bytes) -> bytes:
    """A part of variable length, as it is written."""
    return len(data).to_bytes(4, "big") + data
