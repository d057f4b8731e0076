"""Bytes read from front to back, as every page's byte form is: big-endian integers, `u32` before a variable part.

A cursor refuses at the first byte that is wrong and names the reason; lengths are held against their limit before
they are read, so an announced length never costs memory.
"""

from .outcome import Refused


class Cursor:
    """The unread rest of some bytes."""

    def __init__(self, data: bytes):
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise Refused("refused-truncated")
        self._at += count
        return taken

    def _integer(self, width: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(width), "big", signed=signed)

    def u8(self) -> int:
        return self._integer(1)

    def u16(self) -> int:
        return self._integer(2)

    def u32(self) -> int:
        return self._integer(4)

    def u64(self) -> int:
        return self._integer(8)

    def i32(self) -> int:
        return self._integer(4, signed=True)

    def count(self, limit: int) -> int:
        """How many items follow, at most `limit`."""
        count = self.u32()
        if count > limit:
            raise Refused("refused-too-long")
        return count

    def part(self, limit: int) -> bytes:
        """A part of variable length, of at most `limit` bytes."""
        return self.take(self.count(limit))

    def text(self, limit: int) -> str:
        """A part that is UTF-8."""
        try:
            return self.part(limit).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("refused-value") from None

    def end(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise Refused("refused-trailing")
