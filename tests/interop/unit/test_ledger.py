"""The worked example of `proto/spec/ledger.md`, read from the page itself."""

import unittest

from layerlock_formats import ledger, merkle
from layerlock_formats.outcome import Refused
from layerlock_formats.primitives import sha256

from . import pages


def example() -> tuple[dict[str, str], str, ledger.Verifier]:
    """The figures, the checkpoint and its verifier: the page's first three blocks of text."""
    figures, note, verifier = pages.blocks("ledger")[:3]
    return dict(pages.figures(figures)), note, ledger.parse_verifier(verifier.strip())


class Ledger(unittest.TestCase):
    def test_the_leaf_and_the_root_are_the_pages(self):
        figures, _, _ = example()
        self.assertEqual(ledger.leaf_data(bytes([5]) * 32, b"entry").hex(), figures["leaf data"])
        self.assertEqual(merkle.root([ledger.leaf(bytes([5]) * 32, b"entry")]).hex(), figures["root"])

    def test_the_checkpoint_opens_to_that_root(self):
        figures, note, verifier = example()
        checkpoint = ledger.open_checkpoint(note, verifier)
        self.assertEqual(checkpoint, ("layerlock.example/ledger", 1, bytes.fromhex(figures["root"])))

    def test_a_checkpoint_changed_after_signing_is_refused(self):
        _, note, verifier = example()
        for changed in (note.replace("\n1\n", "\n2\n", 1), note.replace("ledger\n1", "ledgen\n1", 1)):
            with self.assertRaises(Refused):
                ledger.open_checkpoint(changed, verifier)

    def test_a_line_of_another_name_is_carried_and_not_judged(self):
        _, note, verifier = example()
        carried = note.rstrip("\n") + "\n— witness.example AAAAAAAA\n"
        self.assertEqual(ledger.open_checkpoint(carried, verifier), ledger.open_checkpoint(note, verifier))

    def test_a_note_without_the_logs_line_is_refused(self):
        _, note, verifier = example()
        with self.assertRaises(Refused):
            ledger.open_checkpoint(note.replace("— layerlock.example", "— other.example"), verifier)


class Trees(unittest.TestCase):
    def test_roots_are_those_of_the_tree_drawn_by_hand(self):
        leaf = [merkle.leaf_hash(bytes([number])) for number in range(5)]

        def node(left: bytes, right: bytes) -> bytes:
            return sha256(b"\x01" + left + right)

        four = node(node(leaf[0], leaf[1]), node(leaf[2], leaf[3]))
        self.assertEqual(merkle.root([]), sha256(b""))
        self.assertEqual(merkle.root(leaf[:3]), node(node(leaf[0], leaf[1]), leaf[2]))
        self.assertEqual(merkle.root(leaf), node(four, leaf[4]))


if __name__ == "__main__":
    unittest.main()
