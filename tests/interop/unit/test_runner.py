"""The runner is no rubber stamp: it notices a changed byte, a changed line, an empty folder and an unknown kind."""

import contextlib
import io
import random
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import read_vectors
from layerlock_formats import forge, kinds, mutations, vectors

from . import pages


class Runner(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.vectors = Path(folder.name) / "vectors"
        for kind in ("statement", "keys"):
            shutil.copytree(read_vectors.VECTORS / kind, self.vectors / kind)
        self.right = self.vectors / "statement" / "right.txt"

    def run_reader(self, *options: str) -> tuple[int, str]:
        """How `read_vectors.py` ends on the copy, and what it prints."""
        printed = io.StringIO()
        arguments = ["read_vectors.py", "--vectors", str(self.vectors), *options]
        with mock.patch.object(sys, "argv", arguments), contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(printed))
            stack.enter_context(contextlib.redirect_stderr(printed))
            code = read_vectors.main()
        return code, printed.getvalue()

    def rewrite(self, old: str, new: str):
        text = self.right.read_text("utf-8")
        self.assertIn(old, text)
        self.right.write_text(text.replace(old, new), "utf-8")

    def test_the_copy_as_it_is_ends_with_0(self):
        self.assertEqual(self.run_reader()[0], 0)

    def test_one_changed_byte_of_a_right_vector_ends_with_1_and_says_refused(self):
        self.rewrite("statement: 0100", "statement: 0200")
        code, printed = self.run_reader()
        self.assertEqual(code, 1)
        self.assertIn("statement/right.txt: says `success`, ended `refused-value`", printed)

    def test_one_changed_byte_of_a_signature_ends_with_1_and_says_refused(self):
        last = self.right.read_text("utf-8").rstrip()[-2:]
        self.rewrite(last + "\n", f"{int(last, 16) ^ 1:02x}\n")
        self.assertIn("ended `refused-signature`", self.run_reader()[1])

    def test_another_expect_line_ends_with_1(self):
        self.rewrite("expect: success", "expect: refused-value")
        self.assertEqual(self.run_reader()[0], 1)

    def test_a_refused_vector_that_should_succeed_ends_with_1(self):
        self.right = self.vectors / "statement" / "short.txt"
        self.rewrite("expect: refused-truncated", "expect: success")
        self.assertEqual(self.run_reader()[0], 1)

    def test_an_empty_folder_ends_with_2(self):
        (self.vectors / "trust").mkdir()
        self.assertEqual(self.run_reader(), (2, "trust: no vector in this folder\n"))

    def test_no_folder_ends_with_2(self):
        shutil.rmtree(self.vectors)
        self.vectors.mkdir()
        self.assertEqual(self.run_reader()[0], 2)

    def test_an_unknown_kind_ends_with_2(self):
        self.rewrite("kind: statement", "kind: statements")
        self.assertEqual(self.run_reader()[0], 2)

    def test_mutations_repeat_with_their_seed_and_differ_with_another(self):
        first, again, other = (self.run_reader("--mutate", "20", "--seed", seed)[1] for seed in "112")
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)


class Forged(unittest.TestCase):
    def test_an_envelope_forged_without_a_lie_opens_and_lies_are_of_every_sort(self):
        dice = random.Random(3)
        forged = [forge.forge(dice) for _ in range(150)]
        right = [vector for vector in forged if vector.name == "forged: no lie"]
        self.assertGreater(len(right), 5)
        self.assertEqual({kinds.read(vector).outcome for vector in right}, {vectors.SUCCESS})
        self.assertEqual(len({vector.name for vector in forged}), 1 + len(forge.LIES))


class Outcomes(unittest.TestCase):
    def test_every_outcome_of_a_mutation_is_on_the_readmes_list(self):
        words, reasons = pages.outcomes()
        self.assertGreater(min(len(words), len(reasons)), 10)
        for vector in mutations.mutate(vectors.read_folders(read_vectors.VECTORS), 500, seed=1):
            outcome = vector.one("expect").split(" ")
            if outcome[0] == "refused-at":
                self.assertTrue(outcome[1].isdigit())
                self.assertIn(outcome[2], reasons)
            else:
                self.assertIn(vector.one("expect"), words)


if __name__ == "__main__":
    unittest.main()
