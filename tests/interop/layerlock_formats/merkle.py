"""RFC 6962 Merkle trees over leaf hashes, section 2.1: the left tree is the largest power of two below the whole."""

from .primitives import sha256


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00" + data)


def root(leaves: list[bytes]) -> bytes:
    """The root over leaf hashes; SHA-256 of nothing over none."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + root(leaves[:left]) + root(leaves[left:]))
