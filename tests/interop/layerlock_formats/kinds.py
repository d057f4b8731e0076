"""What each `kind` of conformance file asks a reader to do, as the table of `proto/vectors/README.md` says it.

Each is one function that returns what it opened when the file is taken, and raises `Refused` when it is not. A kind
that isn't in the table here is an error, never a file passed over.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from . import blob, endorsement, enrolment, envelope, keys, receipt, release, root, statement, trust
from .envelope import Checker
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
    _stated(vector, vector.bytes("statement"), _type(vector))


def _type(vector: Vector) -> str:
    noun_type = vector.one("type")
    if noun_type not in NOUNS:
        raise Unreadable(f"{vector.name}: this reader does not know the noun `{noun_type}`")
    return noun_type


def _stated(vector: Vector, received: bytes, noun_type: str, key: str = "key") -> Any:
    """The noun a statement of the file holds: the statement is parsed, then the key."""
    parsed = statement.parse(received)
    return statement.verify(parsed, noun_type, keys.verifying_key(vector.bytes(key)), NOUNS[noun_type])


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


def _endorsement(vector: Vector) -> None:
    endorsement.parse(vector.bytes("endorsement"))


def _root(vector: Vector) -> None:
    told = vector.bytes("told") if vector.all("told") else None
    root.must_last(root.walk(vector.all_bytes("root"), told).end, _now(vector))


def _service(vector: Vector) -> None:
    """A statement of a service, and what follows from what it says."""
    newest, services = _served(vector)
    stated = statement.parse(vector.bytes("statement"))
    known = _known(vector) if vector.all("known") else None
    root.must_last(newest.end, _now(vector))
    role, noun_type = int(vector.one("role"), 16), _type(vector)
    noun = trust.hear(services, role, stated, noun_type, NOUNS[noun_type], _now(vector))
    if noun_type in (trust.DEVICE_TYPE, trust.SELLER_TYPE, trust.REVOCATIONS_TYPE):
        root.must_last(noun.end, _now(vector))
    if known is not None and known.key_id == stated.key_id:
        trust.must_be_newer(noun, statement.parse_payload(known.payload, trust.read_revocations))


def _served(vector: Vector) -> tuple[root.Root, list[trust.Service]]:
    newest = root.walk([vector.bytes("root")])
    return newest, trust.certify(newest, vector.all_bytes("certificate"))


def _known(vector: Vector) -> statement.Statement:
    """The list of revocations that is kept already, verified with its own key."""
    key, kept = keys.verifying_key(vector.bytes("known-key")), statement.parse(vector.bytes("known"))
    statement.verify(kept, trust.REVOCATIONS_TYPE, key, trust.read_revocations)
    return kept


def _attestation(vector: Vector) -> None:
    newest, _ = _served(vector)
    stated = statement.parse(vector.bytes("statement"))
    root.must_last(newest.end, _now(vector))
    trust.attest(newest, stated, vector.bytes("sign"), vector.bytes("open"), _now(vector))


def _now(vector: Vector) -> int:
    return int(vector.one("now"), 16)


# Every noun that a `statement` file may ask for, by its type.
NOUNS = {
    envelope.HEADER_TYPE: envelope.read_header,
    envelope.MANIFEST_TYPE: envelope.read_manifest,
    receipt.COUNTERSIGNATURE_TYPE: receipt.read_countersignature,
    receipt.RECEIPT_TYPE: receipt.read_receipt,
    receipt.REPORT_TYPE: receipt.read_report,
    receipt.SETTLEMENT_TYPE: receipt.read_settlement,
    release.RELEASE_TYPE: release.read_release,
    trust.DEVICE_TYPE: trust.read_device,
    trust.SELLER_TYPE: trust.read_seller,
    trust.REVOCATIONS_TYPE: trust.read_revocations,
    trust.WELCOME_TYPE: trust.read_welcome,
}

KINDS = {
    "verifying-key": Kind(_verifying_key, ("bytes",)),
    "wrapping-key": Kind(_wrapping_key, ("bytes",)),
    "statement": Kind(_statement, ("key", "statement")),
    "enrolment-code": Kind(_enrolment_code, ("code",)),
    "enrolment": Kind(_enrolment, ("opening-key", "request-digest", "encapsulated", "ciphertext")),
    "receipts": Kind(_receipts, ("key", "vault-key", "device", "job", "hold", "manifest", "receipt")),
    "evidence": Kind(
        _evidence, ("key", "vault-key", "device", "job", "hold", "receipt", "countersignature", "report")
    ),
    "endorsement": Kind(_endorsement, ("endorsement",)),
    "root": Kind(_root, ("now", "root", "told")),
    "service": Kind(_service, ("now", "root", "certificate", "statement", "known-key", "known")),
    "attestation": Kind(_attestation, ("now", "root", "sign", "open", "statement")),
    "blob": Kind(_blob, ("kek", "place", "blob")),
    "release": Kind(_release, ("key", "opening-key", "header", "release")),
    "envelope": Kind(_buffered, ("key", "opening-key", "header", "segment", "release", "manifest")),
    "live": Kind(_live, ("key", "opening-key", "header", "segment", "release", "manifest")),
}

# Fields whose length the reader judges; the others are of one length by the vectors' own form.
RESIZABLE = frozenset((
    "bytes", "statement", "blob", "header", "segment", "release", "manifest",
    "endorsement", "root", "certificate", "known",
    "code", "encapsulated", "ciphertext", "receipt", "countersignature", "report",
))
