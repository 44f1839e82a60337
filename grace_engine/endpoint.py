"""How is a server of the OpenAI protocol asked, whatever it does, and how is its key kept?

``POST URL/chat/completions``, as vLLM, SGLang, llama.cpp and hosted services serve it. The key is
read from the environment at every request and nowhere else: what a server says is searched for it
before anyone sees it, and a redirect, which would carry it to another address, is not followed.
"""

import email.utils
import http.client
import itertools
import json
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    BaseHandler,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
)

from grace_engine.errors import InputError, ResourceError, TraceRejected, UnreachableError

KEY = "OPENAI_API_KEY"
"""The variable of the environment that holds the key where no other is named."""

# Of what is asked alone: too long for the server, or not to its taste.
_OF_WHAT_IS_ASKED = (400, 413, 422)
_BUSY = (408, 429, 500, 502, 503, 504)
# Seconds between tries of a server that is busy or starting and does not say how long.
_NAPS = (1.0, 4.0, 15.0, 30.0)
# A server that says how long is taken at its word so many times, and no longer than this.
_TOLD_NAPS, _LONGEST_NAP = 30, 900.0
# Seconds without a connection after which nobody is there: where none ever came about, and where
# one did.
_FIRST_PATIENCE, _PATIENCE = 20.0, 120.0
_EXCERPT = 200
_MOST_BYTES = 32 << 20


class Pacing(Protocol):
    """When a server may be asked; many threads share one."""

    def turn(self) -> None:
        """Wait until one more request may go out."""

    def rest(self, seconds: float, why: str) -> None:
        """Wait that long, because the server was busy."""


class _AtOnce:
    """Requests go out as they come."""

    def turn(self) -> None:
        """Do not wait."""

    def rest(self, seconds: float, _why: str) -> None:
        """Wait."""
        time.sleep(seconds)


