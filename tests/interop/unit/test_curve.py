"""The plain arithmetic against RFC 8032's answers, and the package's, and the published points of low order."""

import random
import unittest
from hashlib import sha512

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from layerlock_formats import curve, keys
from layerlock_formats.forge_signature import TORSION
from layerlock_formats.outcome import Refused

# RFC 8032, 7.1: public key, message, signature of tests 1, 2 and 3.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]

# The u of every point of order 1, 2, 4 or 8 on curve25519 and its twist.
LOW_ORDER_U = [
    0,
    1,
    curve.P - 1,
    0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
    0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
]


class Points(unittest.TestCase):
    def test_the_base_times_the_order_is_neutral(self):
        product = curve.combine(curve.ORDER, curve.BASE, 0, curve.BASE)
        self.assertEqual(product.encode(), curve.NEUTRAL.encode())

    def test_doubling_is_adding_to_itself(self):
        for point in [curve.NEUTRAL, curve.BASE, *TORSION]:
            self.assertEqual(point.doubled().encode(), (point + point).encode())

    def test_a_public_key_is_the_base_times_the_secret_as_the_package_has_it(self):
        dice = random.Random(5)
        for seed in (dice.randbytes(32) for _ in range(5)):
            secret = int.from_bytes(sha512(seed).digest()[:32], "little") & ~(1 << 255 | 7) | 1 << 254
            public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
            self.assertEqual(curve.combine(secret, curve.BASE, 0, curve.BASE).encode(), public)
            self.assertEqual(curve.decode(public).encode(), public)

    def test_all_eight_points_of_low_order_are_found_and_refused_as_keys(self):
        encodings = {point.encode() for point in TORSION}
        self.assertEqual(len(encodings), 8)
        for encoded in encodings:
            self.assertTrue(curve.decode(encoded).has_low_order())
            with self.assertRaises(Refused):
                keys.verifying_key(encoded)

    def test_an_encoding_above_p_or_with_the_sign_of_zero_is_no_point(self):
        for number in (curve.P, curve.P + 1, 2**255 - 1, 1 | 1 << 255, curve.P - 1 | 1 << 255):
            self.assertIsNone(curve.decode(number.to_bytes(32, "little")))


class WrappingKeys(unittest.TestCase):
    def test_the_package_gives_zero_for_the_same_numbers_that_are_of_low_order_here(self):
        secret = X25519PrivateKey.from_private_bytes(bytes([1]) * 32)
        dice = random.Random(25519)
        for u in LOW_ORDER_U + [dice.randrange(curve.P) for _ in range(50)]:
            public = X25519PublicKey.from_public_bytes(u.to_bytes(32, "little"))
            try:
                secret.exchange(public)
                zero = False
            except ValueError:
                zero = True
            self.assertEqual(curve.x_only_low_order(u), zero, f"u = {u}")
            self.assertEqual(zero, u in LOW_ORDER_U)


class Signatures(unittest.TestCase):
    def test_the_answers_of_rfc_8032_verify(self):
        for key, message, signature in RFC_8032:
            self.assertTrue(keys.verifies(*map(bytes.fromhex, (key, message, signature))))

    def test_a_changed_byte_anywhere_is_refused_as_the_package_refuses_it(self):
        """`verifies` itself raises if the package judges the equation otherwise."""
        key, message, signature = map(bytes.fromhex, RFC_8032[2])
        for at in range(64):
            changed = signature[:at] + bytes([signature[at] ^ 0x40]) + signature[at + 1 :]
            self.assertFalse(keys.verifies(key, message, changed))

    def test_random_signatures_of_the_package_verify(self):
        dice = random.Random(8032)
        for _ in range(20):
            secret = Ed25519PrivateKey.from_private_bytes(dice.randbytes(32))
            message = dice.randbytes(dice.randrange(200))
            public = secret.public_key().public_bytes_raw()
            self.assertTrue(keys.verifies(public, message, secret.sign(message)))

    def test_a_scalar_plus_the_order_is_refused(self):
        key, message, signature = map(bytes.fromhex, RFC_8032[0])
        scalar = int.from_bytes(signature[32:], "little") + curve.ORDER
        self.assertFalse(keys.verifies(key, message, signature[:32] + scalar.to_bytes(32, "little")))

    def test_a_signature_that_only_fits_eight_times_the_equation_is_refused(self):
        """A nonce point with a part of low order: right with the cofactor, wrong without."""
        key, message, signature = cofactored_only()
        nonce = curve.decode(signature[:32])
        self.assertFalse(nonce.has_low_order())
        self.assertFalse(keys.verifies(key, message, signature))


def cofactored_only() -> tuple[bytes, bytes, bytes]:
    """S = r + h·a over R = r·B + T, where T has order eight."""
    secret, nonce, message = 11, 13, b"message"
    torsion = TORSION[1]
    key = curve.combine(secret, curve.BASE, 0, curve.BASE).encode()
    point = (curve.combine(nonce, curve.BASE, 0, curve.BASE) + torsion).encode()
    challenge = int.from_bytes(sha512(point + key + message).digest(), "little")
    return key, message, point + ((nonce + challenge * secret) % curve.ORDER).to_bytes(32, "little")


if __name__ == "__main__":
    unittest.main()
