"""The worked example of `proto/spec/ledger.md`, read from the page itself."""

import base64
import unittest

from layerlock_formats import ledger, merkle
from layerlock_formats.keys import SigningKey
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


class Notes(unittest.TestCase):
    """Notes by a key of ours: rightly signed, and no checkpoint of this log."""

    KEY = SigningKey(bytes([6]) * 32)
    VERIFIER = ledger.Verifier("log.example", KEY.public)
    ROOT = base64.b64encode(bytes(32)).decode()

    def note(self, *lines: str) -> str:
        text = "".join(line + "\n" for line in lines)
        signature = base64.b64encode(self.VERIFIER.key_id() + self.KEY.sign(text.encode())).decode()
        return f"{text}\n— {self.VERIFIER.name} {signature}\n"

    def refusal(self, note: str) -> str:
        with self.assertRaises(Refused) as refused:
            ledger.open_checkpoint(note, self.VERIFIER)
        return refused.exception.outcome

    def test_three_lines_of_its_own_origin_are_a_checkpoint(self):
        note = self.note("log.example", "0", self.ROOT)
        self.assertEqual(ledger.open_checkpoint(note, self.VERIFIER), ("log.example", 0, bytes(32)))

    def test_extension_lines_other_origins_and_odd_sizes_are_refused(self):
        for lines in (
            ("log.example", "1", self.ROOT, "extension"),
            ("log.example", "1"),
            ("other.example", "1", self.ROOT),
            ("log.example", "01", self.ROOT),
            ("log.example", "-1", self.ROOT),
            ("log.example", "1", "no base64!"),
        ):
            self.assertEqual(self.refusal(self.note(*lines)), "refused-value", lines)

    def test_a_text_without_signatures_is_refused(self):
        self.assertEqual(self.refusal(f"log.example\n1\n{self.ROOT}\n"), "refused-truncated")

    def test_a_verifier_of_another_type_or_id_is_refused(self):
        shown_id, key = self.VERIFIER.key_id().hex(), self.VERIFIER.key
        right = f"log.example+{shown_id}+{base64.b64encode(ledger.ED25519 + key).decode()}"
        self.assertEqual(ledger.parse_verifier(right), self.VERIFIER)
        other_type = f"log.example+{shown_id}+{base64.b64encode(bytes([4]) + key).decode()}"
        for wrong in (other_type, right.replace(shown_id, "00000000"), right.replace("log.", "lag."), "log.example"):
            with self.assertRaises(Refused):
                ledger.parse_verifier(wrong)


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
