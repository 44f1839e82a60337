"""Is a server asked with patience, and is its key seen by nobody?"""

import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from grace_engine import endpoint
from grace_engine.endpoint import Endpoint, Presence, require_address
from grace_engine.errors import (
    GraceError,
    InputError,
    ResourceError,
    TraceRejected,
    UnreachableError,
)
from tests.served import Reply, Served

SECRET = "sk-verysecret-0123456789"  # noqa: S105 - made up


class Noted:
    """Pacing that waits for nothing and keeps what it was told."""

    def __init__(self) -> None:
        self.turns, self.now = 0, 100.0
        self.rests: list[float] = []

    def turn(self) -> None:
        self.turns += 1

    def rest(self, seconds: float, why: str) -> None:
        self.rests.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


@pytest.fixture
def served() -> Iterator[Served]:
    server = Served(lambda _body: (200, {"ok": True}))
    yield server
    server.close()


def in_turn(*replies: Reply) -> object:
    left = list(replies)
    return lambda _body: left.pop(0) if len(left) > 1 else left[0]


def test_a_server_that_says_how_long_is_left_alone_so_long(served: Served) -> None:
    at = formatdate(time.time() + 100, usegmt=True)
    served.reply = in_turn(
        Reply(status=429, headers={"Retry-After": "7.5"}),
        Reply(status=503, headers={"Retry-After": at}),
        Reply(status=429, headers={"Retry-After": "soon"}),
        Reply(document={"ok": 1}),
    )
    paced = Noted()
    assert Endpoint(url=served.url, pacing=paced).complete({}) == {"ok": 1}
    assert paced.rests[0] == 7.5
    assert 95 < paced.rests[1] <= 100
    assert paced.rests[2] == endpoint._NAPS[0]
    assert paced.turns == 4  # one more turn for each try


def test_a_server_that_asks_for_hours_is_not_waited_for(served: Served) -> None:
    served.reply = lambda _body: Reply(status=429, headers={"Retry-After": "86400"})
    paced = Noted()
    with pytest.raises(ResourceError, match=r"does not answer .status 429"):
        Endpoint(url=served.url, pacing=paced).complete({})
    assert paced.rests == []


@pytest.mark.parametrize(
    "bad",
    [Reply(closes=True), Reply(document=b'{"ok"', cut=90), Reply(status=500)],
    ids=["closed", "cut off", "500"],
)
def test_what_goes_wrong_on_the_way_is_asked_again(served: Served, bad: Reply) -> None:
    served.reply = in_turn(bad, bad, Reply(document={"ok": 1}))
    paced = Noted()
    assert Endpoint(url=served.url, pacing=paced).complete({}) == {"ok": 1}
    assert paced.rests == list(endpoint._NAPS[:2])


def test_a_server_that_hangs_is_given_up_after_the_timeout(served: Served) -> None:
    served.reply = lambda _body: Reply(seconds=30)
    still = Presence(clock=lambda: 0.0)
    with pytest.raises(ResourceError, match="timed out"):
        Endpoint(url=served.url, pacing=Noted(), presence=still, timeout=0.05).complete({})
    assert len(served.asked) == len(endpoint._NAPS) + 1


def test_where_nobody_ever_answered_it_ends_in_well_under_a_minute(served: Served) -> None:
    served.close()
    paced = Noted()
    asked = Endpoint(url=served.url, pacing=paced, presence=Presence(paced.clock))
    with pytest.raises(UnreachableError, match=f"{asked.address} does not answer .*refused"):
        asked.complete({})
    assert sum(paced.rests) == endpoint._FIRST_PATIENCE <= 30
    paced.rests.clear()
    with pytest.raises(UnreachableError):  # nor does anything else that is asked wait once more
        asked.complete({})
    assert paced.rests == []


def test_a_server_that_goes_away_is_waited_for_as_long_as_a_restart_takes(served: Served) -> None:
    paced = Noted()
    asked = Endpoint(url=served.url, pacing=paced, presence=Presence(paced.clock))
    assert asked.complete({}) == {"ok": True}
    port = int(served.url.rpartition(":")[2].partition("/")[0])
    served.close()
    with pytest.raises(UnreachableError):
        asked.complete({})
    assert sum(paced.rests) == endpoint._PATIENCE
    assert paced.rests[:4] == list(endpoint._NAPS)
    back = Served(lambda _body: (200, {"ok": 2}), port)
    try:
        assert asked.complete({}) == {"ok": 2}
    finally:
        back.close()
    paced.rests.clear()
    with pytest.raises(UnreachableError):  # it was there: all of the patience is for it again
        asked.complete({})
    assert sum(paced.rests) == endpoint._PATIENCE


def test_a_busy_server_is_there_however_long_it_takes(served: Served) -> None:
    busy = Reply(status=503, headers={"Retry-After": "300"})
    served.reply = in_turn(*[busy] * 5, Reply(document={"ok": 1}))
    paced = Noted()
    asked = Endpoint(url=served.url, pacing=paced, presence=Presence(paced.clock))
    assert asked.complete({}) == {"ok": 1}
    assert sum(paced.rests) == 1500


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, TraceRejected), (401, InputError), (500, ResourceError), (302, InputError)],
)
def test_an_error_that_repeats_the_key_does_not_show_it(
    served: Served, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[GraceError]
) -> None:
    monkeypatch.setenv("OTHER_KEY", SECRET)
    said = b"x" * 190 + f" wrong key {SECRET}".encode()
    served.reply = lambda _body: Reply(status=status, document=said)
    with pytest.raises(kind) as fault:
        Endpoint(url=served.url, key_env="OTHER_KEY", pacing=Noted()).complete({})
    assert served.keys[0] == f"Bearer {SECRET}"
    assert SECRET[:8] not in str(fault.value)
    assert fault.value.__cause__ is None


def test_an_answer_that_repeats_the_key_does_not_hold_it(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(endpoint.KEY, SECRET)
    served.reply = lambda _body: (200, {"said": f"your key is {SECRET}"})
    found = Endpoint(url=served.url).complete({})
    assert found == {"said": f"your key is ${endpoint.KEY}"}


def test_a_redirect_is_not_followed_with_the_key(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(endpoint.KEY, SECRET)
    elsewhere = served.url.replace("127.0.0.1", "localhost")
    served.reply = lambda _body: Reply(status=302, headers={"Location": f"{elsewhere}/x"})
    with pytest.raises(InputError, match="status 302"):
        Endpoint(url=served.url, pacing=Noted()).complete({})
    assert len(served.asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        f"http://me:{SECRET}@host/v1",
        f"https://{SECRET}@host/v1",
        f"http://host/v1?key={SECRET}",
        f"http://host/v1#{SECRET}",
        f"me:{SECRET}@host",
    ],
)
def test_an_address_that_holds_a_secret_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InputError) as fault:
        require_address(url)
    assert SECRET not in str(fault.value)


def test_what_is_no_address_is_refused() -> None:
    for url in ("localhost:8000", "ftp://host/v1", "http://", "http://[::1"):
        with pytest.raises(InputError, match="no address"):
            require_address(url)
