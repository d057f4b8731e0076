"""Tests of the second reader itself: its arithmetic against published answers, its runner against bad vectors."""
