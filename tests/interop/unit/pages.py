"""The pages of `proto/spec`, as far as tests read them: blocks of text, and the `name  value` lines in one."""

from pathlib import Path
from typing import Iterator

SPEC = Path(__file__).resolve().parents[3] / "proto" / "spec"
VECTORS = SPEC.parent / "vectors"


def blocks(page: str) -> list[str]:
    """What stands between the fences of a page, in order."""
    return [block.removeprefix("text\n") for block in (SPEC / f"{page}.md").read_text("utf-8").split("```")[1::2]]


def figures(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        name, _, value = line.partition("  ")
        yield name, value.strip()


def label_table() -> set[str]:
    """Every label the glossary tables as a use of a key or hash, or as a type of a signed noun."""
    lines = (SPEC / "glossary.md").read_text("utf-8").splitlines()
    return {line.split("`")[1] for line in lines if line.startswith("| `layerlock/")}


def outcomes() -> tuple[set[str], set[str]]:
    """The list of `proto/vectors/README.md`: the words an `expect` line may be, and the reasons of `refused-at`."""
    text = (VECTORS / "README.md").read_text("utf-8").split("`expect` is one of", 1)[1].split("\n\n", 1)[0]
    words, reasons = text.split("`refused-at`", 1)
    return set(words.split("`")[1::2]), set(reasons.split("`")[1::2])
