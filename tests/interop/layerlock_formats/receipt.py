"""What is said about a job (`proto/spec/receipt.md`): the nouns, a run of receipts, and what a hold is settled by."""

from __future__ import annotations

from typing import NamedTuple

from .cursor import Cursor
from .envelope import Manifest, RefusedAt
from .outcome import Refused

RECEIPT_TYPE = "layerlock/receipt/v1"
REPORT_TYPE = "layerlock/job-report/v1"
COUNTERSIGNATURE_TYPE = "layerlock/countersignature/v1"
SETTLEMENT_TYPE = "layerlock/settlement/v1"

CHECKED, PROGRESS, OVER = 1, 2, 3
PRINTED = 1
WITHDRAWN = 2


class Extent(NamedTuple):
    """How far a print came."""

    layers: int
    total_layers: int
    lines: int
    filament: int


class Receipt(NamedTuple):
    """A device's word; of the last three fields those that its event has."""

    device: bytes
    job: bytes
    hold: bytes
    sequence: int
    at: int
    event: int
    manifest: bytes | None
    outcome: int | None
    extent: Extent | None


class Report(NamedTuple):
    """A vault's word."""

    job: bytes
    hold: bytes
    at: int
    event: int


class Countersignature(NamedTuple):
    """A vault closes a job by a receipt."""

    job: bytes
    hold: bytes
    receipt: bytes
    at: int


def _listed(cursor: Cursor, last: int) -> int:
    """A number of a closed list that begins with 1."""
    number = cursor.u8()
    if not 1 <= number <= last:
        raise Refused("refused-value")
    return number


def _extent(cursor: Cursor) -> Extent:
    return Extent(cursor.u32(), cursor.u32(), cursor.u64(), cursor.u64())


def read_receipt(cursor: Cursor) -> Receipt:
    """RC-1, RC-2."""
    device, job, hold = cursor.take(16), cursor.take(16), cursor.take(16)
    sequence, at, event = cursor.u32(), cursor.u64(), _listed(cursor, OVER)
    manifest = cursor.take(32) if event == CHECKED else None
    outcome = _listed(cursor, 3) if event == OVER else None
    extent = None if event == CHECKED else _extent(cursor)
    return Receipt(device, job, hold, sequence, at, event, manifest, outcome, extent)


def read_report(cursor: Cursor) -> Report:
    """RC-3."""
    return Report(cursor.take(16), cursor.take(16), cursor.u64(), _listed(cursor, WITHDRAWN))


def read_countersignature(cursor: Cursor) -> Countersignature:
    return Countersignature(cursor.take(16), cursor.take(16), cursor.take(32), cursor.u64())


def read_settlement(cursor: Cursor) -> tuple[int, int]:
    """RC-4 to RC-6: cause and copy; the rest is read and passed over."""
    cursor.take(16 + 16 + 16)
    cursor.u64()
    settled = _listed(cursor, 6), _listed(cursor, 2)
    granted, free, held, spent = (cursor.u32() for _ in range(4))
    if granted != free + held + spent:
        raise Refused("refused-value")
    return settled


class Run:
    """The receipts of one job, in the order they come: RC-9 to RC-13 and RC-15."""

    def __init__(self, manifest: Manifest, manifest_digest: bytes):
        self._manifest, self._digest = manifest, manifest_digest
        self._place = 0
        self._over = False
        self._newest: tuple[int, Extent] | None = None

    def refused(self, reason: str) -> Refused:
        """A refusal of the receipt that is due."""
        return RefusedAt(self._place, reason)

    def take(self, receipt: Receipt) -> None:
        if self._over or (receipt.event == PROGRESS and self._newest is None):
            raise self.refused("out-of-place")
        match receipt.event:
            case 1:
                self._checked(receipt)
            case 2:
                self._progress(receipt)
            case 3:
                self._end(receipt)
        self._place += 1

    def _checked(self, receipt: Receipt) -> None:
        if receipt.manifest != self._digest:
            raise self.refused("other-manifest")
        if self._newest is None:
            self._newest = receipt.sequence, Extent(0, 0, 0, 0)
        else:
            newest, extent = self._newest
            self._newest = max(newest, receipt.sequence), extent

    def _progress(self, receipt: Receipt) -> None:
        newest, extent = self._newest
        if receipt.sequence > newest:
            self._forward(extent, receipt.extent)
            self._newest = receipt.sequence, receipt.extent

    def _end(self, receipt: Receipt) -> None:
        printed = receipt.outcome == PRINTED
        if self._newest is None:
            wrong = printed or receipt.extent.layers > 0
        else:
            self._forward(self._newest[1], receipt.extent)
            wrong = printed and receipt.extent.layers != self._manifest.layers
        if wrong:
            raise self.refused("not-printed")
        self._over = True

    def _forward(self, before: Extent, now: Extent) -> None:
        if now.layers < before.layers or now.lines < before.lines or now.filament < before.filament:
            raise self.refused("backwards")
        if now.total_layers != self._manifest.layers or now.layers > self._manifest.layers:
            raise self.refused("other-total")


def judge_receipt(receipt: Receipt, device: bytes, job: bytes, hold: bytes) -> None:
    """RC-18, RC-19."""
    if (receipt.device, receipt.job, receipt.hold) != (device, job, hold):
        raise Refused("refused-other-hold")
    if receipt.event != OVER:
        raise Refused("refused-not-final")


def judge_countersignature(said: Countersignature, job: bytes, hold: bytes, receipt_digest: bytes) -> None:
    """RC-20."""
    if (said.job, said.hold, said.receipt) != (job, hold, receipt_digest):
        raise Refused("refused-other-receipt")


def judge_withdrawal(report: Report, job: bytes, hold: bytes) -> None:
    """RC-22."""
    if (report.job, report.hold) != (job, hold):
        raise Refused("refused-other-hold")
    if report.event != WITHDRAWN:
        raise Refused("refused-not-withdrawn")
