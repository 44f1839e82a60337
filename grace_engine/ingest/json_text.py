"""Where does each value of a JSON text begin and end, with no more held than the one at hand?

The text is not parsed here, only cut: what a value says, and whether it is JSON, is for a parser.
So a value that is broken or too large is one verdict, and the text behind it is read on.
"""

import re
from collections.abc import Callable, Iterator

_BLOCK = 1 << 16
_SPACES = re.compile(rb"[ \t\r\n]*")
_STRUCTURE = re.compile(rb'["{}\[\]]')
_SCALAR_END = re.compile(rb"[\s,:\]}]")


class CutOffError(Exception):
    """The text ends inside of a value or list."""


class MisplacedError(Exception):
    """A sign stands where no value begins or ends; the message says which, and where."""


class JsonText:
    """A JSON text that is read once, from its beginning.

    Args:
        read: Gives up to as many bytes as it is asked for; none at the end.
        most: Bytes of a value that are held.
    """

    def __init__(self, read: Callable[[int], bytes], most: int) -> None:
        self._read, self._most = read, most
        self._buffer, self._at, self._before = b"", 0, 0

    def peek(self) -> bytes:
        """The next byte that is not white space; empty at the end."""
        while True:
            self._at = _SPACES.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._buffer) or not self._fill():
                return self._buffer[self._at : self._at + 1]

    def take(self, *wanted: bytes) -> bytes:
        """Pass one byte, which is one of ``wanted``.

        Raises:
            CutOffError: The text has ended.
            MisplacedError: Another byte stands there.
        """
        found = self.peek()
        if found not in wanted:
            self._misplaced(b" or ".join(wanted).decode())
        self._at += 1
        return found

    def elements(self) -> Iterator[tuple[bytes, bool]]:
        """The values of a list whose ``[`` was taken, as ``value`` gives them."""
        if self.peek() == b"]":
            self.take(b"]")
            return
        while True:
            yield self.value()
            if self.take(b",", b"]") == b"]":
                return

    def names(self) -> Iterator[bytes]:
        """The names of an object whose ``{`` was taken; the caller takes each name's value."""
        if self.peek() == b"}":
            self.take(b"}")
            return
        while True:
            if self.peek() != b'"':
                self._misplaced('"')
            name, _ = self.value()
            self.take(b":")
            yield name
            if self.take(b",", b"}") == b"}":
                return

    def value(self) -> tuple[bytes, bool]:
        """The bytes of the next value, and whether these are all.

        Of a value of more bytes than ``most`` only its beginning is given.

        Raises:
            CutOffError: The text ends inside of it.
            MisplacedError: No value begins here.
        """
        pieces: list[bytes] = []
        size, depth, inside, begun = 0, 0, False, self.peek()
        if not begun or begun in b",:]}":
            self._misplaced("a value")
        is_scalar = begun not in b'"{['
        while True:
            start = self._at
            if is_scalar:
                found = _SCALAR_END.search(self._buffer, start)
                self._at, is_done = (found.start(), True) if found else (len(self._buffer), False)
            else:
                depth, inside, is_done = self._go_on(depth, inside)
            if size <= self._most:
                pieces.append(self._buffer[start : self._at])
            size += self._at - start
            if not is_done and not self._fill():
                if not is_scalar:
                    raise CutOffError
                is_done = True
            if is_done:
                return b"".join(pieces), size <= self._most

    def _go_on(self, depth: int, inside: bool) -> tuple[int, bool, bool]:
        """Go to the end of a value or of what is read; depth, inside of a string, at the end."""
        buffer, at = self._buffer, self._at
        while True:
            if inside:
                at, inside = _end_of_string(buffer, at)
                if inside:
                    break
                if depth == 0:
                    self._at = at
                    return 0, False, True
            found = _STRUCTURE.search(buffer, at)
            if found is None:
                at = len(buffer)
                break
            at = found.end()
            sign = found.group()
            if sign == b'"':
                inside = True
            elif sign in b"{[":
                depth += 1
            else:
                depth -= 1
                if depth == 0:
                    self._at = at
                    return 0, False, True
        self._at = at
        return depth, inside, False

    def _fill(self) -> bool:
        """Read on; whether there was more. What was not passed is kept."""
        more = self._read(_BLOCK)
        self._before += self._at
        self._buffer, self._at = self._buffer[self._at :] + more, 0
        return bool(more)

    def _misplaced(self, wanted: str) -> None:
        found = self.peek()
        if not found:
            raise CutOffError
        raise MisplacedError(
            f"{wanted} should stand at byte {self._before + self._at + 1:,}, not {found!r}"
        )


def _end_of_string(buffer: bytes, at: int) -> tuple[int, bool]:
    """Where the string that ``at`` is inside of ends in the buffer, and whether it goes on.

    A quote after an odd number of backslashes does not end it. The last of an odd number of
    backslashes at the end of the buffer is not passed: it belongs to the byte that follows.
    """
    while True:
        quote = buffer.find(b'"', at)
        text = buffer[at : quote if quote >= 0 else len(buffer)]
        is_odd = (len(text) - len(text.rstrip(b"\\"))) % 2 == 1
        if quote < 0:
            return len(buffer) - is_odd, True
        at = quote + 1
        if not is_odd:
            return at, False
