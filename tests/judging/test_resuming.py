"""Does a run that is killed go on where it stopped, and is the key nowhere to be found?"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grace_engine import api, endpoint, store
from grace_engine.errors import GraceError, InputError
from grace_engine.judging import running
from grace_engine.judging.asking import about_prompt
from grace_engine.judging.planning import texts_of
from grace_engine.judging.prompts import atomise
from tests.conftest import SAMPLE
from tests.judging.conftest import N_STEPS
from tests.judging.played import asked_for, blocks, play, reply
from tests.served import Reply, Served

Asking = Callable[..., api.JudgeSettings]
SECRET = "sk-verysecret-0123456789"  # noqa: S105 - made up


def places(served: Served) -> Counter[str]:
    """How often each thing was asked."""
    return Counter(f"{asked_for(body)} {sorted(blocks(body).items())}" for body in served.asked)


def test_a_killed_run_goes_on_and_asks_only_what_was_under_way_again(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    def waits_in_the_middle(body: dict[str, Any]) -> Reply:
        late = len(served.asked) > 2 * N_STEPS
        return Reply(document=play(body)[1], seconds=60 if late else 0)

    served.reply = waits_in_the_middle
    code = (
        "import sys; from grace_engine import api; w = api.open_workspace(sys.argv[1], "
        "create=False); api.judge(w, 'sums', api.JudgeSettings(endpoint=sys.argv[2], "
        "model='played', concurrency=3))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(workspace.root), served.url], cwd=SAMPLE.parent
    )
    until = time.monotonic() + 300
    while stored(workspace) < 2 * N_STEPS - 3 and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    n_stored = stored(workspace)
    assert n_stored >= 2 * N_STEPS - 3
    first = places(served)
    served.reply = play
    found = api.judge(workspace, "sums", asking())
    assert found.n_judged + found.n_before == N_STEPS
    assert len(served.asked) == sum(first.values()) + 5 * N_STEPS - n_stored
    times = places(served)
    assert len(times) == 5 * N_STEPS
    assert set(times.values()) == {1, 2}
    assert sum(n == 2 for n in times.values()) <= 3 + 3  # under way, or not yet committed


def stored(workspace: api.Workspace) -> int:
    with workspace.database.reading() as connection:
        return connection.execute("SELECT count(*) FROM judgements").fetchall()[0][0]


def test_an_interrupted_run_keeps_what_came_back(
    workspace: api.Workspace, served: Served, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_COMMIT_SECONDS", 1e9)
    plain = running._Run._take

    def interrupted(self: Any, told: Any, *, may_raise: bool = True) -> None:
        plain(self, told, may_raise=may_raise)
        if may_raise and self.n_requests == 7:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running._Run, "_take", interrupted)
        with pytest.raises(KeyboardInterrupt):
            api.judge(workspace, "sums", asking(concurrency=1))
    assert stored(workspace) >= 7
    n_asked = len(served.asked)
    again = api.judge(workspace, "sums", asking())
    assert again.n_judged + again.n_before == N_STEPS
    assert len(served.asked) - n_asked == 5 * N_STEPS - stored_before(again)


def stored_before(found: api.JudgeReport) -> int:
    """Requests that were answered before this run."""
    return found.judge.n_requests - found.n_requests


def test_what_an_unfinished_attempt_took_is_counted_and_it_is_no_failure(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    served.reply = lambda _body: reply("no")
    settings = {"metrics": ("validity",), "concurrency": 1, "reply_tokens": 10}
    plan = api.plan_judging(workspace, "sums", asking(**settings))
    first = texts_of(store.get_trace(workspace, plan.trace_ids[0]), plan.settings)[0]
    # Room for one attempt of three: so much is held for one, and 110 are spent by it.
    most = about_prompt(atomise(first)) + 10 + 100
    found = api.judge(workspace, "sums", asking(**settings, max_tokens=most))
    assert (found.stopped, found.n_failed, found.judge.n_failed) == ("budget", 0, 0)
    assert found.n_requests == 1
    spent = found.judge.tokens_in + found.judge.tokens_out
    assert spent == 110 * found.n_requests
    served.reply = play
    more = api.judge(workspace, "sums", asking(**settings))
    assert more.n_judged == N_STEPS
    assert more.judge.tokens_in + more.judge.tokens_out == spent + 110 * 2 * N_STEPS


def written(folder: Path) -> list[Path]:
    """Every file in which the key stands."""
    return [p for p in folder.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]


def rows(workspace: api.Workspace) -> str:
    """All that the tables of judges hold."""
    with workspace.database.reading() as connection:
        found = [
            connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
            for table in ("judges", "judged_places", "judgements")
        ]
    return str(found)


def leaking(body: dict[str, Any]) -> Any:
    """A server that repeats the key in what it says, plain and in another spelling."""
    step = blocks(body)["step"]
    if step.startswith("8 + 2"):
        return 400, {"message": f"not with your key {SECRET}"}
    if asked_for(body) == "atoms":
        return play(body)
    spelt = "".join(f"\\u{ord(sign):04x}" for sign in SECRET)
    label = b'{"choices": [{"message": {"content": "{\\"label\\": \\"negative\\", \\"reason\\": '
    return 200, label + f'\\"{SECRET} or {spelt}\\"}}"}}}}]}}'.encode()


@pytest.mark.long
def test_the_key_stands_in_nothing_that_is_written_or_said(
    workspace: api.Workspace, served: Served, monkeypatch: pytest.MonkeyPatch, grace: Any
) -> None:
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    served.reply = leaking
    common = (
        "judge", "sums", "--endpoint", served.url, "--judge-model", "played", "-w",
        workspace.root, "--key-env", "JUDGE_KEY", "--json",
    )  # fmt: skip
    said = [grace(*common), grace("judges", "--worst", "9", "-w", workspace.root)]
    assert {*served.keys} == {f"Bearer {SECRET}"}
    served.reply = lambda _body: (401, {"message": f"bad key {SECRET}"})
    said.append(grace(*common, "--retry-failed"))
    assert [status for status, _, _ in said] == [0, 0, 1]
    served.reply = leaking
    status, out, _ = grace(*common[:-1], "--metrics", "validity", "--retry-failed", "--background")
    job = wait_for_end(workspace)
    assert job.state in ("finished", "failed"), job
    said.append((status, out, grace("logs", "latest", "-w", workspace.root)[1]))
    assert SECRET not in "".join(out + err for _, out, err in said)
    assert "$JUDGE_KEY" in said[1][1]  # what the server repeated is there, without the key
    assert written(workspace.root) == []
    assert SECRET not in rows(workspace)  # which the database packs, so that no file shows them
    assert "$JUDGE_KEY" in rows(workspace)


def wait_for_end(workspace: api.Workspace) -> Any:
    until = time.monotonic() + 300
    while (job := api.get_job(workspace, "latest")).is_active and time.monotonic() < until:
        time.sleep(0.1)
    return job


@pytest.mark.parametrize("place", ["model", "extra"])
def test_a_key_in_another_setting_is_refused(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv(endpoint.KEY, SECRET)
    value = {"model": f"gpt {SECRET}", "extra": {"api_key": SECRET}}[place]
    with pytest.raises(InputError) as fault:
        asking(**{place: value})
    assert SECRET not in str(fault.value)


def test_a_run_in_the_background_does_the_same(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    api.start_judging(workspace, "sums", asking(metrics=("validity",)))
    job = wait_for_end(workspace)
    assert job.state == "finished", job.message
    assert job.status.result["n_judged"] == N_STEPS
    assert [m["name"] for m in job.status.result["metrics"]] == ["validity"]
    assert api.get_judge(workspace).n_steps == N_STEPS
    with pytest.raises(GraceError, match="neither a dataset nor a selection"):
        api.start_judging(workspace, "none", asking())


def test_a_judge_that_is_deleted_under_a_run_says_so(
    workspace: api.Workspace, asking: Asking
) -> None:
    found = api.judge(workspace, "sums", asking(metrics=("validity",), sample=1))
    api.delete_judge(workspace, found.judge.id)
    with pytest.raises(GraceError, match="no judge"):
        store.add_judgements(workspace, found.judge.id, [])
    assert os.environ.get(endpoint.KEY) is None
