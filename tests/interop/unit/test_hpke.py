"""The package's HPKE against RFC 9180's own answers for our suite: appendix A.2.1, base mode, sequence number 0."""

import unittest

from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from layerlock_formats import forge, primitives
from layerlock_formats.outcome import Refused

OPENING_KEY = bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
WRAPPING_KEY = bytes.fromhex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
EPHEMERAL = bytes.fromhex("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600")
INFO = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
ENC = bytes.fromhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a")
AAD = b"Count-0"
SEALED = bytes.fromhex(
    "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
)
TEXT = b"Beauty is truth, truth beauty"


class Hpke(unittest.TestCase):
    def test_the_answer_of_rfc_9180_opens(self):
        """The RFC's message has associated data, ours has none: only here the package is asked by its inner door."""
        key = X25519PrivateKey.from_private_bytes(OPENING_KEY)
        self.assertEqual(openssl.hpke._decrypt_with_aad(primitives.HPKE, ENC + SEALED, key, INFO, AAD), TEXT)

    def test_what_is_sealed_by_hand_for_mutations_is_the_rfcs_too(self):
        self.assertEqual(forge.hpke_seal(EPHEMERAL, WRAPPING_KEY, INFO, AAD, TEXT), ENC + SEALED)

    def test_what_does_not_open_is_one_opaque_refusal(self):
        for changed in (ENC + SEALED, bytes(32) + SEALED, b"\x01" + bytes(31) + SEALED, ENC, b""):
            with self.assertRaises(Refused) as refused:
                primitives.hpke_open(OPENING_KEY, INFO, changed)
            self.assertEqual(refused.exception.outcome, "cannot-open")

    def test_text_shorter_than_a_tag_does_not_open(self):
        with self.assertRaises(Refused):
            primitives.aead_open(bytes(32), bytes(12), b"", bytes(15))


if __name__ == "__main__":
    unittest.main()
