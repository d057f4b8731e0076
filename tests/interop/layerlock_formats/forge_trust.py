"""Trust, forged: chains of roots, services under a root, makers' attestations; most of it right, and where it is not,
off by one signer, one version, one millisecond. Only `mutations` may use this.
"""

from __future__ import annotations

import random
from typing import Any

from . import labels, root, statement, trust
from .forge import u32, u64
from .keys import SigningKey, key_id
from .primitives import sha256
from .statement import part
from .vectors import Vector

NOW = 1_700_000_000_000
LOW_ORDER = bytes(32)
LICENSOR, VAULT = 1, 2


def perhaps(dice: random.Random, right: Any, *wrong: Any) -> Any:
    """Right eleven times in twelve."""
    return right if dice.randrange(12) else dice.choice(wrong)


def endorse(noun_type: str, payload: bytes, signers: list[SigningKey]) -> bytes:
    """Signed by these, in the order of their ids."""
    signed = sorted((key_id(key.public), key) for key in signers)
    head = part(noun_type.encode())
    signatures = (signer + key.sign(labels.STATEMENT + head + signer + part(payload)) for signer, key in signed)
    return b"LLTE\x00\x01" + head + part(payload) + u32(len(signed)) + b"".join(signatures)


def _list(items: list[bytes]) -> bytes:
    return u32(len(items)) + b"".join(items)


def _end(dice: random.Random) -> bytes:
    return u64(perhaps(dice, NOW + 1000, NOW - 1, NOW, NOW + 1))


class House:
    """Five keys that may be a root's, two makers, and what they sign."""

    def __init__(self, dice: random.Random):
        self.pool = [SigningKey(dice.randbytes(32)) for _ in range(5)]
        self.makers = [SigningKey(dice.randbytes(32)) for _ in range(2)]
        self.withdrawn: list[bytes] = []

    def root(self, dice: random.Random, version: int, keys: list[SigningKey], threshold: int) -> bytes:
        """The payload of a root of these keys; one in four has a field that lies."""
        public = [key.public for key in keys]
        withdrawn = sorted(self.withdrawn + [dice.randbytes(32) for _ in range(dice.randrange(3))])
        makers = self.makers[: dice.choice((0, 1, 1, 2))]
        field = dice.randrange(16)
        if field == 0:
            public.append(dice.choice((LOW_ORDER, public[0])))
        if field == 1:
            withdrawn = dice.choice((withdrawn[::-1], withdrawn * 2))
        authorities = [self._authority(dice, number, field) for number in range(len(makers))]
        return b"".join(
            (u32(version), _end(dice), bytes([threshold]), _list(public), _list(withdrawn), _list(authorities))
        )

    def _authority(self, dice: random.Random, number: int, field: int) -> bytes:
        name, key, machines = b"maker-%d" % number, self.makers[number].public, [b"mill", b"saw"]
        if field == 2:
            name = dice.choice((b"Maker", b"", b"m" * 64, b"m" * 65, b"\xff"))
        if field == 3:
            key = dice.choice((LOW_ORDER, self.pool[0].public, self.makers[0].public))
        if field == 4:
            machines = dice.choice(([b"saw", b"mill"], [b"saw", b"saw"], [b"s w"], []))
        return part(name) + key + _end(dice) + _list([part(machine) for machine in machines])


def forge_roots(dice: random.Random) -> Vector:
    """A chain of up to four roots; who signs one is drawn from the pool, not from who should."""
    house, versions, received = House(dice), 1, []
    for _ in range(dice.randrange(1, 5)):
        keys = dice.sample(house.pool[:3], dice.randrange(1, 4))
        payload = house.root(dice, versions, keys, perhaps(dice, dice.choice((1, len(keys))), 0, len(keys) + 1))
        received.append(endorse(root.ROOT_TYPE, payload, dice.sample(house.pool[:4], dice.randrange(2, 5))))
        versions += perhaps(dice, 1, 0, 2, -1)
    received += perhaps(dice, [], received[-1:], received[:1])
    fields = [("now", u64(NOW))] + [("root", each) for each in received]
    told = dice.choice((None, None, None, sha256(payload), perhaps(dice, None, bytes(32))))
    return _vector("a chain of roots", "root", fields + ([] if told is None else [("told", told)]))


