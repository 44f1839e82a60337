"""Do requests keep to their rate, rest when the server is busy, and stay below their limit?"""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from grace_engine import api
from grace_engine.judging import pacing
from grace_engine.judging.pacing import Budget, Pace, StoppedError
from grace_engine.progress import Silent
from tests.judging.conftest import N_STEPS
from tests.served import Served

Asking = Callable[..., api.JudgeSettings]


class Clock:
    """A clock that runs while someone waits, in the place of the event that ends waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.meanwhile: Callable[[], None] | None = None

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        if self.meanwhile:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        return False


class Telling(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(pacing, "time", found)
    return found


def paced(clock: Clock, per_minute: float, progress: Silent | None = None) -> Pace:
    pace = Pace(per_minute, progress or Silent())
    pace.over = clock  # type: ignore[assignment]
    return pace


def test_requests_keep_their_distance(clock: Clock) -> None:
    pace, at = paced(clock, 30), []
    for _ in range(4):
        pace.turn()
        at.append(clock.now)
    assert at == [100.0, 102.0, 104.0, 106.0]
    clock.now = 200.0  # time that nobody used is not made up for
    pace.turn()
    pace.turn()
    assert clock.now == 202.0


def test_while_one_rests_all_rest_also_who_waited_already(clock: Clock) -> None:
    telling = Telling()
    pace = paced(clock, 0, telling)
    pace.rest(7, "status 429")
    assert [said[:50] for said in telling.said] == [
        "The server is busy or away (status 429): it is ask"
    ]
    clock.now = 101.0
    pace.turn()
    assert clock.now == 107.0
    slow = paced(clock, 60)
    slow.turn()
    clock.meanwhile = lambda: setattr(slow, "_rested", clock.now + 5)
    slow.turn()  # waits its second, in which the server asks for five more
    assert clock.now == 107.0 + 1 + 5


def test_a_state_that_stays_is_told_once_and_another_one_by_itself(clock: Clock) -> None:
    telling = Telling()
    pace = paced(clock, 0, telling)
    for seconds, why in ((15, "status 429, in 15 s"), (30, "status 429, in 30 s"), (15, "refused")):
        for _ in range(3):
            pace.rest(seconds, why)
    assert [said.partition(":")[0] for said in telling.said] == [
        "The server is busy or away (status 429, in 15 s)",
        "The server is busy or away (refused)",
    ]
    clock.now += pacing._TOLD_AGAIN
    pace.rest(30, "status 429, in 30 s")
    assert len(telling.said) == 3


def test_who_waits_stops_with_the_run() -> None:
    pace = Pace(0.001, Silent())
    pace.turn()
    pace.over.set()
    with pytest.raises(StoppedError):
        pace.turn()


def test_a_request_is_paid_for_in_advance(asking: Asking) -> None:
    budget = Budget(asking(max_tokens=1000), 300, 0.0)
    assert budget.take(100, 300)
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(budget.take(100, 300)))
    waiting.start()  # 300 + 400 + 400 is too much, unless the first takes less than was held
    budget.pay((100, 300), (100, 100))
    waiting.join(60)
    assert answers == [True]
    assert not budget.is_spent
    budget.pay((100, 300), (100, 300))
    assert budget.tokens == 900
    assert not budget.take(50, 51)
    assert budget.is_spent
    assert not budget.take(1, 1)  # the run is over, whatever else would fit


def test_cost_is_held_against_its_limit_by_the_prices(asking: Asking) -> None:
    settings = asking(max_cost=1.0, price_in=1000.0, price_out=10_000.0)
    budget = Budget(settings, 0, 0.0)
    assert budget.take(500, 50)  # .5 + .5
    budget.pay((500, 50), (500, 40))
    assert budget.cost == pytest.approx(0.9)
    assert not budget.take(0, 11)


def test_a_run_stops_at_its_limit_and_goes_on_with_a_larger_one(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    # Each request takes 110 tokens; about 600 are held for one before it is sent.
    one = {"metrics": ("validity",), "reply_tokens": 10, "concurrency": 2}
    first = api.judge(workspace, "sums", asking(**one, max_tokens=2000))
    spent = first.tokens_in + first.tokens_out
    assert first.stopped == "budget"
    assert 0 < spent <= 2000
    assert (first.n_failed, first.n_left) == (0, N_STEPS - first.n_judged)
    n_first = len(served.asked)
    again = api.judge(workspace, "sums", asking(**one, max_tokens=2000))
    assert again.tokens_in + again.tokens_out + spent <= 2000
    more = api.judge(workspace, "sums", asking(**one, max_tokens=100_000))
    assert (more.stopped, more.n_left) == ("", 0)
    assert n_first < len(served.asked) == 2 * N_STEPS  # nothing was asked twice
    assert more.judge.tokens_in == 100 * 2 * N_STEPS


def test_a_limit_below_one_request_asks_nothing(
    workspace: api.Workspace, served: Served, asking: Asking, grace: Any
) -> None:
    found = api.judge(workspace, "sums", asking(max_tokens=50))
    assert (found.stopped, served.asked, found.n_left) == ("budget", [], N_STEPS)
    status, _, err = grace(
        "judge", "sums", "--endpoint", served.url, "--judge-model", "played", "-w",
        workspace.root, "--max-tokens", "50",
    )  # fmt: skip
    assert status == 0
    assert "the same command with a larger --max-tokens goes on" in err