class Presence:
    """Since when nobody answers; many threads that ask one server share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._missed_at: float | None = None
        self._was_heard = False

    def heard(self) -> None:
        """The server said something, be it that it is busy."""
        with self._lock:
            self._was_heard, self._missed_at = True, None

    def patience(self, silence: OSError, timeout: float) -> float:
        """Seconds for which it may still be asked, after one more request without an answer.

        Without a connection that is as long as a restart may take, and less where there never was
        one: the address may be wrong. A server that takes requests and leaves them without an
        answer may be slow, and has as long as all tries of one request.
        """
        with self._lock:
            now = self._clock()
            self._missed_at = now if self._missed_at is None else self._missed_at
            if not isinstance(silence, URLError):
                most = timeout * (len(_NAPS) + 1)
            else:
                most = _PATIENCE if self._was_heard else _FIRST_PATIENCE
            return most - (now - self._missed_at)


class Traffic:
    """How many requests went out and what came of them; threads that ask one server share it.

    Attributes:
        n_sent: Requests that went out, every try counted.
        n_answered: Those of them that brought an answer.
        n_failed: Those that brought a fault, or nothing; the rest is under way.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = weakref.WeakSet[socket.socket]()
        self._is_over = False
        self._opener = build_opener(_NoRedirect, *_telling_handlers(self._opened))
        self.n_sent = self.n_answered = self.n_failed = 0

    def text(self, request: Request, timeout: float) -> str:
        """What the server answers within ``timeout`` seconds.

        Raises:
            HTTPError: It refuses, or redirects.
            OSError, http.client.HTTPException: No answer came.
        """
        with self._lock:
            self.n_sent += 1
        until = time.monotonic() + timeout
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                found = _whole(answer, until)
        except BaseException:
            with self._lock:
                self.n_failed += 1
            raise
        with self._lock:
            self.n_answered += 1
        return found

    def end(self) -> None:
        """Cut off what is under way, so that no thread waits for it any longer."""
        with self._lock:
            self._is_over = True
            lines = list(self._open)
        for line in lines:
            with suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)

    def _opened(self, line: socket.socket) -> None:
        with self._lock:
            self._open.add(line)
            is_over = self._is_over
        if is_over:
            raise ConnectionAbortedError("it was ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server that speaks the OpenAI protocol.

    Attributes:
        url: Its address, up to ``/v1``.
        key_env: The variable of the environment that holds its key; none is sent where it is not
            set.
        timeout: Seconds that one answer may take.
        pacing: When it may be asked.
        presence: Since when nobody answers there.
        traffic: What was sent there, and came of it.
    """

    url: str
    key_env: str = KEY
    timeout: float = 600.0
    pacing: Pacing = field(default_factory=_AtOnce)
    presence: Presence = field(default_factory=Presence, compare=False)
    traffic: Traffic = field(default_factory=Traffic, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no address, or holds a secret."""
        require_address(self.url)

    @property
    def address(self) -> str:
        """Where chats are completed."""
        return f"{self.url.rstrip('/')}/chat/completions"

    def complete(self, body: dict[str, Any]) -> Any:
        """What the server answers, as JSON; it is asked again while it is busy.

        Raises:
            TraceRejected: It refuses what is asked, as too long or otherwise not to its taste.
            InputError: It refuses whoever asks: no such model, no right.
            UnreachableError: Nobody has answered there for too long, whatever was asked.
            ResourceError: It fails at this, or answers something else.
        """
        said = ""
        naps, n_told = list(_NAPS), 0
        absent = itertools.chain(_NAPS, itertools.repeat(_NAPS[-1]))
        while True:
            self.pacing.turn()
            told = None
            try:
                answer = self._post(body)
                self.presence.heard()
                return json.loads(answer)
            except HTTPError as fault:
                self.presence.heard()
                said = f"status {fault.code}, {self._excerpt(fault)}"
                if fault.code in _OF_WHAT_IS_ASKED:
                    raise TraceRejected("endpoint-refused", said) from None
                if fault.code not in _BUSY:
                    raise InputError(
                        f"The endpoint {self.address} refuses what it is asked ({said}). Look at "
                        f"--endpoint and the model's name, and at ${self.key_env} where it wants "
                        "a key."
                    ) from None
                told = _asked_to_wait(fault)
            except json.JSONDecodeError:
                raise ResourceError(
                    f"The endpoint {self.address} answers what is not JSON."
                ) from None
            except (URLError, http.client.HTTPException, OSError) as fault:
                said = str(getattr(fault, "reason", fault)) or type(fault).__name__
                if isinstance(fault, URLError | TimeoutError):
                    patience = self.presence.patience(fault, self.timeout)
                    if patience <= 0:
                        raise UnreachableError(self._silent(said)) from None
                    if isinstance(fault, URLError):
                        # Whatever is asked, nobody is there: it is no matter of this request.
                        self.pacing.rest(min(next(absent), patience), said)
                        continue
            if told is not None and told <= _LONGEST_NAP and n_told < _TOLD_NAPS:
                n_told += 1
                self.pacing.rest(told, said)
            elif naps and (told is None or told <= _LONGEST_NAP):
                self.pacing.rest(naps.pop(0), said)
            else:
                raise ResourceError(self._silent(said))

    def without_key(self, text: str) -> str:
        """A text of the server in which the key, should it stand there, is not to be read."""
        key = os.environ.get(self.key_env, "").strip()
        return text.replace(key, f"${self.key_env}") if key else text

    def _silent(self, said: str) -> str:
        return (
            f"The endpoint {self.address} does not answer ({said}). Start it, or name another "
            "with --endpoint; what was finished is kept, and the same command goes on."
        )

    def _post(self, body: dict[str, Any]) -> str:
        headers = {"Content-Type": "application/json"}
        key = os.environ.get(self.key_env, "").strip()
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = Request(self.address, json.dumps(body).encode(), headers)  # noqa: S310 - as checked
        return self.without_key(self.traffic.text(request, self.timeout))

    def _excerpt(self, fault: HTTPError) -> str:
        try:
            raw = fault.read(_MOST_BYTES)
        except (OSError, http.client.HTTPException):
            raw = b""
        # Whole words before the cut, so that no part of the key stays behind it.
        return " ".join(self.without_key(raw.decode("utf-8", errors="replace")).split())[:_EXCERPT]


def require_address(url: str) -> None:
    """Raise ``InputError`` unless ``url`` is an address of HTTP that holds no secret."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        # What was typed may be a key in the wrong place: it is not repeated.
        raise InputError(
            "What --endpoint names is no address: use one such as http://localhost:8000/v1."
            if "@" in url or "?" in url or not url.isprintable()
            else f"Endpoint {url!r} is no address: use one such as http://localhost:8000/v1."
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise InputError(
            f"The address of the endpoint at {parts.hostname} holds a name, a password or a query, "
            f"and addresses are stored: give the address up to /v1 alone, and the key in ${KEY}."
        )


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""
        return


def _telling_handlers(tell: Callable[[socket.socket], None]) -> tuple[BaseHandler, BaseHandler]:
    """Handlers of http and https that tell of each connection that comes about."""

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            tell(self.sock)

    class Safe(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            tell(self.sock)

    class Http(HTTPHandler):
        def http_open(self, req: Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class Https(HTTPSHandler):
        def https_open(self, req: Request) -> http.client.HTTPResponse:
            return self.do_open(Safe, req)

    return Http(), Https()


def _whole(answer: IO[bytes], until: float) -> str:
    """All that a server sends, by a moment of the monotonic clock."""
    parts: list[bytes] = []
    n_bytes = 0
    while part := answer.read1(1 << 16):  # type: ignore[attr-defined]
        parts.append(part)
        n_bytes += len(part)
        if n_bytes > _MOST_BYTES:
            raise OSError(f"its answer is longer than {_MOST_BYTES >> 20} MiB")
        if time.monotonic() > until:
            raise TimeoutError("timed out")
    if getattr(answer, "length", 0):
        raise http.client.IncompleteRead(b"".join(parts))
    return b"".join(parts).decode("utf-8", errors="replace")


def _asked_to_wait(fault: HTTPError) -> float | None:
    """Seconds of ``Retry-After``, also where it names a moment; None without one."""
    value = (fault.headers.get("Retry-After") or "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
