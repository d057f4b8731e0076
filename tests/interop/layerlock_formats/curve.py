"""Arithmetic on edwards25519 (RFC 8032) and curve25519 (RFC 7748), as far as checking keys and signatures needs it.

Plain Python numbers, in time that depends on them: right for a reader, who holds only public things, and wrong for
a signer. Points are in extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
"""

from __future__ import annotations

from typing import NamedTuple

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
MONTGOMERY_A = 486662


class Point(NamedTuple):
    """A point of edwards25519."""

    x: int
    y: int
    z: int
    t: int

    def __add__(self, other: Point) -> Point:
        """RFC 8032, 5.1.4; complete, for any two points."""
        a = (self.y - self.x) * (other.y - other.x) % P
        b = (self.y + self.x) * (other.y + other.x) % P
        c = 2 * self.t * other.t * D % P
        d = 2 * self.z * other.z % P
        e, f, g, h = b - a, d - c, d + c, b + a
        return Point(e * f % P, g * h % P, f * g % P, e * h % P)

    def doubled(self) -> Point:
        """RFC 8032, 5.1.4; the same as adding it to itself, in half the time."""
        a, b, c = self.x * self.x % P, self.y * self.y % P, 2 * self.z * self.z % P
        e, g = (a + b - (self.x + self.y) ** 2) % P, a - b
        f, h = c + g, a + b
        return Point(e * f % P, g * h % P, f * g % P, e * h % P)

    def negated(self) -> Point:
        return Point(-self.x % P, self.y, self.z, -self.t % P)

    def encode(self) -> bytes:
        """y in 255 bits, little-endian; the sign of x above."""
        inverse = pow(self.z, -1, P)
        x, y = self.x * inverse % P, self.y * inverse % P
        return (y | (x & 1) << 255).to_bytes(32, "little")

    def has_low_order(self) -> bool:
        """Whether eight of it are nothing: the curve has eight times a prime many points."""
        eight = self.doubled().doubled().doubled()
        return eight.x == 0 and eight.y == eight.z


NEUTRAL = Point(0, 1, 1, 0)


def decode(encoded: bytes) -> Point | None:
    """The point of a canonical encoding (RFC 8032, 5.1.3), or nothing."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if len(encoded) != 32 or y >= P:
        return None
    x = _x_of(y, sign)
    return None if x is None else Point(x, y, 1, x * y % P)


def _x_of(y: int, sign: int) -> int | None:
    """The root of x² = (y² - 1) / (dy² + 1) with this sign."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P != 0 or (x == 0 and sign == 1):
        return None
    return x if x & 1 == sign else P - x


def combine(first: int, point: Point, second: int, other: Point) -> Point:
    """first · point + second · other, both multiplied in one walk over the bits."""
    choices = (None, point, other, point + other)
    total = NEUTRAL
    for bit in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
        total = total.doubled()
        chosen = choices[(first >> bit & 1) | (second >> bit & 1) << 1]
        if chosen is not None:
            total = total + chosen
    return total


BASE = decode(bytes.fromhex("58" + "66" * 31)) or NEUTRAL


def x_only_low_order(u: int) -> bool:
    """Whether a point of curve25519 or its twist has an order that divides eight: three doublings end at infinity."""
    x, z = u % P, 1
    for _ in range(3):
        x, z = (x * x - z * z) ** 2 % P, 4 * x * z * (x * x + MONTGOMERY_A * x * z + z * z) % P
    return z == 0
