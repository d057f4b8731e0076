"""Whom a party believes (`proto/spec/trust.md`): endorsements, roots that follow one another, what hangs on the newest."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from . import labels, statement
from .cursor import Cursor
from .keys import key_id, verifies, verifying_key
from .outcome import Refused
from .primitives import sha256
from .statement import Statement

ROOT_TYPE = "layerlock/root/v1"
CERTIFICATE_TYPE = "layerlock/service-certificate/v1"
DEVICE_TYPE = "layerlock/device-certificate/v1"
SELLER_TYPE = "layerlock/seller-certificate/v1"
REVOCATIONS_TYPE = "layerlock/revocations/v1"
WELCOME_TYPE = "layerlock/session-welcome/v1"
ATTESTATION_TYPE = "layerlock/device-attestation/v1"

LICENSOR = 1
NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


class Endorsement(NamedTuple):
    """One payload and the signatures under it, by key id; nobody has counted them yet."""

    type: str
    payload: bytes
    signatures: tuple[tuple[bytes, bytes], ...]

    def must_be(self, noun_type: str) -> None:
        """TR-6."""
        if self.type != noun_type:
            raise Refused("refused-type")

    def read(self, read: Callable[[Cursor], Any]) -> Any:
        cursor = Cursor(self.payload)
        noun = read(cursor)
        cursor.end()
        return noun

    def count(self, may_sign: tuple[bytes, ...], read: Callable[[Cursor], Any]) -> int:
        """TR-5: how many of these keys signed; a payload rightly signed must be the noun."""
        signed = 0
        for key in may_sign:
            signature = dict(self.signatures).get(key_id(key))
            if signature is not None and verifies(key, self._signed_bytes(key), signature):
                self.read(read)
                signed += 1
        return signed

    def _signed_bytes(self, key: bytes) -> bytes:
        return b"".join(
            (labels.STATEMENT, statement._part(self.type.encode()), key_id(key), statement._part(self.payload))
        )

    def must_meet(self, root: Root, read: Callable[[Cursor], Any]) -> None:
        if self.count(root.keys, read) < root.threshold:
            raise Refused("refused-threshold")


class Authority(NamedTuple):
    """A maker and the machines it may speak for."""

    name: str
    key: bytes
    end: int
    machines: tuple[str, ...]


class Root(NamedTuple):
    """The offline keys, and whom they name."""

    version: int
    end: int
    threshold: int
    keys: tuple[bytes, ...]
    withdrawn: tuple[bytes, ...]
    authorities: tuple[Authority, ...]


class Certificate(NamedTuple):
    """A key and what it serves as."""

    role: int
    key: bytes
    end: int


def parse(received: bytes) -> Endorsement:
    """TR-1 to TR-4, in the order of the bytes."""
    cursor = Cursor(received)
    if cursor.take(4) != b"LLTE" or cursor.u16() != 1:
        raise Refused("refused-value")
    noun_type, payload = cursor.text(64), cursor.part(128 * 1024)
    signatures = _list(cursor, 32, lambda cursor: (cursor.take(16), cursor.take(64)))
    cursor.end()
    if not _ascends([signer for signer, _ in signatures]):
        raise Refused("refused-value")
    return Endorsement(noun_type, payload, signatures)


def _list(cursor: Cursor, limit: int, read: Callable[[Cursor], Any]) -> tuple[Any, ...]:
    return tuple(read(cursor) for _ in range(cursor.count(limit)))


def _ascends(items: Any) -> bool:
    return all(left < right for left, right in zip(items, items[1:]))


def _read_authority(cursor: Cursor) -> Authority:
    name, key, end = cursor.text(64), cursor.take(32), cursor.u64()
    return Authority(name, key, end, _list(cursor, 32, lambda cursor: cursor.text(64)))


def read_root(cursor: Cursor) -> Root:
    def read_key(cursor: Cursor) -> bytes:
        return cursor.take(32)

    return Root(
        cursor.u32(),
        cursor.u64(),
        cursor.u8(),
        _list(cursor, 16, read_key),
        _list(cursor, 64, read_key),
        _list(cursor, 32, _read_authority),
    )


def _is_plain(name: str) -> bool:
    return 1 <= len(name) <= 64 and NAME_LETTERS.issuperset(name)


def _hold(root: Root) -> None:
    """TR-7, TR-8, TR-9, TR-11, TR-12."""
    used = root.keys + tuple(authority.key for authority in root.authorities)
    holds = (
        root.version >= 1
        and 1 <= root.threshold <= len(root.keys)
        and len(set(root.keys)) == len(root.keys)
        and _ascends(root.withdrawn)
        and len(set(used)) == len(used)
        and all(_is_plain(name) for authority in root.authorities for name in (authority.name, *authority.machines))
        and all(authority.machines and _ascends(authority.machines) for authority in root.authorities)
    )
    if not holds:
        raise Refused("refused-value")


def _seen(endorsement: Endorsement) -> Root:
    """A root as it says it is: read, because it names its own keys, and not believed."""
    endorsement.must_be(ROOT_TYPE)
    root: Root = endorsement.read(read_root)
    _hold(root)
    return root


def begin(endorsement: Endorsement) -> Root:
    """TR-10, TR-14, after the root's own fields."""
    root = _seen(endorsement)
    for key in root.keys + tuple(authority.key for authority in root.authorities):
        verifying_key(key)
    endorsement.must_meet(root, read_root)
    return root