def _right_root(dice: random.Random, house: House) -> bytes:
    """Signed by all; two of the first three keys are enough."""
    return endorse(root.ROOT_TYPE, house.root(dice, 1, house.pool[:3], 2), house.pool[:3])


def forge_service(dice: random.Random) -> Vector:
    """What a service states, under a certificate that may lack a signer or have another role, key or end."""
    house, service = House(dice), SigningKey(dice.randbytes(32))
    house.withdrawn = perhaps(dice, [], [service.public])
    role, noun_type, payload = _stated(dice)
    certified = bytes([perhaps(dice, role, 0, 3, 4)]) + perhaps(dice, service.public, LOW_ORDER, house.pool[1].public, house.makers[0].public)
    certified += _end(dice)
    signers = perhaps(dice, house.pool[1:4], house.pool[2:], house.pool[:1], [])
    fields = [("now", u64(NOW)), ("root", _right_root(dice, house))]
    fields += [("certificate", each) for each in _before(dice, house, service)]
    fields += [("certificate", endorse(trust.SERVICE_TYPE, perhaps(dice, certified, certified[:-1]), signers))]
    fields += [("role", bytes([role])), ("type", noun_type)]
    fields += [("statement", statement.state(noun_type, payload, perhaps(dice, service, house.pool[0])))]
    if noun_type == trust.REVOCATIONS_TYPE and dice.randrange(2):
        keeper = perhaps(dice, service, house.pool[4])
        known = statement.state(noun_type, _revocations(dice), keeper)
        fields += [("known-key", keeper.public), ("known", known)]
    return _vector("a service", "service", fields)


def _before(dice: random.Random, house: House, service: SigningKey) -> list[bytes]:
    """Certificates taken earlier: mostly none, else of the same key or another, in any role."""
    key = dice.choice((service, house.pool[4])).public
    certified = bytes([dice.randrange(1, 4)]) + key + _end(dice)
    return perhaps(dice, [], [endorse(trust.SERVICE_TYPE, certified, house.pool[:3])])


def _stated(dice: random.Random) -> tuple[int, str, bytes]:
    device = bytes(16) + perhaps(dice, dice.randbytes(64), bytes(64)) + part(b"mill" * dice.choice((1, 32, 33)))
    return dice.choice(
        (
            (LICENSOR, trust.DEVICE_TYPE, device + _end(dice)),
            (LICENSOR, trust.SELLER_TYPE, bytes(16) + perhaps(dice, dice.randbytes(32), bytes(32)) + _end(dice)),
            (LICENSOR, trust.REVOCATIONS_TYPE, _revocations(dice)),
            (LICENSOR, trust.REVOCATIONS_TYPE, _revocations(dice)),
            (VAULT, trust.WELCOME_TYPE, bytes(32) + u64(NOW)),
        )
    )


def _revocations(dice: random.Random) -> bytes:
    devices = [bytes([number]) * 16 for number in range(3) if dice.randrange(2)]
    return u64(dice.choice((7, 7, 8))) + _end(dice) + _list(perhaps(dice, devices, devices[::-1], devices * 2))


def forge_attestation(dice: random.Random) -> Vector:
    """What a maker says of a device, or another maker, or a key of the root."""
    house, keys = House(dice), (dice.randbytes(32), dice.randbytes(32))
    said = part(perhaps(dice, b"maker-0", b"maker-1")) + part(perhaps(dice, b"saw", b"mill", b"lathe"))
    payload = said + b"".join(perhaps(dice, keys, keys[::-1]))
    maker = perhaps(dice, house.makers[0], *house.makers, house.pool[0])
    attested = statement.state(trust.ATTESTATION_TYPE, payload, maker)
    fields = [("now", u64(NOW)), ("root", _right_root(dice, house)), ("sign", keys[0]), ("open", keys[1])]
    return _vector("an attestation", "attestation", fields + [("statement", attested)])


def _vector(name: str, kind: str, fields: list[tuple[str, str | bytes]]) -> Vector:
    shown = ((field, value if isinstance(value, str) else value.hex()) for field, value in fields)
    return Vector(f"forged: {name}", (("kind", kind), *shown))
