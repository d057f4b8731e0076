"""Signatures by the books and beside them: keys and nonce points with a part of low order, points of low order alone,
scalars above the order. Strict and plain verification part here, with and without the cofactor (ST-8).

Only `mutations` may use this.
"""

from __future__ import annotations

import random
from hashlib import sha512

from . import curve, labels, receipt, statement
from .curve import BASE, ORDER, P, Point, combine
from .keys import key_id
from .vectors import Vector


def _torsion() -> list[Point]:
    """All eight points of low order, as multiples of one of order eight: the order times a point leaves that part."""
    for y in range(2, P):
        point = curve.decode(y.to_bytes(32, "little"))
        eighth = point and combine(ORDER, point, 0, BASE)
        if eighth and not _is_neutral(combine(4, eighth, 0, BASE)):
            return [combine(times, eighth, 0, BASE) for times in range(8)]
    raise AssertionError("the curve has points of order eight")


def _is_neutral(point: Point) -> bool:
    return point.encode() == curve.NEUTRAL.encode()


TORSION = _torsion()


def forge_signature(dice: random.Random) -> Vector:
    """A countersignature by key and nonce with any parts of low order, and at times nothing but that part."""
    secret, nonce = _multiple(dice, 12), _multiple(dice, 3)
    key = _beside(dice, secret).encode()
    part = statement.part
    head = part(receipt.COUNTERSIGNATURE_TYPE.encode()) + key_id(key) + part(dice.randbytes(72))
    point = _beside(dice, nonce).encode()
    challenge = int.from_bytes(sha512(point + key + labels.STATEMENT + head).digest(), "little")
    scalar = (nonce + challenge * secret) % ORDER + dice.choice((0, 0, 0, ORDER))
    stated = b"\x01" + head + point + scalar.to_bytes(32, "little")
    fields = ("kind", "statement"), ("type", receipt.COUNTERSIGNATURE_TYPE)
    return Vector("forged: a signature", (*fields, ("key", key.hex()), ("statement", stated.hex())))


def _multiple(dice: random.Random, zero_in: int) -> int:
    """Nought once in so many: then nothing is left of a point but its part of low order."""
    return dice.randrange(1, ORDER) if dice.randrange(zero_in) else 0


def _beside(dice: random.Random, multiple: int) -> Point:
    """A multiple of the base, every other time with a part of low order."""
    return combine(multiple, BASE, 0, BASE) + dice.choice((curve.NEUTRAL, dice.choice(TORSION)))
