"""Is the rate of a run calm while batches take long, and gone once a phase is done?"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from grace_engine.jobs.reporting import Reporter


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reporter(tmp_path: Path, clock: Clock) -> Iterator[Reporter]:
    reporter = Reporter(tmp_path, os.getpid(), clock)
    yield reporter
    reporter.end("finished", "")


def batch(reporter: Reporter, clock: Clock, seconds: float, units: int = 10) -> float:
    clock.now += seconds
    reporter.advance(units, tokens=3 * units)
    return reporter.status.rate


def test_long_batches_of_uneven_length_give_a_calm_rate(reporter: Reporter, clock: Clock) -> None:
    reporter.begin("Scoring", 1000, "traces")

    rates = [batch(reporter, clock, seconds) for seconds in [10, 20] * 8]

    # The last six batches took 10 + 20 + 10 + 20 + 10 + 20 seconds.
    assert rates[5:] == [pytest.approx(60 / 90)] * 11
    assert reporter.status.tokens_rate == pytest.approx(180 / 90)
    assert reporter.status.seconds_left == pytest.approx((1000 - 160) / (60 / 90))


def test_time_alone_changes_no_rate(reporter: Reporter, clock: Clock) -> None:
    reporter.begin("Scoring", 100, "traces")
    batch(reporter, clock, 5)

    clock.now += 60

    assert reporter.status.rate == 2.0


def test_short_batches_are_measured_over_twenty_seconds(reporter: Reporter, clock: Clock) -> None:
    reporter.begin("Reading", 0, "records")
    for _ in range(100):
        batch(reporter, clock, 1, units=1)

    rates = [batch(reporter, clock, 1, units=3) for _ in range(20)]

    assert rates[9] == pytest.approx(1 + 2 * 10 / 20)
    assert rates[19] == 3.0


def test_a_phase_that_is_done_has_no_rate_and_the_next_one_begins_anew(
    reporter: Reporter, clock: Clock
) -> None:
    reporter.begin("Rendering", 20, "traces")
    assert batch(reporter, clock, 1) == 10.0
    assert batch(reporter, clock, 1) == 0.0
    assert reporter.status.tokens_rate == 0.0

    clock.now += 30
    reporter.begin("Scoring", 20, "traces")

    assert batch(reporter, clock, 2) == 5.0


def test_what_was_said_before_a_phase_is_over_with_it(reporter: Reporter, clock: Clock) -> None:
    reporter.say("Loading a model.")
    assert reporter.status.message == "Loading a model."

    reporter.begin("Scoring", 20, "traces")

    assert reporter.status.message == ""


def test_what_is_told_in_a_burst_is_one_time(reporter: Reporter, clock: Clock) -> None:
    reporter.begin("Reading", 0, "records")
    clock.now += 1
    for _ in range(1000):
        reporter.advance(1)

    assert reporter.status.rate == 1000.0


def test_what_an_earlier_attempt_did_counts_as_done_and_in_no_rate(
    reporter: Reporter, clock: Clock
) -> None:
    reporter.begin("Scoring", 100, "traces", done=70)
    assert (reporter.status.done, reporter.status.total) == (70, 100)

    assert batch(reporter, clock, 2, units=10) == 5.0

    assert reporter.status.done == 80
