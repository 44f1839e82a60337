"""Is a judge that is slow, wrong, busy or broken borne with, and what stays wrong kept as such?"""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from grace_engine import api
from grace_engine.errors import InputError, ResourceError, UnreachableError
from grace_engine.judging import running
from grace_engine.progress import Silent
from tests.judging.conftest import N_STEPS
from tests.judging.played import asked_for, blocks, play, reply, verdict
from tests.served import Reply, Served

Asking = Callable[..., api.JudgeSettings]
ONE = {"metrics": ("validity",)}


class Once:
    """A bad reply to the first request about each thing, then the good one."""

    def __init__(self, bad: Callable[[dict[str, Any]], Any]) -> None:
        self._bad, self._seen, self._lock = bad, set[str](), threading.Lock()

    def __call__(self, body: dict[str, Any]) -> Any:
        place = asked_for(body) + json.dumps(blocks(body))
        with self._lock:
            fresh = place not in self._seen
            self._seen.add(place)
        return self._bad(body) if fresh else play(body)


def test_the_end_says_how_many_requests_came_to_nothing(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    served.reply = Once(lambda _body: Reply(status=429, headers={"Retry-After": "0"}))
    found = api.judge(workspace, "sums", asking(**ONE, concurrency=1))
    n = 2 * N_STEPS  # of each the first is refused
    assert (found.n_requests, found.n_sent, found.n_answered, found.n_lost) == (n, 2 * n, n, n)
    assert found.requests_text == f"{2 * n} requests sent, {n} answered, {n} failed"


@pytest.mark.long
@pytest.mark.parametrize(
    "bad",
    [
        lambda _body: reply("I would rather not."),
        lambda body: reply(json.dumps(verdict(body))[:-5], finish="length"),
        lambda _body: reply('{"label": "fine"}'),
        lambda _body: reply(""),
        lambda _body: Reply(status=429, headers={"Retry-After": "0"}),
        lambda _body: Reply(status=500, document={"error": "oops"}),
        lambda _body: Reply(closes=True),
        lambda _body: Reply(seconds=20),
        lambda body: Reply(document=json.dumps(play(body)[1]).encode()[:-9], cut=9),
    ],
    ids=["no JSON", "cut off", "no label", "empty", "429", "500", "closed", "hung", "half"],
)
def test_what_goes_wrong_once_is_asked_again(
    workspace: api.Workspace, served: Served, asking: Asking, bad: Any
) -> None:
    served.reply = Once(bad)
    found = api.judge(workspace, "sums", asking(**ONE, timeout=2.0, concurrency=16))
    assert (found.n_judged, found.n_failed) == (N_STEPS, 0)
    assert len(served.asked) == 4 * N_STEPS
    assert [m.n_positive for m in api.judge_averages(workspace, found.trace_ids)] == [8]


def test_json_in_a_fence_and_after_thoughts_is_read_at_once(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    served.reply = lambda body: reply(
        f"<think>{{hm}}</think>\n```json\n{json.dumps(verdict(body))}\n```"
    )
    assert api.judge(workspace, "sums", asking(**ONE)).n_judged == N_STEPS
    assert len(served.asked) == 2 * N_STEPS


def test_a_retry_says_what_was_wrong_and_holds_no_word_of_the_reply(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    served.reply = Once(lambda _body: reply('{"label": "gorgeous"}'))
    api.judge(workspace, "sums", asking(**ONE, concurrency=1))
    again = [b for b in served.asked if "could not be used" in b["messages"][-1]["content"]]
    assert len(again) == 2 * N_STEPS
    assert not any("gorgeous" in json.dumps(body) for body in again)
    said = next(b for b in again if asked_for(b) == "validity")["messages"][-1]["content"]
    assert "its label is neither positive nor negative" in said


def stubborn(body: dict[str, Any]) -> Any:
    """Nothing of use about one step."""
    return reply("no") if "5 + 4 = 8" in blocks(body)["step"] else play(body)


def test_a_reply_that_stays_of_no_use_is_that_steps_failure(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    served.reply = stubborn
    found = api.judge(workspace, "sums", asking(**ONE, attempts=2))
    assert (found.n_judged, found.n_failed, found.by_reason) == (
        N_STEPS - 1, 1, {"invalid-reply": 1},
    )  # fmt: skip
    assert found.judge.n_failed == 1
    assert len(served.asked) == 2 * (N_STEPS - 1) + 2  # two attempts at its claims, no more
    failed = [s for t in found.trace_ids for s in api.judged_on(workspace, t) if s.failures]
    assert [(s.step, s.failures, s.labels) for s in failed] == [(2, {"atoms": "invalid-reply"}, {})]
    (validity,) = api.judge_averages(workspace, found.trace_ids)
    assert (validity.n_steps, validity.n_failed) == (N_STEPS - 1, 1)
    served.asked.clear()
    again = api.judge(workspace, "sums", asking(**ONE))
    assert (served.asked, again.n_before) == ([], N_STEPS)
    served.reply = play
    mended = api.judge(workspace, "sums", asking(**ONE, retry_failed=True))
    assert (mended.n_judged, len(served.asked), mended.judge.n_failed) == (1, 2, 0)
    # What the failed attempts took is not forgotten.
    assert mended.judge.n_requests == 2 * (N_STEPS - 1) + 2 + 2


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (lambda: Reply(status=400, document={"error": "too long"}), "endpoint-refused"),
        (lambda: Reply(status=500, document={"error": "oops"}), "endpoint-failed"),
    ],
)
def test_what_a_server_cannot_take_is_that_steps_failure(
    workspace: api.Workspace, served: Served, asking: Asking, bad: Any, reason: str
) -> None:
    served.reply = lambda body: bad() if "5 + 4 = 8" in blocks(body)["step"] else play(body)
    found = api.judge(workspace, "sums", asking(**ONE))
    assert found.by_reason == {reason: 1}
    assert found.n_judged == N_STEPS - 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("bad", "fault", "said"),
    [
        ((401, {}), InputError, r"status 401.*\$OPENAI_API_KEY"),
        ((404, {"message": "no such model"}), InputError, "no such model"),
        ((400, {"message": "max_tokens is not supported"}), InputError, "all is refused.*max_tok"),
        ((500, {}), ResourceError, "does not answer .status 500"),
        ((200, {"choices": []}), ResourceError, "no choices in it"),
        ((200, b"<html>"), ResourceError, "not JSON"),
    ],
)
def test_a_server_that_cannot_be_used_ends_the_run_and_leaves_no_failure(
    workspace: api.Workspace, served: Served, asking: Asking, bad: Any, fault: Any, said: str
) -> None:
    served.reply = lambda _body: bad
    with pytest.raises(fault, match=said):
        api.judge(workspace, "sums", asking(**ONE))
    served.reply = play
    assert api.judge(workspace, "sums", asking(**ONE)).n_judged == N_STEPS


class Heard(Silent):
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.n_done = self.n_failed = 0

    def say(self, message: str) -> None:
        self.said.append(message)

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        self.n_done += amount

    def fail(self, reason: str, amount: int = 1) -> None:
        self.n_failed += amount


def test_it_says_how_many_requests_were_sent_and_failed_and_blames_no_step_for_the_server(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    served.reply, heard = (lambda _body: (500, {})), Heard()
    with pytest.raises(ResourceError):
        api.judge(workspace, "sums", asking(**ONE, concurrency=1), heard)
    n_sent = len(served.asked)
    assert n_sent == 3 * N_STEPS
    assert f"So far {n_sent} requests sent, 0 answered, {n_sent} failed, 0 under way" in " ".join(
        heard.said
    )
    assert (heard.n_done, heard.n_failed) == (0, 0)


def test_threads_that_wait_for_a_server_end_with_an_interrupted_run(
    workspace: api.Workspace, served: Served, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.reply = lambda body: Reply(document=play(body)[1], seconds=60)

    class Interrupting(Heard):
        def say(self, message: str) -> None:
            super().say(message)
            if message.startswith("So far") and len(served.asked) == 4 and len(self.said) < 99:
                self.said += [""] * 99  # once
                raise KeyboardInterrupt

    heard = Interrupting()
    monkeypatch.setattr(running, "_TOLD_SECONDS", 0.1)
    with pytest.raises(KeyboardInterrupt):
        api.judge(workspace, "sums", asking(**ONE, concurrency=4), heard)
    assert not [one for one in threading.enumerate() if one.name.startswith("judge-")]
    assert heard.said[-1].startswith("So far 4 requests sent, 0 answered, 0 failed, 4 under way")
    assert api.get_judge(workspace).n_failed == 0


def test_a_model_that_is_never_of_use_is_given_up(
    workspace: api.Workspace, served: Served, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_HOPELESS", 4)
    served.reply = lambda _body: reply("Let me tell you a story.")
    with pytest.raises(InputError, match=r"given up.*no whole JSON object"):
        api.judge(workspace, "sums", asking(**ONE, attempts=1, concurrency=1))
    assert 4 <= len(served.asked) <= 6


def test_a_server_that_goes_away_in_the_middle_leaves_what_is_done(
    workspace: api.Workspace, served: Served, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_HOPELESS", 3)
    left = [9]

    def dying(body: dict[str, Any]) -> Any:
        left[0] -= 1
        return play(body) if left[0] >= 0 else Reply(closes=True)

    served.reply = dying
    with pytest.raises(ResourceError, match="what was finished is kept"):
        api.judge(workspace, "sums", asking(**ONE, concurrency=1))
    served.asked.clear()
    served.reply = play
    found = api.judge(workspace, "sums", asking(**ONE))
    assert found.n_judged + found.n_before == N_STEPS
    assert len(served.asked) == 2 * N_STEPS - 9
    assert found.judge.n_failed == 0


def test_a_server_that_is_gone_ends_the_run_however_few_steps_are_left(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    left = [9]

    def dying(body: dict[str, Any]) -> Any:
        left[0] -= 1
        if not left[0]:
            threading.Thread(target=served.close).start()
        return play(body)

    served.reply = dying
    with pytest.raises(UnreachableError, match=f"{served.url}.*refused.*same command goes on"):
        api.judge(workspace, "sums", asking(**ONE, concurrency=2))
    again = Served(play)
    try:
        found = api.judge(workspace, "sums", asking(**ONE, endpoint=again.url))
    finally:
        again.close()
    assert (found.n_judged + found.n_before, found.n_failed) == (N_STEPS, 0)
    assert found.judge.n_failed == 0


def test_many_are_asked_at_once_and_no_more_than_that(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    together, first, fifth = threading.Barrier(4), iter(range(4)), threading.Event()

    def meeting(body: dict[str, Any]) -> Any:
        if next(first, None) is None:
            fifth.set()
        else:
            together.wait(60)  # only four at once come through
            fifth.wait(0.5)  # and a fifth beside them would be counted
        return play(body)

    served.reply = meeting
    api.judge(workspace, "sums", asking(**ONE, concurrency=4))
    assert served.most_at_once == 4
