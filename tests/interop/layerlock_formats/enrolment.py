"""Enrolment codes and challenges (`proto/spec/statement.md`, Enrolment)."""

from . import labels
from .outcome import Refused
from .primitives import hpke_open, sha256

ALPHABET = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS = 16


def code_hash(typed: bytes) -> bytes:
    """ENR-1: the hash of what a person typed."""
    symbols = typed.translate(None, b"- ").upper().translate(bytes.maketrans(b"OIL", b"011"))
    if len(symbols) != SYMBOLS or not set(symbols) <= set(ALPHABET):
        raise Refused("refused-code")
    return sha256(labels.ENROLMENT_HASH + symbols)


def answer_digest(opening_key: bytes, request_digest: bytes, encapsulated: bytes, ciphertext: bytes) -> bytes:
    """ENR-2, ENR-3: the hash of the answer that a challenge opens to."""
    if len(encapsulated) != 32 or len(ciphertext) != 48:
        raise Refused("refused-value")
    answer = hpke_open(opening_key, labels.ENROLMENT_WRAP + request_digest, encapsulated + ciphertext)
    return sha256(labels.ENROLMENT_ANSWER + answer)
