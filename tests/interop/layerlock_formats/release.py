"""Key releases and the opening of segments (`proto/spec/sealed-toolpath.md`, Secrets and Key release)."""

from __future__ import annotations

from typing import NamedTuple

from . import labels
from .cursor import Cursor
from .envelope import FRAME, Frame, RefusedAt
from .outcome import Refused, cannot_open
from .primitives import aead_open, hkdf, hpke_open

RELEASE_TYPE = "layerlock/key-release/v1"
RELEASE_LIMIT = 1_024


class WrappedEpoch(NamedTuple):
    """An epoch's secret, wrapped to the device."""

    epoch: int
    commitment: bytes
    enc_and_sealed: bytes


class Release(NamedTuple):
    """Secrets of some epochs, and on what grounds the vault lets them go."""

    header_hash: bytes
    grounds: int
    epochs: list[WrappedEpoch]


class Secret(NamedTuple):
    """An epoch's secret, opened and found to give the commitment beside it."""

    epoch: int
    secret: bytes
    commitment: bytes


def read_release(cursor: Cursor) -> Release:
    """REL-3, REL-4."""
    header_hash, grounds = cursor.take(32), cursor.u64()
    epochs = [
        WrappedEpoch(cursor.u32(), cursor.take(32), cursor.take(80)) for _ in range(cursor.count(RELEASE_LIMIT))
    ]
    numbers = [wrapped.epoch for wrapped in epochs]
    if not numbers or sorted(set(numbers)) != numbers:
        raise Refused("refused-value")
    return Release(header_hash, grounds, epochs)


def open_release(release: Release, header_hash: bytes, opening_key: bytes) -> list[Secret]:
    """REL-2, EP-1, EP-2: all epochs of a release, or the one refusal."""
    if release.header_hash != header_hash:
        raise cannot_open()
    return [_open_epoch(wrapped, release, opening_key) for wrapped in release.epochs]


def _open_epoch(wrapped: WrappedEpoch, release: Release, opening_key: bytes) -> Secret:
    bound = release.header_hash + release.grounds.to_bytes(8, "big") + wrapped.epoch.to_bytes(4, "big")
    secret = hpke_open(opening_key, labels.EPOCH_WRAP + bound, wrapped.enc_and_sealed)
    if hkdf(secret, release.header_hash, labels.EPOCH_COMMITMENT) != wrapped.commitment:
        raise cannot_open()
    return Secret(wrapped.epoch, secret, wrapped.commitment)


class Opener:
    """Opens segments of one envelope with the secrets it was given, in order of their index."""

    def __init__(self, header_hash: bytes, commitments: list[bytes] | None = None):
        """`commitments` are the manifest's, in buffered mode; in live mode there are none yet."""
        self._header_hash = header_hash
        self._expected = None if commitments is None else dict(enumerate(commitments))
        self._secrets: dict[int, Secret] = {}

    def take(self, secrets: list[Secret]) -> None:
        """EP-3, EP-4: refused at index 0, where nothing has been opened yet."""
        for secret in secrets:
            expected = self._expected is None or self._expected.get(secret.epoch) == secret.commitment
            if not expected or self._secrets.setdefault(secret.epoch, secret) != secret:
                raise RefusedAt(0, "cannot-open")

    def open(self, frame: Frame, segment: bytes) -> bytes:
        """SEG-10: the text of a segment whose frame was checked."""
        secret = self._secrets.get(frame.epoch)
        if secret is None:
            raise RefusedAt(frame.index, "no-epoch-secret")
        key = hkdf(secret.secret, self._header_hash, labels.SEGMENT_KEY)
        nonce = bytes(8) + frame.index.to_bytes(4, "big")
        try:
            return aead_open(key, nonce, self._header_hash + segment[:FRAME], segment[FRAME:])
        except Refused:
            raise RefusedAt(frame.index, "cannot-open") from None

    def commitments(self) -> list[bytes]:
        """Of the secrets taken, in the order of their epochs."""
        return [secret.commitment for _, secret in sorted(self._secrets.items())]
