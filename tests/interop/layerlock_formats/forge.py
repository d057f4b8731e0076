"""Whole envelopes made here, right or with one lie, each sealed and signed as its maker would: what lies behind tags,
digests and signatures is compared too, and the Rust reader opens what it did not seal.

The formulas of `proto/spec/sealed-toolpath.md` in the other direction. Everything comes from the dice, keys too, so
that a seed gives the same bytes again; nothing but `mutations` may use this.
"""

from __future__ import annotations

import random
from typing import Callable, NamedTuple

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from . import envelope, labels, release, statement
from .keys import SigningKey
from .primitives import TAG, hkdf, hmac_sha256
from .vectors import Vector

def u32(number: int) -> bytes:
    return (number % 2**32).to_bytes(4, "big")


def u64(number: int) -> bytes:
    return (number % 2**64).to_bytes(8, "big")


class Envelope(NamedTuple):
    """What an envelope is made from; a lie is a change to one of these before it is sealed and signed.

    `off` says which field of manifest or release is off, and by how much; `released` and `committed` are the epochs the
    release holds and the manifest commits to.
    """

    kind: str
    signer: SigningKey
    opening_key: bytes
    ephemeral: bytes
    header: bytes
    secrets: list[bytes]
    layers: int
    frames: list[envelope.Frame]
    texts: list[bytes]
    off: dict[str, int]
    grounds: int
    released: list[int]
    committed: list[int]

    def secret(self, epoch: int) -> bytes:
        """Of an epoch there isn't, another one's."""
        return self.secrets[epoch % len(self.secrets)]


def forge(dice: random.Random) -> Vector:
    """An envelope of a few layers, in either mode; two in three hold one lie."""
    made = _right(dice)
    if dice.randrange(3) == 0:
        return _vector(made, "no lie")
    lie = dice.choice(LIES)
    lie(made, dice)
    return _vector(made, lie.__name__.strip("_").replace("_", " "))


def _right(dice: random.Random) -> Envelope:
    limit, epoch_layers, layers = dice.choice((1, 16, 64)), dice.randrange(1, 4), dice.randrange(1, 6)
    frames, texts = _segments(dice, limit, epoch_layers, layers)
    epochs = frames[-1].epoch + 1
    return Envelope(
        kind=dice.choice(("envelope", "live")),
        signer=SigningKey(dice.randbytes(32)),
        opening_key=dice.randbytes(32),
        ephemeral=dice.randbytes(32),
        header=_header(dice, limit, epoch_layers),
        secrets=[dice.randbytes(32) for _ in range(epochs)],
        layers=layers,
        frames=frames,
        texts=texts,
        off={},
        grounds=dice.choice((0, 1, 2**64 - 1)),
        released=list(range(epochs)),
        committed=list(range(epochs)),
    )


def _header(dice: random.Random, limit: int, epoch_layers: int) -> bytes:
    machine = "drucker-µ".encode()[: dice.choice((0, 8, 10))]
    return b"".join(
        (b"\x00\x01", dice.randbytes(96), u32(len(machine)), machine, dice.randbytes(40), u32(limit), u32(epoch_layers))
    )


