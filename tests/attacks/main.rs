//! The adversary has a public API: each attack here goes through the doors an attacker has.
