"""Endorsements (`proto/spec/trust.md`): one payload and the signatures of several keys over it."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from . import labels
from .cursor import Cursor
from .keys import key_id, verifies
from .outcome import Refused
from .statement import TYPE_LIMIT, part, read_whole

MAGIC, VERSION = b"LLTE", 1
PAYLOAD_LIMIT = 128 << 10
SIGNATURE_LIMIT = 32


class Endorsement(NamedTuple):
    """What was received; that a signature stands here says nothing yet."""

    type: str
    payload: bytes
    signatures: list[tuple[bytes, bytes]]

    def must_be(self, noun_type: str) -> None:
        """TR-6."""
        if self.type != noun_type:
            raise Refused("refused-type")

    def must_meet(self, threshold: int, keys: list[bytes], read: Callable[[Cursor], Any]) -> None:
        """TR-5: at least so many signatures by those keys; any other counts for nothing, and of the noun at all."""
        by_id = {key_id(key): key for key in keys}
        signed = sum(
            signer in by_id and verifies(by_id[signer], self._signed_bytes(signer), signature)
            for signer, signature in self.signatures
        )
        if signed:
            read_whole(self.payload, read)
        if signed < threshold:
            raise Refused("refused-threshold")

    def _signed_bytes(self, signer: bytes) -> bytes:
        """What a statement of this type, key id and payload signs."""
        return b"".join((labels.STATEMENT, part(self.type.encode()), signer, part(self.payload)))


def parse(received: bytes) -> Endorsement:
    """TR-1 to TR-4."""
    cursor = Cursor(received)
    if cursor.take(4) != MAGIC or cursor.u16() != VERSION:
        raise Refused("refused-value")
    noun_type, payload = cursor.text(TYPE_LIMIT), cursor.part(PAYLOAD_LIMIT)
    signatures = [(cursor.take(16), cursor.take(64)) for _ in range(cursor.count(SIGNATURE_LIMIT))]
    cursor.end()
    must_ascend([signer for signer, _ in signatures])
    return Endorsement(noun_type, payload, signatures)


def must_ascend(items: list) -> None:
    """In ascending order, each once."""
    if sorted(set(items)) != items:
        raise Refused("refused-value")
