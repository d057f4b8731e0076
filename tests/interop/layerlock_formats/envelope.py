"""Envelopes (`proto/spec/sealed-toolpath.md`): header, segments and manifest, as far as they are checked without a key.

`Checker` follows the segments in order and compares the manifest at the end; `release` opens what it took.
"""

from __future__ import annotations

from typing import NamedTuple

from blake3 import blake3

from . import labels
from .cursor import Cursor
from .outcome import Refused
from .primitives import TAG, sha256

HEADER_TYPE = "layerlock/envelope-header/v1"
MANIFEST_TYPE = "layerlock/envelope-manifest/v1"
MACHINE_LIMIT = 64
SEGMENT_LIMIT = 65_536
EPOCH_LIMIT = 4096
FRAME = 17
GOES_ON, PIECE_ENDS, TOOLPATH_ENDS = 0, 1, 2


class Header(NamedTuple):
    """What an envelope is for."""

    job: bytes
    hold: bytes
    license: bytes
    design_version: bytes
    device: bytes
    machine: str
    profile: bytes
    created: int
    segment_limit: int
    epoch_layers: int


class Manifest(NamedTuple):
    """What an envelope holds."""

    header_hash: bytes
    segments: int
    sealed_bytes: int
    digest: bytes
    layers: int
    commitments: list[bytes]
    duration: int
    filament: int
    bounds: tuple[int, ...]


class Frame(NamedTuple):
    """Where a segment stands."""

    index: int
    layer: int
    epoch: int
    flags: int
    length: int


class RefusedAt(Refused):
    """An envelope is refused at the index that was due."""

    def __init__(self, index: int, reason: str):
        super().__init__(f"refused-at {index} {reason}")


def read_header(cursor: Cursor) -> Header:
    """HDR-1 to HDR-4."""
    suite = cursor.u16()
    header = Header(
        job=cursor.take(16),
        hold=cursor.take(16),
        license=cursor.take(16),
        design_version=cursor.take(32),
        device=cursor.take(16),
        machine=cursor.text(MACHINE_LIMIT),
        profile=cursor.take(32),
        created=cursor.u64(),
        segment_limit=cursor.u32(),
        epoch_layers=cursor.u32(),
    )
    if suite != 1 or not 1 <= header.segment_limit <= SEGMENT_LIMIT or header.epoch_layers < 1:
        raise Refused("refused-value")
    return header


def read_manifest(cursor: Cursor) -> Manifest:
    """MAN-9, and the shape of all else."""
    return Manifest(
        header_hash=cursor.take(32),
        segments=cursor.u32(),
        sealed_bytes=cursor.u64(),
        digest=cursor.take(32),
        layers=cursor.u32(),
        commitments=[cursor.take(32) for _ in range(cursor.count(EPOCH_LIMIT))],
        duration=cursor.u64(),
        filament=cursor.u64(),
        bounds=tuple(cursor.i32() for _ in range(6)),
    )


def header_hash(header_statement: bytes) -> bytes:
    return sha256(labels.HEADER_HASH + header_statement)


class Checker:
    """Takes the segments of one envelope in order (SEG-1 to SEG-9), then its manifest (MAN-2 to MAN-8)."""

    def __init__(self, header: Header, header_hash: bytes):
        self.header = header
        self.header_hash = header_hash
        self._last: Frame | None = None
        self._hashes: list[bytes] = []
        self._bytes = 0

    def due(self) -> int:
        """The index that comes next, which is how many came."""
        return len(self._hashes)

    def refused(self, reason: str) -> RefusedAt:
        return RefusedAt(self.due(), reason)

    def segment(self, segment: bytes) -> Frame:
        """Takes a segment; checks in the page's order, the cheapest first."""
        if self._last is not None and self._last.flags == TOOLPATH_ENDS:
            raise self.refused("after-final")
        frame = self._frame(segment)
        if frame.index != self.due():
            raise self.refused("out-of-order")
        if not self._layer_may_follow(frame.layer):
            raise self.refused("wrong-layer")
        if frame.epoch != frame.layer // self.header.epoch_layers:
            raise self.refused("wrong-epoch")
        self._take(frame, segment)
        return frame

    def _frame(self, segment: bytes) -> Frame:
        """SEG-1 to SEG-5: the shape alone."""
        if len(segment) < FRAME:
            raise self.refused("truncated")
        cursor = Cursor(segment)
        frame = Frame(cursor.u32(), cursor.u32(), cursor.u32(), cursor.u8(), cursor.u32())
        if frame.flags not in (GOES_ON, PIECE_ENDS, TOOLPATH_ENDS):
            raise self.refused("unknown-flags")
        if frame.length > self.header.segment_limit + TAG:
            raise self.refused("too-long")
        if frame.length <= TAG:
            raise self.refused("empty")
        if len(segment) != FRAME + frame.length:
            raise self.refused("truncated" if len(segment) < FRAME + frame.length else "trailing")
        return frame

    def _layer_may_follow(self, layer: int) -> bool:
        """SEG-7."""
        if self._last is None:
            return layer == 0
        return layer == self._last.layer or (layer == self._last.layer + 1 and self._last.flags == PIECE_ENDS)

    def _take(self, frame: Frame, segment: bytes) -> None:
        self._hashes.append(blake3(segment).digest())
        self._bytes += len(segment)
        self._last = frame

    def finish(self, manifest: Manifest) -> None:
        """The manifest is of this header and of the segments that came."""
        if self._last is None or self._last.flags != TOOLPATH_ENDS:
            raise self.refused("incomplete")
        if manifest.header_hash != self.header_hash:
            raise self.refused("wrong-header")
        came = (
            ("segments", manifest.segments, len(self._hashes)),
            ("sealed_bytes", manifest.sealed_bytes, self._bytes),
            ("layers", manifest.layers, self._last.layer + 1),
            ("commitments", len(manifest.commitments), self._last.epoch + 1),
            ("digest", manifest.digest, blake3(b"".join(self._hashes)).digest()),
        )
        for field, stated, right in came:
            if stated != right:
                raise self.refused(f"bad-manifest {field}")
