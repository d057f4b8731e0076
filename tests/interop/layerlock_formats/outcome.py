"""How reading ends when it does not succeed: one exception that carries the vectors' word for it.

The words are the closed list of `proto/vectors/README.md`. A reader raises the first that applies and stops.
"""


class Refused(Exception):
    """What was read is refused; `outcome` is the word for it, as an `expect` line has it."""

    def __init__(self, outcome: str):
        super().__init__(outcome)
        self.outcome = outcome


def cannot_open() -> Refused:
    """The one opaque refusal of everything sealed: it never says which check failed."""
    return Refused("cannot-open")
