"""The root of trust and how it is followed from version to version (`proto/spec/trust.md`)."""

from __future__ import annotations

import re
from typing import NamedTuple

from . import endorsement
from .cursor import Cursor
from .endorsement import Endorsement, must_ascend
from .keys import verifying_key
from .outcome import Refused
from .primitives import sha256
from .statement import read_whole

ROOT_TYPE = "layerlock/root/v1"
KEY_LIMIT = 16
WITHDRAWN_LIMIT = 64
AUTHORITY_LIMIT = 32
MACHINE_LIMIT = 32
NAME_LIMIT = 64
NAME = re.compile(r"[a-z0-9-]{1,64}")


class Authority(NamedTuple):
    """A maker, and the machines it may speak for."""

    name: str
    key: bytes
    end: int
    machines: list[str]


class Root(NamedTuple):
    """Whom everything else comes from."""

    version: int
    end: int
    threshold: int
    keys: list[bytes]
    withdrawn: list[bytes]
    authorities: list[Authority]


class Believed(NamedTuple):
    """A root that was followed to, with the payload it was read from."""

    root: Root
    payload: bytes


def read_root(cursor: Cursor) -> Root:
    """The fields, their limits alone."""
    return Root(
        version=cursor.u32(),
        end=cursor.u64(),
        threshold=cursor.u8(),
        keys=[cursor.take(32) for _ in range(cursor.count(KEY_LIMIT))],
        withdrawn=[cursor.take(32) for _ in range(cursor.count(WITHDRAWN_LIMIT))],
        authorities=[_read_authority(cursor) for _ in range(cursor.count(AUTHORITY_LIMIT))],
    )


def _read_authority(cursor: Cursor) -> Authority:
    name, key, end = cursor.text(NAME_LIMIT), cursor.take(32), cursor.u64()
    return Authority(name, key, end, [cursor.text(NAME_LIMIT) for _ in range(cursor.count(MACHINE_LIMIT))])


def parse_root(stated: Endorsement) -> Root:
    """TR-6 to TR-9, TR-11, TR-12: a root is read before it is believed."""
    stated.must_be(ROOT_TYPE)
    root = read_whole(stated.payload, read_root)
    if root.version < 1 or not 1 <= root.threshold <= len(root.keys) or len(set(root.keys)) < len(root.keys):
        raise Refused("refused-value")
    must_ascend(root.withdrawn)
    all_keys = root.keys + [authority.key for authority in root.authorities]
    if len(set(all_keys)) < len(all_keys) or not all(map(_is_well_named, root.authorities)):
        raise Refused("refused-value")
    return root


def _is_well_named(authority: Authority) -> bool:
    machines = authority.machines
    if not machines or machines != sorted(set(machines)) or not NAME.fullmatch(authority.name):
        return False
    return all(len(machine) <= NAME_LIMIT and all(map(NAME.fullmatch, machine.split("."))) for machine in machines)


def begin(received: list[bytes], told: bytes | None) -> tuple[Believed, list[Endorsement]]:
    """TR-13: the root to begin at, believed by its own keys, and those that follow it."""
    stated = [endorsement.parse(each) for each in received]
    digests = [sha256(each.payload) for each in stated]
    if told is not None and told not in digests:
        raise Refused("refused-digest")
    at = 0 if told is None else digests.index(told)
    return _believe(parse_root(stated[at]), stated[at]), stated[at + 1 :]


def follow(kept: Believed, stated: Endorsement) -> Believed:
    """TR-15 to TR-18: the next root, or the kept one if it is said again."""
    root = parse_root(stated)
    if root.version > kept.root.version + 1:
        raise Refused("refused-skipped")
    if root.version < kept.root.version:
        raise Refused("refused-older")
    if root.version == kept.root.version:
        if stated.payload != kept.payload:
            raise Refused("refused-twin")
        return kept
    stated.must_meet(kept.root.threshold, kept.root.keys, read_root)
    return _believe(root, stated)


def _believe(root: Root, stated: Endorsement) -> Believed:
    """TR-10, TR-14."""
    for key in root.keys + [authority.key for authority in root.authorities]:
        verifying_key(key)
    stated.must_meet(root.threshold, root.keys, read_root)
    return Believed(root, stated.payload)


def walk(received: list[bytes], told: bytes | None = None) -> Root:
    """The newest of these roots, each believed by the one before; whether it has ended is not asked here."""
    kept, rest = begin(received, told)
    for stated in rest:
        kept = follow(kept, stated)
    return kept.root


def must_last(end: int, now: int) -> None:
    """TR-19, TR-23 to TR-25, TR-29: what ends at a moment is not taken at that moment."""
    if now >= end:
        raise Refused("refused-ended")
