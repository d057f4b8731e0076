"""Verifying and wrapping keys, and what a strict signature is (`proto/spec/statement.md`, Keys and ST-8).

The package under `cryptography` verifies Ed25519 without our strict rules: it takes keys and nonce points of low
order. So the rules and the equation are checked here, and its verdict is asked beside ours: two ways to one answer.
"""

from functools import lru_cache
from hashlib import sha512

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from . import curve
from .labels import KEY_ID
from .outcome import Refused
from .primitives import sha256


def verifying_key(encoded: bytes) -> bytes:
    """KEY-1, KEY-2: a canonical point that is not of low order."""
    point = curve.decode(encoded)
    if point is None or point.has_low_order():
        raise Refused("refused-key")
    return encoded


def wrapping_key(encoded: bytes) -> bytes:
    """KEY-3, KEY-4: a number below p, top bit clear, not of low order."""
    u = int.from_bytes(encoded, "little")
    if len(encoded) != 32 or u >= curve.P or curve.x_only_low_order(u):
        raise Refused("refused-key")
    return encoded


def key_id(key: bytes) -> bytes:
    return sha256(KEY_ID + key)[:16]


@lru_cache(maxsize=1024)
def verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    """ST-8: canonical scalar, no nonce point of low order, the equation without cofactor; `key` has been checked."""
    nonce_point, scalar = signature[:32], int.from_bytes(signature[32:], "little")
    nonce = curve.decode(nonce_point)
    if scalar >= curve.ORDER or nonce is None or nonce.has_low_order():
        return False
    challenge = int.from_bytes(sha512(nonce_point + key + message).digest(), "little") % curve.ORDER
    point = curve.decode(verifying_key(key)) or curve.NEUTRAL
    holds = curve.combine(scalar, curve.BASE, challenge, point.negated()).encode() == nonce_point
    if holds != _package_verifies(key, message, signature):
        raise RuntimeError(f"two verdicts on one equation: {signature.hex()} under {key.hex()}")
    return holds


def _package_verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


class SigningKey:
    """A key made for mutations: what it signs is as public as its seed."""

    def __init__(self, seed: bytes):
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)
