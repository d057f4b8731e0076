#!/usr/bin/env python3
"""Runs the second reader over every conformance file, or makes mutations for both readers to end alike on.

    read_vectors.py                          every file of proto/vectors must end as its `expect` line says
    read_vectors.py --mutate 2000 --seed 7   2000 mutated files on stdout, each with this reader's outcome as `expect`

Ends with 0 when every file ended as it says, with 1 at any difference, with 2 when there was nothing to compare or
a file could not be read as a vector.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from layerlock_formats import kinds, mutations, vectors

VECTORS = Path(__file__).resolve().parents[2] / "proto" / "vectors"


def main() -> int:
    options = _options()
    try:
        files = vectors.read_folders(options.vectors)
        if options.mutate is not None:
            return _print_mutations(files, options.mutate, options.seed)
        return _compare(files)
    except vectors.Unreadable as unreadable:
        print(unreadable, file=sys.stderr)
        return 2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, default=VECTORS, help="the folder of vectors")
    parser.add_argument("--mutate", type=int, metavar="N", help="print N mutated vectors instead")
    parser.add_argument("--seed", type=int, default=0, help="the mutations' seed (0)")
    return parser.parse_args()


def _compare(files: list[vectors.Vector]) -> int:
    """Prints a table of kinds and outcomes; 1 if any file ended otherwise than it says."""
    ended, differences = Counter(), 0
    for vector in files:
        outcome, expected = kinds.outcome(vector), vector.one("expect")
        ended[vector.one("kind"), outcome.split(" ")[0]] += 1
        if outcome != expected:
            differences += 1
            print(f"{vector.name}: says `{expected}`, ended `{outcome}`", file=sys.stderr)
    for (kind, outcome), count in sorted(ended.items()):
        print(f"{kind:16} {outcome:20} {count:4}")
    print(f"{len(files)} vectors, {differences} ended otherwise than they say")
    return 1 if differences else 0


def _print_mutations(files: list[vectors.Vector], count: int, seed: int) -> int:
    """Vector files with an empty line after each."""
    for vector in mutations.mutate(files, count, seed):
        print(vector.emit())
    return 0


if __name__ == "__main__":
    sys.exit(main())
