"""Is no pair lost and no process left behind, whatever a pair does to its process?"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from grace_engine.answers import Checker, Limits, check_pairs, process as processes
from grace_engine.errors import ResourceError
from grace_engine.progress import Silent
from grace_engine.records import AnswerPair

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
HANGS = AnswerPair(answer="9^{9^{9^9}}", reference="1")
EASY = AnswerPair(answer=r"\frac{1}{2}", reference="0.5")


def workers(parent: int | None = None) -> list[psutil.Process]:
    return [child for child in psutil.Process(parent).children() if is_worker(child)]


def is_worker(child: psutil.Process) -> bool:
    try:
        return "grace_engine.answers.worker" in child.cmdline()
    except psutil.NoSuchProcess:  # it ended since, and may still wait to be read
        return False


def until(right) -> None:
    deadline = time.monotonic() + PATIENCE
    while not right():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.long
def test_a_pair_that_hangs_times_out_and_the_others_are_not_lost() -> None:
    found = check_pairs([EASY, HANGS, EASY, HANGS, EASY], Limits(seconds=1))
    assert [check.outcome for check in found] == [
        "right", "timed out", "right", "timed out", "right",
    ]  # fmt: skip
    assert found[1].detail == "no verdict in 1 s of processor time"
    assert workers() == []


def test_a_pair_that_needs_too_much_memory_times_out_and_says_so() -> None:
    swells = AnswerPair(answer="(1+2x)^{3000000}", reference="y+1")
    found = check_pairs([EASY, swells, EASY], Limits(seconds=60, memory=8 * 1024**2))
    assert [check.outcome for check in found] == ["right", "timed out", "right"]
    assert found[1].detail == "it needs more than 8.4 MB of memory"


@pytest.mark.long
def test_a_process_that_is_killed_from_outside_costs_no_verdict() -> None:
    with Checker(Limits(seconds=2)) as checker:
        stream = checker.check([EASY, HANGS, EASY])
        assert next(stream).outcome == "right"
        (worker,) = workers()
        worker.kill()
        assert [check.outcome for check in stream] == ["timed out", "right"]


@pytest.mark.long
def test_a_pair_that_ends_its_process_again_and_again_is_given_up() -> None:
    with Checker(Limits(seconds=600)) as checker:
        stream = checker.check([EASY, HANGS, EASY])
        next(stream)
        for _ in range(2):
            until(workers)
            (worker,) = workers()
            # At work, not loading: it has answered, or its output is being waited for.
            until(lambda at=worker: at.cpu_times().user > 2)
            worker.kill()
            until(lambda at=worker: not at.is_running() or at not in workers())
        assert next(stream).detail == "it ended the process that checks it twice (-9)"
        assert next(stream).outcome == "right"


def test_verdicts_come_in_the_order_of_the_pairs_from_several_processes() -> None:
    pairs = [
        AnswerPair(answer=rf"\frac{{{i}}}{{7}}", reference=f"{i + i % 2}/7") for i in range(150)
    ]
    found = check_pairs(pairs, processes=2)
    assert [check.outcome for check in found] == ["right", "wrong"] * 75


def test_pairs_are_drawn_a_few_batches_ahead_and_each_verdict_is_told() -> None:
    class Counts(Silent):
        n = 0

        def advance(self, amount: int, *, tokens: int = 0) -> None:
            self.n += amount

    drawn, told = [], Counts()

    def pairs():
        for i in range(10**9):
            drawn.append(i)
            yield AnswerPair(answer=str(i), reference="3")

    with Checker() as checker:
        stream = checker.check(pairs(), told)
        first = [next(stream).outcome for _ in range(5)]
        stream.close()
    assert first == ["wrong", "wrong", "wrong", "right", "wrong"]
    assert told.n == 5
    assert len(drawn) <= 160
    assert workers() == []  # integers need none


def test_who_stops_gets_out_at_once_and_leaves_no_process() -> None:
    with Checker(Limits(seconds=3600)) as checker:
        assert next(checker.check([EASY, HANGS, HANGS])).outcome == "right"
    assert workers() == []


@pytest.mark.long
def test_no_process_outlives_a_parent_that_was_killed() -> None:
    code = (
        "from grace_engine.answers import Checker, Limits\n"
        "from grace_engine.records import AnswerPair\n"
        "with Checker(Limits(seconds=3), processes=2) as checker:\n"
        "    hangs = [AnswerPair(answer='9^{9^{9^9}}', reference='1')] * 40\n"
        "    for check in checker.check([AnswerPair(answer='1/2', reference='0.5'), *hangs]):\n"
        "        print(check.outcome, flush=True)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout.readline() == "right\n"
        until(lambda: len(workers(parent.pid)) == 2)
        left = workers(parent.pid)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.communicate()
    until(lambda: not any(worker.is_running() for worker in left))


def test_a_process_that_does_not_start_is_a_fault_in_a_sentence(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(processes, "_WORKER", ("-c", 'print(\'{"ready": "No module named x"}\')'))
    with pytest.raises(ResourceError, match=r"does not start \(No module named x.*math-verify"):
        check_pairs([EASY])


def test_who_checks_does_not_load_math_verify() -> None:
    code = (
        "import sys, grace_engine.answers\n"
        "print(sorted({'math_verify', 'sympy', 'torch', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
