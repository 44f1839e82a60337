"""Do answers come from a server of the OpenAI protocol, whatever it does?"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grace_engine import api, endpoint
from grace_engine.errors import InputError, ResourceError
from tests.served import Served


def echoing(body: dict[str, Any], n: int | None = None) -> tuple[int, Any]:
    """As many answers as were asked for; the first right for 7+5, the last cut."""
    count = body["n"] if n is None else n
    choices = [
        {
            "message": {"role": "assistant", "content": "#### 12" if i == 0 else "#### 3"},
            "finish_reason": "length" if i == count - 1 else "stop",
        }
        for i in range(count)
    ]
    return 200, {"choices": choices}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(endpoint, "_NAPS", (0.01, 0.01))
    monkeypatch.setattr(endpoint, "_FIRST_PATIENCE", 0.03)
    monkeypatch.delenv(endpoint.KEY, raising=False)
    server = Served(echoing)
    yield server
    server.close()


@pytest.fixture
def problems(tmp_path: Path) -> str:
    path = tmp_path / "sums.jsonl"
    rows = [
        {"prompt": [{"role": "user", "content": f"What is {a}+5?"}],
         "reward_model": {"ground_truth": str(a + 5)}}
        for a in (7, 8)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def workspace(tmp_path: Path) -> api.Workspace:
    return api.open_workspace(tmp_path / "w", create=True)


def asking(served: Served, **changes: Any) -> api.RolloutSettings:
    return api.RolloutSettings(
        **{"model": "served", "n": 3, "max_new_tokens": 9, "endpoint": served.url, **changes}
    )


def groups(workspace: api.Workspace) -> dict[str, Any]:
    found = api.get_rollout_set(workspace)
    return {g.prompt: g for batch in api.iter_groups(workspace, found.id) for g in batch}


def test_answers_are_stored_with_rewards_and_without_tokens(
    served: Served, workspace: api.Workspace, problems: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(endpoint.KEY, "secret")
    report = api.rollout(workspace, problems, asking(served, temperature=0.5))
    assert (report.n_asked, report.rollouts.n_rollouts) == (2, 6)
    found = groups(workspace)
    assert found["What is 7+5?"].rewards == (1.0, 0.0, 0.0)
    assert found["What is 8+5?"].rewards == (0.0, 0.0, 0.0)
    assert [one.finished for one in found["What is 7+5?"].rollouts] == [True, True, False]
    assert {one.token_ids for one in found["What is 7+5?"].rollouts} == {()}
    assert {*served.keys} == {"Bearer secret"}
    body = next(b for b in served.asked if b["messages"][0]["content"] == "What is 7+5?")
    assert {k: body[k] for k in ("model", "n", "temperature", "top_p", "max_tokens")} == {
        "model": "served", "n": 3, "temperature": 0.5, "top_p": 1.0, "max_tokens": 9,
    }  # fmt: skip
    assert len({b["seed"] for b in served.asked}) == 2
    again = api.rollout(workspace, problems, asking(served, temperature=0.5))
    assert (again.n_asked, again.n_before, len(served.asked)) == (0, 2, 2)


def test_a_server_that_gives_one_answer_is_asked_until_there_are_enough(
    served: Served, workspace: api.Workspace, problems: str
) -> None:
    served.reply = lambda body: echoing(body, 1)
    api.rollout(workspace, problems, asking(served))
    assert len(served.asked) == 6
    assert len({body["seed"] for body in served.asked}) >= 4  # no answer is asked for twice


def test_a_busy_server_is_asked_again(
    served: Served, workspace: api.Workspace, problems: str
) -> None:
    lock, left = threading.Lock(), [2]

    def busy(body: dict[str, Any]) -> tuple[int, Any]:
        with lock:
            left[0] -= 1
            return (503, {}) if left[0] >= 0 else echoing(body)

    served.reply = busy
    assert api.rollout(workspace, problems, asking(served)).n_asked == 2


def test_what_a_server_refuses_of_one_problem_is_its_reason_and_can_be_tried_again(
    served: Served, workspace: api.Workspace, problems: str
) -> None:
    served.reply = lambda body: (
        (400, {"message": "too  long"}) if "8+5" in str(body) else echoing(body)
    )
    api.rollout(workspace, problems, asking(served))
    refused = groups(workspace)["What is 8+5?"]
    assert (refused.reason, refused.detail) == (
        "endpoint-refused",
        'status 400, {"message": "too long"}',
    )
    served.reply = echoing
    assert api.rollout(workspace, problems, asking(served)).n_asked == 0
    served.asked.clear()
    assert api.rollout(workspace, problems, asking(served, retry_failed=True)).n_asked == 1
    assert [body["messages"][0]["content"] for body in served.asked] == ["What is 8+5?"]
    assert len(groups(workspace)["What is 8+5?"].rollouts) == 3


@pytest.mark.parametrize(
    ("reply", "fault", "said"),
    [
        ((401, {}), InputError, r"status 401.*\$OPENAI_API_KEY"),
        ((404, {"message": "no model"}), InputError, "no model"),
        ((500, {}), ResourceError, "does not answer .status 500"),
        ((200, {"choices": []}), ResourceError, "no choices in it"),
        ((200, ["x"]), ResourceError, "no choices in it"),
        ((200, b"<html>"), ResourceError, "not JSON"),
    ],
)
def test_a_server_that_cannot_be_used_is_one_sentence(
    served: Served, workspace: api.Workspace, problems: str, reply, fault, said: str
) -> None:
    served.reply = lambda _body: reply
    with pytest.raises(fault, match=said):
        api.rollout(workspace, problems, asking(served))


def test_no_server_is_one_sentence(served: Served, workspace: api.Workspace, problems: str) -> None:
    with pytest.raises(ResourceError, match=r"does not answer .*refused"):
        api.rollout(workspace, problems, asking(served, endpoint="http://127.0.0.1:9/v1"))
