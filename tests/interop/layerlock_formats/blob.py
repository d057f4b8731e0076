"""Vault blobs (`proto/spec/vault-blob.md`): what a vault keeps at rest, opened with its key-encryption key.

Every refusal is the one opaque error, so rules are told apart by the vectors alone.
"""

from __future__ import annotations

import hmac

from . import labels
from .outcome import cannot_open
from .primitives import TAG, aead_open, hkdf

HEADER = 134
CHUNK_TEXT = 65_536
PLACE = 1 + 16 + 16 + 32
PARTS = (1, 2, 3, 4)


def open_blob(kek: bytes, place: bytes, blob: bytes) -> bytes:
    """The text of `blob`, sealed for `place` (BLOB-1 to BLOB-9)."""
    if len(blob) < HEADER or len(place) != PLACE or place[0] not in PARTS:
        raise cannot_open()
    return _open_chunks(_data_key(kek, place, blob[:HEADER]), place, blob[HEADER:])


def _data_key(kek: bytes, place: bytes, header: bytes) -> bytes:
    magic, kek_id, salt, commitment = header[:6], header[6:22], header[22:54], header[54:86]
    right = hmac.compare_digest(commitment, hkdf(kek, salt, labels.BLOB_COMMITMENT + place))
    if magic != b"LLVB\x00\x01" or kek_id != hkdf(kek, b"", labels.KEK_ID)[:16] or not right:
        raise cannot_open()
    return aead_open(hkdf(kek, salt, labels.BLOB_WRAP + place), bytes(12), header[:86], header[86:])


def _open_chunks(data_key: bytes, place: bytes, chunks: bytes) -> bytes:
    """All chunks; the last is known by the end of the bytes and must be marked last."""
    key = hkdf(data_key, b"", labels.BLOB_CHUNK + place)
    step = CHUNK_TEXT + TAG
    text = b""
    for number in range(max(1, -(-len(chunks) // step))):
        chunk = chunks[number * step : (number + 1) * step]
        last = (number + 1) * step >= len(chunks)
        text += aead_open(key, bytes(3) + number.to_bytes(8, "big") + bytes([last]), b"", chunk)
        if last and number > 0 and len(chunk) == TAG:
            raise cannot_open()
    return text