def walk(chain: list[Endorsement], told: bytes | None) -> Root:
    """TR-13, then one after another."""
    start = 0
    if told is not None:
        digests = [sha256(root.payload) for root in chain]
        if told not in digests:
            raise Refused("refused-digest")
        start = digests.index(told)
    kept, root = chain[start], begin(chain[start])
    for offered in chain[start + 1 :]:
        following = _follow(root, kept, offered)
        if following != root:
            kept, root = offered, following
    return root


def _follow(root: Root, kept: Endorsement, offered: Endorsement) -> Root:
    """TR-16 to TR-18, TR-15, and what a root must hold by itself."""
    version = _seen(offered).version
    if version < root.version:
        raise Refused("refused-older")
    if version == root.version:
        if offered.payload != kept.payload:
            raise Refused("refused-twin")
        return root
    if version != root.version + 1:
        raise Refused("refused-skipped")
    offered.must_meet(root, read_root)
    return begin(offered)


def must_last(end: int, now: int) -> None:
    """TR-19, TR-23, TR-24, TR-25, TR-29: what ends at `end` is not taken from then on."""
    if now >= end:
        raise Refused("refused-ended")


def _read_certificate(cursor: Cursor) -> Certificate:
    role = cursor.u8()
    if role not in (1, 2, 3):
        raise Refused("refused-value")
    return Certificate(role, cursor.take(32), cursor.u64())


def certify(root: Root, endorsement: Endorsement) -> Certificate:
    """TR-6, TR-5, TR-20, its fields, TR-10, TR-21."""
    endorsement.must_be(CERTIFICATE_TYPE)
    endorsement.must_meet(root, _read_certificate)
    certificate: Certificate = endorsement.read(_read_certificate)
    verifying_key(certificate.key)
    if certificate.key in root.withdrawn:
        raise Refused("refused-withdrawn")
    return certificate


class Standing(NamedTuple):
    """The newest root, the services under it, and the reader's time."""

    root: Root
    certificates: list[Certificate]
    now: int

    def verify(self, stated: Statement, noun_type: str, role: int, read: Callable[[Cursor], Any]) -> Any:
        """TR-19, TR-22, TR-23, then the statement's own rules."""
        must_last(self.root.end, self.now)
        serving = [each for each in self.certificates if each.role == role and key_id(each.key) == stated.key_id]
        if not serving:
            raise Refused("refused-not-serving")
        must_last(serving[0].end, self.now)
        return statement.verify(stated, noun_type, serving[0].key, read)

    def attested(self, stated: Statement, sign: bytes, open: bytes) -> None:
        """TR-19, TR-28, TR-29, the statement's own rules, TR-30 to TR-32."""
        must_last(self.root.end, self.now)
        listed = [each for each in self.root.authorities if key_id(each.key) == stated.key_id]
        if not listed:
            raise Refused("refused-authority")
        maker = listed[0]
        must_last(maker.end, self.now)
        name, machine, *keys = statement.verify(stated, ATTESTATION_TYPE, maker.key, _read_attestation)
        if name != maker.name:
            raise Refused("refused-maker")
        if machine not in maker.machines:
            raise Refused("refused-machine")
        if keys != [sign, open]:
            raise Refused("refused-device")


def _read_attestation(cursor: Cursor) -> tuple[str, str, bytes, bytes]:
    return cursor.text(64), cursor.text(64), cursor.take(32), cursor.take(32)


def read_device_end(cursor: Cursor) -> int:
    """When a device's certificate ends."""
    cursor.take(16 + 32 + 32)
    cursor.text(128)
    return cursor.u64()


def read_seller_end(cursor: Cursor) -> int:
    """When a seller's certificate ends."""
    cursor.take(16 + 32)
    return cursor.u64()


def read_welcome(cursor: Cursor) -> None:
    """A vault's welcome: 32 bytes and a time."""
    cursor.take(32)
    cursor.u64()


class Revocations(NamedTuple):
    """The devices that may not print."""

    version: int
    end: int
    devices: tuple[bytes, ...]


def read_revocations(cursor: Cursor) -> Revocations:
    version, end = cursor.u64(), cursor.u64()
    devices = _list(cursor, 1_000_000, lambda cursor: cursor.take(16))
    cursor.end()
    if not _ascends(devices):
        raise Refused("refused-value")
    return Revocations(version, end, devices)


def must_succeed(offered: Revocations, known: Revocations) -> None:
    """TR-26, TR-27; both are of the same key."""
    if offered.version < known.version:
        raise Refused("refused-older")
    if offered.version == known.version and offered.devices != known.devices:
        raise Refused("refused-twin")
