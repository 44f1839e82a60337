"""How does long work tell whoever waits for it how far it is?"""

from typing import Protocol


class Progress(Protocol):
    """Told by long work how far it is; the shell draws bars, a page draws its own."""

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        """A phase begins: what it does, its number of units (0 when not known), and their name.

        ``done`` of them were done before, by an attempt that ended: they count, but in no rate.
        """

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        """That many more units are done, and tokens processed with them."""

    def fail(self, reason: str, amount: int = 1) -> None:
        """That many units failed alone, for the reason of this code; they count as done, too."""

    def say(self, message: str) -> None:
        """Something that the user should know, such as a batch that was halved."""


class Silent:
    """Progress that nobody watches."""

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        """Do nothing."""

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        """Do nothing."""

    def fail(self, reason: str, amount: int = 1) -> None:
        """Do nothing."""

    def say(self, message: str) -> None:
        """Do nothing."""
