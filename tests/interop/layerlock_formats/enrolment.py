"""Enrolment (`proto/spec/statement.md`): the code a person types, the challenge a device opens."""

from . import labels
from .outcome import Refused
from .primitives import hpke_open, sha256

# Crockford's base 32 leaves out I, L, O and U; a person's O, I and L are read as what they look like.
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LOOKALIKES = str.maketrans("OIL", "011", "- ")
CODE = 16
ENC, SEALED = 32, 48


def code_hash(typed: bytes) -> bytes:
    """ENR-1: the hash of the symbols a person meant. Only ASCII letters have another case here."""
    code = typed.upper().decode("latin-1").translate(LOOKALIKES)
    if len(code) != CODE or any(symbol not in SYMBOLS for symbol in code):
        raise Refused("refused-code")
    return sha256(labels.ENROLMENT_HASH + code.encode())


def answer_digest(opening_key: bytes, request_digest: bytes, enc: bytes, sealed: bytes) -> bytes:
    """ENR-2, ENR-3: the hash of what the challenge opens to."""
    if len(enc) != ENC or len(sealed) != SEALED:
        raise Refused("refused-value")
    answer = hpke_open(opening_key, labels.ENROLMENT_WRAP + request_digest, enc + sealed)
    return sha256(labels.ENROLMENT_ANSWER + answer)
