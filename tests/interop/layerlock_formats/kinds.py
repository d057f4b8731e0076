"""What each `kind` of conformance file asks a reader to do, as the table of `proto/vectors/README.md` says it.

Each is one function that returns what it opened when the file is taken, and raises `Refused` when it is not. A kind
that isn't in the table here is an error, never a file passed over.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from . import blob, enrolment, envelope, keys, receipt, release, statement, trust
from .envelope import Checker
from .keys import key_id
from .outcome import Refused
from .primitives import sha256
from .vectors import SUCCESS, Unreadable, Vector


class Kind(NamedTuple):
    """What to do with a file, and which of its fields hold the bytes that are read."""

    read: Callable[[Vector], dict[str, str] | None]
    inputs: tuple[str, ...]


class Reading(NamedTuple):
    """How reading a vector ended, and the fields that tell what it opened to."""

    outcome: str
    opened: tuple[tuple[str, str], ...] = ()


def read(vector: Vector) -> Reading:
    """How this reader ends on `vector`, in the words of an `expect` line."""
    kind = KINDS.get(vector.one("kind"))
    if kind is None:
        raise Unreadable(f"{vector.name}: this reader does not know the kind `{vector.one('kind')}`")
    try:
        return Reading(SUCCESS, tuple((kind.read(vector) or {}).items()))
    except Refused as refused:
        return Reading(refused.outcome)


def outcome(vector: Vector) -> str:
    """The same, where what was opened must be what the file says."""
    reading = read(vector)
    for field, value in reading.opened:
        if vector.one(field) != value:
            raise Unreadable(f"{vector.name}: opens to another `{field}` than the file says")
    return reading.outcome


def _verifying_key(vector: Vector) -> None:
    keys.verifying_key(vector.bytes("bytes"))


def _wrapping_key(vector: Vector) -> None:
    keys.wrapping_key(vector.bytes("bytes"))


def _statement(vector: Vector) -> None:
    noun_type = vector.one("type")
    if noun_type not in NOUNS:
        raise Unreadable(f"{vector.name}: this reader does not know the noun `{noun_type}`")
    _stated(vector, vector.bytes("statement"), noun_type)


def _stated(vector: Vector, received: bytes, noun_type: str, key: str = "key") -> Any:
    """The noun a statement of the file holds: the statement is parsed, then the key."""
    parsed = statement.parse(received)
    return statement.verify(parsed, noun_type, keys.verifying_key(vector.bytes(key)), NOUNS[noun_type])


def _endorsement(vector: Vector) -> None:
    trust.parse(vector.bytes("endorsement"))


def _root(vector: Vector) -> None:
    """The first root is kept and the others are offered, or all are a newcomer's that was told a digest."""
    chain = [trust.parse(root) for root in vector.all_bytes("root")]
    told = vector.bytes("told") if vector.all("told") else None
    trust.must_last(trust.walk(chain, told).end, _now(vector))


def _standing(vector: Vector) -> trust.Standing:
    root = trust.begin(trust.parse(vector.bytes("root")))
    certificates = [trust.certify(root, trust.parse(each)) for each in vector.all_bytes("certificate")]
    return trust.Standing(root, certificates, _now(vector))


def _now(vector: Vector) -> int:
    return int.from_bytes(vector.bytes("now"), "big")


def _service(vector: Vector) -> None:
    """What a service states; certificates and lists of the licensor must also last."""
    standing, stated = _standing(vector), statement.parse(vector.bytes("statement"))
    noun_type, role = vector.one("type"), vector.bytes("role")[0]
    if noun_type not in STATED_BY_SERVICES:
        raise Unreadable(f"{vector.name}: this reader does not know the noun `{noun_type}` of a service")
    known = None
    if vector.all("known"):
        received = vector.bytes("known")
        key = keys.verifying_key(vector.bytes("known-key"))
        known = statement.verify(statement.parse(received), noun_type, key, trust.read_revocations)
        known = known if key_id(key) == stated.key_id else None
    noun = standing.verify(stated, noun_type, role, STATED_BY_SERVICES[noun_type])
    if noun_type == trust.REVOCATIONS_TYPE:
        trust.must_last(noun.end, standing.now)
        if known:
            trust.must_succeed(noun, known)
    elif noun is not None:
        trust.must_last(noun, standing.now)


def _attestation(vector: Vector) -> None:
    standing, stated = _standing(vector), statement.parse(vector.bytes("statement"))
    standing.attested(stated, vector.bytes("sign"), vector.bytes("open"))


def _enrolment_code(vector: Vector) -> dict[str, str]:
    return {"code-hash": enrolment.code_hash(vector.bytes("code")).hex()}


def _enrolment(vector: Vector) -> dict[str, str]:
    fields = ("opening-key", "request-digest", "encapsulated", "ciphertext")
    return {"answer-digest": enrolment.answer_digest(*map(vector.bytes, fields)).hex()}


def _receipts(vector: Vector) -> None:
    """RC-7 and what follows: the receipts of one job, one after another."""
    received = vector.bytes("manifest")
    manifest = _stated(vector, received, envelope.MANIFEST_TYPE, "vault-key")
    key = keys.verifying_key(vector.bytes("key"))
    ear = receipt.Ear(_job(vector), sha256(received), manifest.layers)
    for parsed in map(statement.parse, vector.all_bytes("receipt")):
        try:
            said = statement.verify(parsed, receipt.RECEIPT_TYPE, key, receipt.read_receipt)
        except Refused:
            raise ear.refused("signer") from None
        ear.take(said)


