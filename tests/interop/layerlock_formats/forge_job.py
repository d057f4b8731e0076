"""What is said about a job, forged: runs of receipts that mostly make sense, and evidence with at most one lie.

Numbers are small, so that equal and off by one, where rules turn, come up often. Only `mutations` may use this.
"""

from __future__ import annotations

import random

from . import envelope, receipt, statement
from .forge import u32, u64
from .keys import SigningKey
from .primitives import sha256
from .vectors import Vector

CHECKED, PROGRESS, OVER = b"\x01", b"\x02", b"\x03"
OUTCOMES = (b"\x01", b"\x02", b"\x03")


class Parties:
    """A vault, a device, and the job they talk about."""

    def __init__(self, dice: random.Random):
        self.vault, self.device = SigningKey(dice.randbytes(32)), SigningKey(dice.randbytes(32))
        self.of = receipt.Job(*(dice.randbytes(16) for _ in range(3)))

    def fields(self) -> list[tuple[str, str | bytes]]:
        return [("key", self.device.public), ("vault-key", self.vault.public), *self.of._asdict().items()]


def forge_run(dice: random.Random) -> Vector:
    """A run of up to six receipts; one in two says something again at the end, byte for byte."""
    parties, layers = Parties(dice), dice.randrange(1, 4)
    manifest = statement.state(envelope.MANIFEST_TYPE, _manifest(dice, layers), parties.vault)
    said, extent, sequence = [], [0, layers, 0, 0], dice.randrange(2)
    for _ in range(dice.randrange(1, 6)):
        extent = [number + (place != 1) * dice.randrange(2) for place, number in enumerate(extent)]
        extent[0] = min(extent[0], layers)
        said.append(_say(dice, parties, sequence, _event(dice, not said, sha256(manifest), extent)))
        sequence += dice.choice((0, 1, 1, 1, 2))
    said += dice.choice(([], [dice.choice(said)]))
    fields = [("manifest", manifest), *(("receipt", one) for one in said)]
    return _vector("a run of receipts", "receipts", parties, fields)


def _event(dice: random.Random, first: bool, manifest: bytes, extent: list[int]) -> bytes:
    shown = list(extent)
    if dice.randrange(3) == 0:
        place = dice.randrange(4)
        shown[place] = max(0, shown[place] + dice.choice((-1, 1)))
    told = u32(shown[0]) + u32(shown[1]) + u64(shown[2]) + u64(shown[3])
    checked = CHECKED + (manifest if dice.randrange(8) else bytes(32))
    over = OVER + dice.choice(OUTCOMES) + told
    return dice.choice((checked, checked, checked, over) if first else (checked, *(PROGRESS + told,) * 3, over))


def _say(dice: random.Random, parties: Parties, sequence: int, event: bytes) -> bytes:
    """A receipt; one in fifteen is of another device, job or hold, or by another key."""
    of, signer = list(parties.of), parties.device
    wrong = dice.randrange(60)
    if wrong < 3:
        of[wrong] = bytes(16)
    if wrong == 3:
        signer = parties.vault
    return statement.state(receipt.RECEIPT_TYPE, b"".join(of) + u32(sequence) + u64(7) + event, signer)


def _manifest(dice: random.Random, layers: int) -> bytes:
    return dice.randbytes(32) + u32(1) + u64(1) + dice.randbytes(32) + u32(layers) + u32(0) + bytes(40)


def forge_evidence(dice: random.Random) -> Vector:
    """What a hold might be settled by: a receipt and its countersignature, or a report."""
    parties = Parties(dice)
    device, job, hold = parties.of
    if dice.randrange(3) == 0:
        of, event = _perhaps_other(dice, job, hold), dice.choice((b"\x01", b"\x02", b"\x02"))
        report = statement.state(receipt.REPORT_TYPE, of + u64(7) + event, _perhaps(dice, parties))
        return _vector("a report", "evidence", parties, [("report", report)])
    final = _say(dice, parties, 0, dice.choice((PROGRESS, OVER + dice.choice(OUTCOMES))) + bytes(24))
    named = sha256(final) if dice.randrange(5) else sha256(final[:-64])
    payload = _perhaps_other(dice, job, hold) + named + u64(7)
    closed = statement.state(receipt.COUNTERSIGNATURE_TYPE, payload, _perhaps(dice, parties))
    return _vector("a final receipt", "evidence", parties, [("receipt", final), ("countersignature", closed)])


def forge_settlement(dice: random.Random) -> Vector:
    """Counts that balance, are off by one, or balance only where sums wrap around."""
    free, held, spent = (dice.choice((0, 1, 2**31, 2**32 - 1)) for _ in range(3))
    counts = u32(free + held + spent + dice.choice((0, 0, 1))) + u32(free) + u32(held) + u32(spent)
    key = SigningKey(dice.randbytes(32))
    payload = dice.randbytes(56) + bytes([dice.randrange(8), dice.randrange(4)]) + counts
    settled = statement.state(receipt.SETTLEMENT_TYPE, payload, key)
    fields = ("kind", "statement"), ("type", receipt.SETTLEMENT_TYPE), ("key", key.public.hex())
    return Vector("forged: a settlement", (*fields, ("statement", settled.hex())))


def _perhaps_other(dice: random.Random, job: bytes, hold: bytes) -> bytes:
    return dice.choice((job + hold, job + hold, job + hold, hold + job))


def _perhaps(dice: random.Random, parties: Parties) -> SigningKey:
    """The vault, or in its place the device."""
    return dice.choice((parties.vault, parties.vault, parties.vault, parties.device))


def _vector(name: str, kind: str, parties: Parties, fields: list[tuple[str, str | bytes]]) -> Vector:
    shown = [("kind", kind)] + [(field, value.hex()) for field, value in parties.fields() + fields]
    return Vector(f"forged: {name}", tuple(shown))
