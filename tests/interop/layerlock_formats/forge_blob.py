"""Vault blobs and enrolments, forged: texts about the length of a chunk, chunks rightly sealed in the wrong place;
codes as people type them. Only `mutations` may use this.
"""

from __future__ import annotations

import random

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from . import labels
from .blob import CHUNK_TEXT
from .enrolment import SYMBOLS
from .forge import hpke_seal
from .primitives import hkdf
from .vectors import Vector


def forge_blob(dice: random.Random) -> Vector:
    """A blob, right or with one lie in its chunks, its wrapping or its place."""
    kek, salt, data_key = dice.randbytes(32), dice.randbytes(32), dice.randbytes(32)
    place = bytes([dice.randrange(1, 5)]) + dice.randbytes(64)
    lie = dice.randrange(16)
    text = dice.randbytes(dice.choice((0, 1, 9, CHUNK_TEXT - 1, CHUNK_TEXT, CHUNK_TEXT + 1) if lie > 3 else (9,)))
    made = _header(kek, salt, place, data_key, lie) + b"".join(_chunks(dice, data_key, place, text, lie))
    opened = bytes([place[0] % 4 + 1]) + place[1:] if lie == 4 else place
    fields = ("kek", kek), ("place", opened), ("blob", made)
    return Vector("forged: a blob", (("kind", "blob"), *((name, value.hex()) for name, value in fields)))


def _header(kek: bytes, salt: bytes, place: bytes, data_key: bytes, lie: int) -> bytes:
    """The lie is bound in: whoever opens by the wrapping alone would take it."""
    magic = b"LLVB\x00\x02" if lie == 0 else b"LLVB\x00\x01"
    kek_id = bytes(16) if lie == 1 else hkdf(kek, b"", labels.KEK_ID)[:16]
    commitment = bytes(32) if lie == 2 else hkdf(kek, salt, labels.BLOB_COMMITMENT + place)
    bound = magic + kek_id + salt + commitment
    return bound + ChaCha20Poly1305(hkdf(kek, salt, labels.BLOB_WRAP + place)).encrypt(bytes(12), data_key, bound)


def _chunks(dice: random.Random, data_key: bytes, place: bytes, text: bytes, lie: int) -> list[bytes]:
    """The lie may be a chunk cut short, an empty last one, one marked otherwise, one numbered otherwise."""
    texts = [text[at : at + CHUNK_TEXT] for at in range(0, len(text), CHUNK_TEXT)] or [b""]
    if lie == 5:
        texts.append(b"")
    if lie == 6:
        texts.append(texts[-1])
    off, marked = int(lie == 7), {8: 0, 9: 2}.get(lie, 1)
    cipher = ChaCha20Poly1305(hkdf(data_key, b"", labels.BLOB_CHUNK + place))
    last = len(texts) - 1
    nonces = (bytes(3) + (at + off).to_bytes(8, "big") + bytes([marked * (at == last)]) for at in range(len(texts)))
    sealed = [cipher.encrypt(nonce, part, b"") for nonce, part in zip(nonces, texts)]
    return sealed[::-1] if lie == 10 else sealed


def forge_code(dice: random.Random) -> Vector:
    """A code typed with dashes, in any case, with look-alikes, and now and then a sign that is none."""
    typed = "".join(dice.choice(SYMBOLS) for _ in range(dice.choice((15, 16, 16, 16, 16, 17))))
    typed = typed.replace("0", dice.choice("0Oo")).replace("1", dice.choice("1IiLl"))
    at = dice.randrange(len(typed))
    signs = ("", "-", " ", "--", "- ", "\t", "U", "ſ", "ı", "_", "\0")
    typed = dice.choice((typed, typed.lower())) if dice.randrange(2) else typed[:at] + dice.choice(signs) + typed[at:]
    return Vector("forged: a code", (("kind", "enrolment-code"), ("code", typed.encode().hex())))


def forge_challenge(dice: random.Random) -> Vector:
    """A challenge to a device about its request, or about another one."""
    opening_key, request, answer = dice.randbytes(32), dice.randbytes(32), dice.randbytes(32)
    public = X25519PrivateKey.from_private_bytes(opening_key).public_key().public_bytes_raw()
    about = dice.choice((request, request, bytes(32)))
    sealed = hpke_seal(dice.randbytes(32), public, labels.ENROLMENT_WRAP + about, b"", answer)
    fields = ("opening-key", opening_key), ("request-digest", request)
    parts = ("encapsulated", sealed[:32]), ("ciphertext", sealed[32:])
    shown = ((name, value.hex()) for name, value in fields + parts)
    return Vector("forged: a challenge", (("kind", "enrolment"), *shown))
