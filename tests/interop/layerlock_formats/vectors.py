"""The conformance files of `proto/vectors`: the form of one, and all of them. `kinds` says what to do with each."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SUCCESS = "success"


class Vector(NamedTuple):
    """One file: lines of `name: value`, in order; a name may repeat."""

    name: str
    fields: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field == name]

    def one(self, name: str) -> str:
        values = self.all(name)
        if len(values) != 1:
            raise Unreadable(f"{self.name}: needs `{name}` once, has it {len(values)} times")
        return values[0]

    def bytes(self, name: str) -> bytes:
        return bytes.fromhex(self.one(name))

    def all_bytes(self, name: str) -> list[bytes]:
        return [bytes.fromhex(value) for value in self.all(name)]

    def emit(self) -> str:
        return "".join(f"{name}: {value}\n" for name, value in self.fields)


class Unreadable(Exception):
    """A file that is no vector: that is a mistake of the vectors or of this reader, never an outcome."""


def parse(name: str, text: str) -> Vector:
    fields = []
    for number, line in enumerate(text.splitlines(), 1):
        field, colon, value = line.partition(":")
        if not colon:
            raise Unreadable(f"{name}:{number}: `{line[:40]}` is not `name: value`")
        fields.append((field, value.removeprefix(" ")))
    return Vector(name, tuple(fields))


def read_folders(root: Path) -> list[Vector]:
    """All files of all folders; an empty folder is an error."""
    vectors = []
    for folder in sorted(entry for entry in root.iterdir() if entry.is_dir()):
        files = sorted(folder.glob("*.txt"))
        if not files:
            raise Unreadable(f"{folder.name}: no vector in this folder")
        vectors += [parse(f"{folder.name}/{file.name}", file.read_text("utf-8")) for file in files]
    if not vectors:
        raise Unreadable(f"no vectors at all: is {root} the folder `proto/vectors`?")
    return vectors
