"""What the root's services and makers may state (`proto/spec/trust.md`): certificates, revocations, attestations."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from . import endorsement, statement
from .cursor import Cursor
from .endorsement import must_ascend
from .keys import key_id, verifying_key
from .outcome import Refused
from .root import NAME_LIMIT, Authority, Root, must_last
from .statement import Statement

SERVICE_TYPE = "layerlock/service-certificate/v1"
DEVICE_TYPE = "layerlock/device-certificate/v1"
SELLER_TYPE = "layerlock/seller-certificate/v1"
REVOCATIONS_TYPE = "layerlock/revocations/v1"
ATTESTATION_TYPE = "layerlock/device-attestation/v1"
WELCOME_TYPE = "layerlock/session-welcome/v1"
ROLES = (1, 2, 3)
MACHINE_LIMIT = 128


class Service(NamedTuple):
    """A key and the one role it may state things in."""

    role: int
    key: bytes
    end: int


class Device(NamedTuple):
    """A device's keys, as a licensor certifies them."""

    device: bytes
    signing_key: bytes
    opening_key: bytes
    machine: str
    end: int


class Seller(NamedTuple):
    """A seller's key."""

    seller: bytes
    key: bytes
    end: int


class Revocations(NamedTuple):
    """Devices that may not print."""

    version: int
    end: int
    devices: list[bytes]


class Attestation(NamedTuple):
    """Which keys a maker built into a device."""

    maker: str
    machine: str
    signing_key: bytes
    opening_key: bytes


def read_service(cursor: Cursor) -> Service:
    role = cursor.u8()
    if role not in ROLES:
        raise Refused("refused-value")
    return Service(role, cursor.take(32), cursor.u64())


def read_device(cursor: Cursor) -> Device:
    return Device(cursor.take(16), cursor.take(32), cursor.take(32), cursor.text(MACHINE_LIMIT), cursor.u64())


def read_seller(cursor: Cursor) -> Seller:
    return Seller(cursor.take(16), cursor.take(32), cursor.u64())


def read_revocations(cursor: Cursor) -> Revocations:
    version, end = cursor.u64(), cursor.u64()
    revocations = Revocations(version, end, [cursor.take(16) for _ in range(cursor.u32())])
    must_ascend(revocations.devices)
    return revocations


def read_attestation(cursor: Cursor) -> Attestation:
    return Attestation(cursor.text(NAME_LIMIT), cursor.text(NAME_LIMIT), cursor.take(32), cursor.take(32))


def read_welcome(cursor: Cursor) -> tuple[bytes, int]:
    return cursor.take(32), cursor.u64()


def certify(root: Root, received: list[bytes]) -> list[Service]:
    """The services of these certificates, taken one after another."""
    services: list[Service] = []
    for each in received:
        services.append(_take(root, each, services))
    return services


def _take(root: Root, received: bytes, known: list[Service]) -> Service:
    """TR-5, TR-6, TR-20, TR-10, TR-21, TR-34, TR-35: a service that the root's threshold names."""
    stated = endorsement.parse(received)
    stated.must_be(SERVICE_TYPE)
    stated.must_meet(root.threshold, root.keys, read_service)
    service = statement.read_whole(stated.payload, read_service)
    verifying_key(service.key)
    if service.key in root.withdrawn:
        raise Refused("refused-withdrawn")
    if service.key in root.keys + [authority.key for authority in root.authorities]:
        raise Refused("refused-other-purpose")
    if any(other.key == service.key and other.role != service.role for other in known):
        raise Refused("refused-other-purpose")
    return service


def hear(
    services: list[Service], role: int, stated: Statement, noun_type: str, read: Callable[[Cursor], Any], now: int
) -> Any:
    """TR-22, TR-23: what a service states in its role."""
    serving = [each for each in services if each.role == role and key_id(each.key) == stated.key_id]
    if not serving:
        raise Refused("refused-not-serving")
    must_last(serving[-1].end, now)
    return statement.verify(stated, noun_type, serving[0].key, read)


def must_be_newer(heard: Revocations, known: Revocations) -> None:
    """TR-26, TR-27: of two lists from one key."""
    if heard.version < known.version:
        raise Refused("refused-older")
    if heard.version == known.version and heard.devices != known.devices:
        raise Refused("refused-twin")


def attest(root: Root, stated: Statement, signing_key: bytes, opening_key: bytes, now: int) -> None:
    """TR-28 to TR-32: a maker the root lists says that these are the keys of a device it made."""
    authority = _authority_of(root, stated.key_id)
    must_last(authority.end, now)
    said = statement.verify(stated, ATTESTATION_TYPE, authority.key, read_attestation)
    if said.maker != authority.name:
        raise Refused("refused-maker")
    if said.machine not in authority.machines:
        raise Refused("refused-machine")
    if (said.signing_key, said.opening_key) != (signing_key, opening_key):
        raise Refused("refused-device")


def _authority_of(root: Root, signer: bytes) -> Authority:
    for authority in root.authorities:
        if key_id(authority.key) == signer:
            return authority
    raise Refused("refused-authority")
