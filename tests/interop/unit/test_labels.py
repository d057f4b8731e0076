"""The labels this reader uses are the glossary's."""

import unittest

from layerlock_formats import kinds, labels

from . import pages


class Labels(unittest.TestCase):
    def test_every_label_and_every_noun_stands_in_the_glossary(self):
        tabled = pages.label_table()
        used = {value.decode() for name, value in vars(labels).items() if name.isupper()}
        self.assertGreater(len(used), 7)
        self.assertLessEqual(used | set(kinds.NOUNS), tabled)


if __name__ == "__main__":
    unittest.main()
