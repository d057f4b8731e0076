"""Small changes to vectors, the same for the same seed, with the outcome this reader gives them.

The Rust reader is run over the same files and must end alike on each (`proto/seal/tests/vectors/second_reader.rs`).
A mutation is a byte replaced, dropped or doubled, or the end cut off, in one field that is read. Because nearly all
of them fall to the first signature, every second one of a statement is *restated*: signed again, by a key made for it,
so that what lies behind the signature is compared too. Every fourth file is not mutated but forged.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Iterator

from . import kinds, statement, vectors
from .forge import forge
from .forge_blob import forge_blob, forge_challenge, forge_code
from .forge_job import forge_evidence, forge_run, forge_settlement
from .forge_signature import forge_signature
from .forge_trust import forge_attestation, forge_roots, forge_service
from .keys import SigningKey
from .outcome import Refused
from .statement import Statement
from .vectors import Vector

# Fields that hold a statement by one of the file's keys.
STATED = ("statement", "header", "manifest", "release", "receipt", "countersignature", "report")
SIGNERS = ("key", "vault-key")

FORGERS = (
    forge,
    forge_run,
    forge_evidence,
    forge_settlement,
    forge_signature,
    forge_roots,
    forge_service,
    forge_attestation,
    forge_blob,
    forge_code,
    forge_challenge,
)


def mutate(files: list[Vector], count: int, seed: int) -> Iterator[Vector]:
    """`count` files; half of the mutations are of files that are right, where one change makes the whole difference."""
    dice = random.Random(seed)
    right = [file for file in files if file.one("expect") == vectors.SUCCESS]
    for number in range(count):
        if number % 4 == 0:
            yield _expecting(FORGERS[number // 4 % len(FORGERS)](dice))
        else:
            yield _expecting(_mutated(dice.choice(dice.choice((files, right))), dice))


def _mutated(vector: Vector, dice: random.Random) -> Vector:
    """One change to one of the fields that are read."""
    inputs = kinds.KINDS[vector.one("kind")].inputs
    places = [place for place, (name, value) in enumerate(vector.fields) if name in inputs and value]
    place = dice.choice(places)
    stated = dict(_statements(vector))
    if place in stated and dice.random() < 0.5:
        return _restated(vector, stated, place, dice)
    name, value = vector.fields[place]
    changed, how = _changed(bytes.fromhex(value), dice, resize=name in kinds.RESIZABLE)
    return _with(vector, {place: changed}, f"{name} {how}")


def _statements(vector: Vector) -> Iterator[tuple[int, Statement]]:
    """The statements of a file by the place of their field, those that can be parsed and say something."""
    for place, (name, value) in enumerate(vector.fields):
        if name in STATED:
            with suppress(Refused):
                parsed = statement.parse(bytes.fromhex(value))
                if parsed.payload:
                    yield place, parsed


def _restated(vector: Vector, stated: dict[int, Statement], place: int, dice: random.Random) -> Vector:
    """The payload at `place` changed and stated anew, with every other statement of the file, by a key of ours."""
    key = SigningKey(dice.randbytes(32))
    payload, how = _changed(stated[place].payload, dice, resize=True)
    stated = stated | {place: stated[place]._replace(payload=payload)}
    changes = {at: statement.state(each.type, each.payload, key) for at, each in stated.items()}
    changes |= {at: key.public for at, (name, _) in enumerate(vector.fields) if name in SIGNERS}
    return _with(vector, changes, f"{vector.fields[place][0]}'s payload {how} and stated anew")


def _with(vector: Vector, changes: dict[int, bytes], how: str) -> Vector:
    fields = ((name, changes[at].hex() if at in changes else value) for at, (name, value) in enumerate(vector.fields))
    return Vector(f"{vector.name}: {how}", tuple(fields))


def _changed(data: bytes, dice: random.Random, resize: bool) -> tuple[bytes, str]:
    """A byte replaced, dropped or doubled, or all cut off from it: anywhere, or as often in the first two hundred,
    where the structure is."""
    at = dice.choice((dice.randrange(len(data)), dice.randrange(min(len(data), 200))))
    how = dice.choice(("replaced", "replaced", "replaced", "dropped", "doubled", "cut")) if resize else "replaced"
    middle = {"replaced": bytes([data[at] ^ dice.randrange(1, 256)]), "doubled": data[at : at + 1] * 2}
    rest = b"" if how == "cut" else data[at + 1 :]
    return data[:at] + middle.get(how, b"") + rest, f"byte {at} {how}"


def _expecting(vector: Vector) -> Vector:
    """The same fields under what this reader makes of them; the comment tells the mutation."""
    reading = kinds.read(vector)
    told = (("expect", reading.outcome), ("comment", vector.name))
    replaced = {"expect", "rule", "comment", "text", "text-sha256", "code-hash", "answer-digest"}
    kept = tuple(field for field in vector.fields if field[0] not in replaced)
    return Vector(vector.name, told + kept + reading.opened)
