"""The ledger's leaves and checkpoints (`proto/spec/ledger.md`): C2SP tlog-checkpoint in a C2SP signed note."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from . import labels
from .keys import verifies, verifying_key
from .merkle import leaf_hash
from .outcome import Refused
from .primitives import hmac_sha256, sha256

ED25519 = b"\x01"
SIZE = re.compile("0|[1-9][0-9]*")


class Checkpoint(NamedTuple):
    """The state of a log, as its key signed it."""

    origin: str
    size: int
    root: bytes


class Verifier(NamedTuple):
    """A signed note's verifier key: `name+key id+base64(type ‖ key)`."""

    name: str
    key: bytes

    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + ED25519 + self.key)[:4]


def leaf_data(blinding: bytes, entry: bytes) -> bytes:
    return hmac_sha256(blinding, labels.LEDGER_COMMITMENT + entry)


def leaf(blinding: bytes, entry: bytes) -> bytes:
    return leaf_hash(leaf_data(blinding, entry))


def parse_verifier(text: str) -> Verifier:
    name, shown_id, key = (text.split("+", 2) + ["", ""])[:3]
    decoded = _base64(key)
    verifier = Verifier(name, verifying_key(decoded[1:]))
    if decoded[:1] != ED25519 or shown_id != verifier.key_id().hex():
        raise Refused("refused-key")
    return verifier


def open_checkpoint(note: str, verifier: Verifier) -> Checkpoint:
    """The checkpoint of a note that `verifier`'s key signed; lines of other keys are not judged (LOG-8)."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator:
        raise Refused("refused-truncated")
    signed = (text + "\n").encode()
    lines = [line for line in signatures.split("\n") if _is_of(line, verifier)]
    if not lines:
        raise Refused("refused-signer")
    if not all(verifies(verifier.key, signed, _signature(line)[4:]) for line in lines):
        raise Refused("refused-signature")
    return _parse_checkpoint(text, verifier)


def _is_of(line: str, verifier: Verifier) -> bool:
    return line.startswith(f"— {verifier.name} ") and _signature(line)[:4] == verifier.key_id()


def _signature(line: str) -> bytes:
    return _base64(line.rsplit(" ", 1)[1])


def _parse_checkpoint(text: str, verifier: Verifier) -> Checkpoint:
    """LOG-5, LOG-6: three lines, the first its own origin."""
    lines = text.split("\n")
    if len(lines) != 3 or lines[0] != verifier.name or not SIZE.fullmatch(lines[1]):
        raise Refused("refused-value")
    return Checkpoint(lines[0], int(lines[1]), _base64(lines[2]))


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refused("refused-value") from None