def _segments(
    dice: random.Random, limit: int, epoch_layers: int, layers: int
) -> tuple[list[envelope.Frame], list[bytes]]:
    """One to three segments a piece, one or two pieces a layer; the last segment ends the toolpath."""
    frames, texts = [], []
    pieces = [layer for layer in range(layers) for _ in range(dice.randrange(1, 3))]
    for layer in pieces:
        count = dice.randrange(1, 4)
        for number in range(count):
            texts.append(dice.randbytes(dice.randrange(1, limit + 1)))
            flags = envelope.PIECE_ENDS if number == count - 1 else envelope.GOES_ON
            frames.append(envelope.Frame(len(frames), layer, layer // epoch_layers, flags, len(texts[-1]) + TAG))
    frames[-1] = frames[-1]._replace(flags=envelope.TOOLPATH_ENDS)
    return frames, texts


def _vector(made: Envelope, how: str) -> Vector:
    header = statement.state(envelope.HEADER_TYPE, made.header, made.signer)
    header_hash = envelope.header_hash(header)
    segments = [_seal(made, header_hash, frame, text) for frame, text in zip(made.frames, made.texts)]
    manifest = statement.state(envelope.MANIFEST_TYPE, _manifest(made, header_hash, segments), made.signer)
    released = statement.state(release.RELEASE_TYPE, _release(made, header_hash), made.signer)
    fields = [("kind", made.kind), ("key", made.signer.public), ("opening-key", made.opening_key), ("header", header)]
    fields += [("segment", segment) for segment in segments] + [("release", released), ("manifest", manifest)]
    shown = ((name, value if isinstance(value, str) else value.hex()) for name, value in fields)
    return Vector(f"forged: {how}", tuple(shown))


def _seal(made: Envelope, header_hash: bytes, frame: envelope.Frame, text: bytes) -> bytes:
    shown = u32(frame.index) + u32(frame.layer) + u32(frame.epoch) + bytes([frame.flags]) + u32(frame.length)
    key = hkdf(made.secret(frame.epoch), header_hash, labels.SEGMENT_KEY)
    return shown + ChaCha20Poly1305(key).encrypt(bytes(8) + u32(frame.index), text, header_hash + shown)


def _commitment(secret: bytes, header_hash: bytes) -> bytes:
    return hkdf(secret, header_hash, labels.EPOCH_COMMITMENT)


def _manifest(made: Envelope, header_hash: bytes, segments: list[bytes]) -> bytes:
    hashes = [blake3(segment).digest() for segment in segments]
    commitments = [_commitment(made.secret(number), header_hash) for number in made.committed]
    off = made.off
    return b"".join(
        (
            header_hash if "header" not in off else bytes(32),
            u32(len(segments) + off.get("segments", 0)),
            u64(sum(map(len, segments)) + off.get("sealed bytes", 0)),
            blake3(b"".join(hashes if "digest" not in off else hashes[::-1])).digest(),
            u32(made.layers + off.get("layers", 0)),
            u32(len(commitments)),
            *commitments,
            u64(off.get("duration", 7)),
            u64(off.get("filament", 8)),
            *(u32(off.get("bounds", 1) * number) for number in range(6)),
        )
    )


def _release(made: Envelope, header_hash: bytes) -> bytes:
    """Of another envelope, if it lies so, it is rightly wrapped for that one."""
    header_hash = bytes(32) if "release" in made.off else header_hash
    public = X25519PrivateKey.from_private_bytes(made.opening_key).public_key().public_bytes_raw()
    payload = header_hash + u64(made.grounds) + u32(len(made.released))
    for number in made.released:
        secret = bytes(32) if number == made.off.get("secret") else made.secret(number)
        info = labels.EPOCH_WRAP + header_hash + u64(made.grounds + made.off.get("grounds", 0)) + u32(number)
        payload += u32(number) + _commitment(secret, header_hash)
        payload += hpke_seal(made.ephemeral, public, info, b"", secret)
    return payload


def hpke_seal(ephemeral: bytes, public: bytes, info: bytes, aad: bytes, text: bytes) -> bytes:
    """RFC 9180, base mode, by hand: the package would draw the ephemeral key itself. Gives enc ‖ ciphertext."""
    secret = X25519PrivateKey.from_private_bytes(ephemeral)
    enc = secret.public_key().public_bytes_raw()
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"
    exchanged = secret.exchange(X25519PublicKey.from_public_bytes(public))
    shared = _expand(kem, _extract(kem, b"", b"eae_prk", exchanged), b"shared_secret", enc + public, 32)
    hashes = _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    schedule = _extract(suite, shared, b"secret", b"")
    key = _expand(suite, schedule, b"key", b"\x00" + hashes, 32)
    nonce = _expand(suite, schedule, b"base_nonce", b"\x00" + hashes, 12)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, text, aad)


def _extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac_sha256(salt, b"HPKE-v1" + suite + label + secret)


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand to at most one block."""
    return hmac_sha256(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\x01")[:length]


def _a_frame_lies(made: Envelope, dice: random.Random) -> None:
    at = dice.randrange(len(made.frames))
    field = dice.choice(envelope.Frame._fields)
    value = getattr(made.frames[at], field) + dice.choice((-2, -1, 1, 2))
    value = value % 4 if field == "flags" else value % 2**32
    made.frames[at] = made.frames[at]._replace(**{field: value})


def _a_text_is_of_another_length(made: Envelope, dice: random.Random) -> None:
    """Sealed under a frame that says so: empty, or at or above the limit."""
    at = dice.randrange(len(made.frames))
    made.texts[at] = dice.randbytes(dice.choice((0, 1, 16, 17, 64, 65)))
    made.frames[at] = made.frames[at]._replace(length=len(made.texts[at]) + TAG)


def _two_segments_are_swapped(made: Envelope, dice: random.Random) -> None:
    one, other = dice.randrange(len(made.frames)), dice.randrange(len(made.frames))
    for parts in (made.frames, made.texts):
        parts[one], parts[other] = parts[other], parts[one]


def _a_segment_is_left_out_and_the_rest_renumbered(made: Envelope, dice: random.Random) -> None:
    if len(made.frames) > 1:
        at = dice.randrange(len(made.frames))
        del made.frames[at], made.texts[at]
        made.frames[:] = [frame._replace(index=index) for index, frame in enumerate(made.frames)]


def _there_is_no_segment(made: Envelope, dice: random.Random) -> None:
    made.frames.clear()


def _the_release_is_of_another_envelope(made: Envelope, dice: random.Random) -> None:
    made.off["release"] = 1


def _the_release_holds_another_secret(made: Envelope, dice: random.Random) -> None:
    made.off["secret"] = dice.choice(made.released)


def _the_grounds_are_others(made: Envelope, dice: random.Random) -> None:
    made.off["grounds"] = dice.choice((1, -1))


def _the_manifest_lies(made: Envelope, dice: random.Random) -> None:
    field = dice.choice(("header", "segments", "sealed bytes", "digest", "layers", "duration", "filament", "bounds"))
    made.off[field] = dice.choice((-1, 1, 2**31, 2**63))


def _the_manifest_commits_otherwise(made: Envelope, dice: random.Random) -> None:
    _rearrange(made.committed, dice)


def _the_release_holds_other_epochs(made: Envelope, dice: random.Random) -> None:
    _rearrange(made.released, dice)


def _an_epoch_is_released_that_no_segment_is_in(made: Envelope, dice: random.Random) -> None:
    """Its secret is another epoch's; it is committed to or not."""
    made.released.append(len(made.secrets))
    if dice.randrange(2):
        made.committed.append(len(made.secrets))


def _rearrange(numbers: list[int], dice: random.Random) -> None:
    at = dice.randrange(len(numbers))
    change: Callable[[], object] = dice.choice(
        (
            lambda: numbers.pop(at),
            lambda: numbers.insert(at, numbers[at]),
            lambda: numbers.append(numbers[-1] + dice.randrange(1, 3)),
            numbers.reverse,
            numbers.clear,
        )
    )
    change()


LIES = (
    _there_is_no_segment,
    _the_release_is_of_another_envelope,
    _the_release_holds_another_secret,
    _the_grounds_are_others,
    _a_frame_lies,
    _a_text_is_of_another_length,
    _two_segments_are_swapped,
    _a_segment_is_left_out_and_the_rest_renumbered,
    _the_manifest_lies,
    _the_manifest_commits_otherwise,
    _the_release_holds_other_epochs,
    _an_epoch_is_released_that_no_segment_is_in,
)