def _evidence(vector: Vector) -> None:
    """A report where the file has one; else a receipt and what countersigns it."""
    if vector.all("report"):
        report = _stated(vector, vector.bytes("report"), receipt.REPORT_TYPE, "vault-key")
        receipt.judge_withdrawal(report, _job(vector))
        return
    final, closed = vector.bytes("receipt"), vector.bytes("countersignature")
    receipt.judge_receipt(_stated(vector, final, receipt.RECEIPT_TYPE), _job(vector))
    said = _stated(vector, closed, receipt.COUNTERSIGNATURE_TYPE, "vault-key")
    receipt.judge_countersignature(said, _job(vector), sha256(final))


def _job(vector: Vector) -> receipt.Job:
    return receipt.Job(*map(vector.bytes, ("device", "job", "hold")))


def _blob(vector: Vector) -> dict[str, str]:
    text = blob.open_blob(vector.bytes("kek"), vector.bytes("place"), vector.bytes("blob"))
    return {"text-sha256": sha256(text).hex()}


def _header(vector: Vector) -> Checker:
    received = vector.bytes("header")
    return Checker(_stated(vector, received, envelope.HEADER_TYPE), envelope.header_hash(received))


def _secrets(vector: Vector, header_hash: bytes) -> list[release.Secret]:
    """The secrets of all releases of the file: each release verified, then each of its epochs opened."""
    opening_key = vector.bytes("opening-key")
    secrets = []
    for received in vector.all_bytes("release"):
        stated = _stated(vector, received, release.RELEASE_TYPE)
        secrets += release.open_release(stated, header_hash, opening_key)
    return secrets


def _release(vector: Vector) -> None:
    vector.one("release")
    _secrets(vector, _header(vector).header_hash)


def _buffered(vector: Vector) -> dict[str, str]:
    """Checked as a whole without a key, then opened."""
    checker, segments = _header(vector), vector.all_bytes("segment")
    frames = [checker.segment(segment) for segment in segments]
    manifest = _stated(vector, vector.bytes("manifest"), envelope.MANIFEST_TYPE)
    checker.finish(manifest)
    opener = release.Opener(checker.header_hash, manifest.commitments)
    opener.take(_secrets(vector, checker.header_hash))
    text = b"".join(opener.open(frame, segment) for frame, segment in zip(frames, segments))
    return {"text": text.hex()}


def _live(vector: Vector) -> dict[str, str]:
    """Checked and opened segment by segment; the manifest is compared last."""
    checker = _header(vector)
    opener = release.Opener(checker.header_hash)
    opener.take(_secrets(vector, checker.header_hash))
    text = b""
    for segment in vector.all_bytes("segment"):
        text += opener.open(checker.segment(segment), segment)
    manifest = _stated(vector, vector.bytes("manifest"), envelope.MANIFEST_TYPE)
    checker.finish(manifest)
    if manifest.commitments != opener.commitments():
        raise checker.refused("bad-manifest commitments")
    return {"text": text.hex()}


# Every noun that a `statement` file may ask for, by its type.
NOUNS = {
    envelope.HEADER_TYPE: envelope.read_header,
    envelope.MANIFEST_TYPE: envelope.read_manifest,
    receipt.COUNTERSIGNATURE_TYPE: receipt.read_countersignature,
    receipt.RECEIPT_TYPE: receipt.read_receipt,
    receipt.REPORT_TYPE: receipt.read_report,
    receipt.SETTLEMENT_TYPE: receipt.read_settlement,
    release.RELEASE_TYPE: release.read_release,
}

# What a `service` file may have stated; the reader gives when it ends, or a whole list.
STATED_BY_SERVICES = {
    trust.DEVICE_TYPE: trust.read_device_end,
    trust.SELLER_TYPE: trust.read_seller_end,
    trust.REVOCATIONS_TYPE: trust.read_revocations,
    trust.WELCOME_TYPE: trust.read_welcome,
}

KINDS = {
    "verifying-key": Kind(_verifying_key, ("bytes",)),
    "wrapping-key": Kind(_wrapping_key, ("bytes",)),
    "statement": Kind(_statement, ("key", "statement")),
    "endorsement": Kind(_endorsement, ("endorsement",)),
    "root": Kind(_root, ("now", "told", "root")),
    "service": Kind(_service, ("now", "root", "certificate", "statement", "known-key", "known")),
    "attestation": Kind(_attestation, ("now", "root", "sign", "open", "statement")),
    "enrolment-code": Kind(_enrolment_code, ("code",)),
    "enrolment": Kind(_enrolment, ("opening-key", "request-digest", "encapsulated", "ciphertext")),
    "receipts": Kind(_receipts, ("key", "vault-key", "device", "job", "hold", "manifest", "receipt")),
    "evidence": Kind(
        _evidence, ("key", "vault-key", "device", "job", "hold", "receipt", "countersignature", "report")
    ),
    "blob": Kind(_blob, ("kek", "place", "blob")),
    "release": Kind(_release, ("key", "opening-key", "header", "release")),
    "envelope": Kind(_buffered, ("key", "opening-key", "header", "segment", "release", "manifest")),
    "live": Kind(_live, ("key", "opening-key", "header", "segment", "release", "manifest")),
}

# Fields whose length the reader judges; the others are of one length by the vectors' own form.
RESIZABLE = frozenset((
    "statement", "blob", "header", "segment", "release", "manifest",
    "endorsement", "root", "certificate", "known",
    "code", "encapsulated", "ciphertext", "receipt", "countersignature", "report",
))
