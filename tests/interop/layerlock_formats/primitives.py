"""The primitives the pages name, from the `cryptography` package, under the pages' own names.

HKDF is HKDF-SHA256 to 32 bytes everywhere; an absent salt is the empty one. Whatever does not open raises the one
opaque refusal. Ed25519 is not here: `keys` checks it by the strict rules of the statement page.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .outcome import cannot_open

TAG = 16

HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(secret)


def aead_open(key: bytes, nonce: bytes, aad: bytes, sealed: bytes) -> bytes:
    """The text of `sealed`, ciphertext and tag; bytes shorter than a tag don't open."""
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise cannot_open() from None


def hpke_open(opening_key: bytes, info: bytes, enc_and_sealed: bytes) -> bytes:
    """HPKE, base mode, single shot, empty associated data; refuses an exchange that gives zero (RFC 9180, 7.1.4)."""
    try:
        return HPKE.decrypt(enc_and_sealed, X25519PrivateKey.from_private_bytes(opening_key), info)
    except InvalidTag:
        raise cannot_open() from None
