"""What is said about a job (`proto/spec/receipt.md`): nouns, a vault's ear for receipts, a licensor's for evidence."""

from __future__ import annotations

from typing import NamedTuple

from .cursor import Cursor
from .envelope import RefusedAt
from .outcome import Refused

RECEIPT_TYPE = "layerlock/receipt/v1"
REPORT_TYPE = "layerlock/job-report/v1"
COUNTERSIGNATURE_TYPE = "layerlock/countersignature/v1"
SETTLEMENT_TYPE = "layerlock/settlement/v1"

CHECKED, PROGRESS, OVER = "checked", "progress", "over"
PRINTED, FAILED, CANCELLED = "printed", "failed", "cancelled"
ADMITTED, WITHDRAWN = "admitted", "withdrawn"
CAUSES = (PRINTED, FAILED, CANCELLED, WITHDRAWN, "not admitted", "overdue")
COPIES = ("spent", "returned")


class Job(NamedTuple):
    """Of which job something is said."""

    device: bytes
    job: bytes
    hold: bytes


class Extent(NamedTuple):
    """How far a print came."""

    layers: int = 0
    total_layers: int = 0
    lines: int = 0
    filament: int = 0

    def is_behind(self, other: Extent) -> bool:
        """Whether anything was unprinted since `other`; what the total says is not printing."""
        return self.layers < other.layers or self.lines < other.lines or self.filament < other.filament


class Receipt(NamedTuple):
    """What a device says; `manifest` stands with `checked` alone, `outcome` with `over` alone."""

    of: Job
    sequence: int
    at: int
    event: str
    manifest: bytes = b""
    outcome: str = ""
    extent: Extent = Extent()


class Report(NamedTuple):
    """What a vault says."""

    job: bytes
    hold: bytes
    at: int
    event: str


class Countersignature(NamedTuple):
    """A vault closes a job by a receipt, named by the digest of its statement."""

    job: bytes
    hold: bytes
    receipt: bytes
    at: int


class Settlement(NamedTuple):
    """What became of a copy."""

    license: bytes
    hold: bytes
    job: bytes
    at: int
    cause: str
    copy: str


def _one_of(cursor: Cursor, words: tuple[str, ...]) -> str:
    """A closed list in a byte, counted from 1."""
    number = cursor.u8()
    if not 1 <= number <= len(words):
        raise Refused("refused-value")
    return words[number - 1]


def _read_extent(cursor: Cursor) -> Extent:
    return Extent(cursor.u32(), cursor.u32(), cursor.u64(), cursor.u64())


def read_receipt(cursor: Cursor) -> Receipt:
    """RC-1, RC-2."""
    of = Job(cursor.take(16), cursor.take(16), cursor.take(16))
    said = Receipt(of, cursor.u32(), cursor.u64(), _one_of(cursor, (CHECKED, PROGRESS, OVER)))
    if said.event == CHECKED:
        return said._replace(manifest=cursor.take(32))
    if said.event == OVER:
        said = said._replace(outcome=_one_of(cursor, (PRINTED, FAILED, CANCELLED)))
    return said._replace(extent=_read_extent(cursor))


def read_report(cursor: Cursor) -> Report:
    """RC-3."""
    return Report(cursor.take(16), cursor.take(16), cursor.u64(), _one_of(cursor, (ADMITTED, WITHDRAWN)))


def read_countersignature(cursor: Cursor) -> Countersignature:
    return Countersignature(cursor.take(16), cursor.take(16), cursor.take(32), cursor.u64())


def read_settlement(cursor: Cursor) -> Settlement:
    """RC-4 to RC-6."""
    settlement = Settlement(
        license=cursor.take(16),
        hold=cursor.take(16),
        job=cursor.take(16),
        at=cursor.u64(),
        cause=_one_of(cursor, CAUSES),
        copy=_one_of(cursor, COPIES),
    )
    granted, free, held, spent = (cursor.u32() for _ in range(4))
    if granted != free + held + spent:
        raise Refused("refused-value")
    return settlement


class Ear:
    """What a vault takes from a device about one job, receipt after receipt (RC-8 to RC-13, RC-15)."""

    def __init__(self, of: Job, manifest: bytes, layers: int):
        """`manifest` is the digest of its statement, `layers` how many it states."""
        self._of = of
        self._manifest = manifest
        self._layers = layers
        self._taken = 0
        self._newest: Receipt | None = None
        self._last: Receipt | None = None

    def refused(self, reason: str) -> RefusedAt:
        return RefusedAt(self._taken, reason)

    def take(self, receipt: Receipt) -> None:
        """The rules in their order; refuses by the first that is broken."""
        if receipt.of != self._of:
            raise self.refused("other-job")
        if self._last not in (None, receipt) or (self._newest is None and receipt.event == PROGRESS):
            raise self.refused("out-of-place")
        if receipt == self._last:
            pass
        elif receipt.event == CHECKED:
            self._check(receipt)
        elif receipt.event == OVER:
            self._end(receipt)
        elif self._newest and receipt.sequence > self._newest.sequence:
            self._must_go_on(receipt.extent, self._newest.extent)
            self._newest = receipt
        self._taken += 1

    def _check(self, receipt: Receipt) -> None:
        """RC-10; said again later, it counts with its number alone, for it tells no extent."""
        if receipt.manifest != self._manifest:
            raise self.refused("other-manifest")
        before = self._newest or receipt
        self._newest = before._replace(sequence=max(before.sequence, receipt.sequence))

    def _end(self, receipt: Receipt) -> None:
        """RC-13, after RC-11 and RC-12 where keys were out."""
        printed = receipt.outcome == PRINTED
        if self._newest is None:
            wrong = printed or receipt.extent.layers > 0
        else:
            self._must_go_on(receipt.extent, self._newest.extent)
            wrong = printed and receipt.extent.layers < self._layers
        if wrong:
            raise self.refused("not-printed")
        self._last = receipt

    def _must_go_on(self, now: Extent, before: Extent) -> None:
        """RC-11, RC-12."""
        if now.is_behind(before):
            raise self.refused("backwards")
        if now.total_layers != self._layers or now.layers > self._layers:
            raise self.refused("other-total")


def judge_receipt(receipt: Receipt, of: Job) -> None:
    """RC-18, RC-19."""
    if receipt.of != of:
        raise Refused("refused-other-hold")
    if receipt.event != OVER:
        raise Refused("refused-not-final")


def judge_countersignature(said: Countersignature, of: Job, receipt: bytes) -> None:
    """RC-20; `receipt` is the digest of the statement it came with."""
    if (said.job, said.hold, said.receipt) != (of.job, of.hold, receipt):
        raise Refused("refused-other-receipt")


def judge_withdrawal(report: Report, of: Job) -> None:
    """RC-22."""
    if (report.job, report.hold) != (of.job, of.hold):
        raise Refused("refused-other-hold")
    if report.event != WITHDRAWN:
        raise Refused("refused-not-withdrawn")
