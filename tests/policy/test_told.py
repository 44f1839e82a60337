"""What is a person told of rollouts that came as texts, of empty sets and of problems?"""

import json
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.config import CurateConfig
from grace_engine.errors import InputError, ModelError
from grace_engine.policy.reasons import told_reasons
from grace_engine.records import RolloutSet
from tests.conftest import SAMPLE


@pytest.fixture
def workspace(tmp_path: Path) -> api.Workspace:
    """Three problems with pass rates of 0, ½ and 1, whose rollouts are texts."""
    rows = [
        {"prompt": f"Half of {n}?", "responses": ["a", "b"], "rewards": list(rewards)}
        for n, rewards in enumerate([(0, 0), (0, 1), (1, 1)])
    ]
    file = tmp_path / "given.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    opened = api.open_workspace(tmp_path / "w", create=True)
    api.ingest_rollouts(opened, file)
    return opened


def test_a_set_without_an_answer_is_not_the_latest(workspace: api.Workspace) -> None:
    store.upsert_rollout_set(workspace, RolloutSet(id="o-empty", name="given", source="sampled"))
    assert store.get_rollout_set(workspace).n_problems == 3
    assert store.get_rollout_set(workspace, "given").n_problems == 3
    assert [one.n_problems for one in store.list_rollout_sets(workspace)] == [3, 0]
    assert store.get_rollout_set(workspace, "o-empty").n_problems == 0


def test_a_budget_of_tokens_is_refused_where_they_are_not_known(workspace: api.Workspace) -> None:
    view = api.problem_view(workspace)
    assert not view.tokens_known
    with pytest.raises(InputError, match="tokens of the rollouts of given are not known"):
        api.curate_problems(workspace, CurateConfig(strategy="accgreedy", budget="1000tok"))
    curve = api.problem_curve(view, CurateConfig(strategy="accgreedy"), None)
    assert curve["tokens"].isna().all()
    assert curve["n"].max() == 3


def test_a_share_is_told_in_problems_and_the_best_value_has_no_sign(
    workspace: api.Workspace,
) -> None:
    view = api.problem_view(workspace)
    config = CurateConfig(strategy="accgreedy", budget="100%")
    half = view.problems.loc[view.problems["pass_rate"] == 0.5, "problem_id"].item()
    found = api.why_problem(view, config, None, half)
    assert (str(found.value), found.needed_problems, found.is_target) == ("0.0", 1, False)


def test_reasons_are_told_in_words() -> None:
    assert told_reasons({"too-long": 2, "no-variance": 1, "so-odd": 1}) == (
        "2 longer than the model takes, 1 whose rewards are all equal, 1 so odd"
    )


def test_the_model_that_stands_in_is_named(workspace: api.Workspace) -> None:
    told = api.said_of_model(workspace, "latest", api.GradientSettings())
    assert "do not say which model made them" in told
    assert not api.said_of_model(workspace, "latest", api.GradientSettings(model="mine"))


def test_a_name_on_a_server_that_is_no_model_here_hints_at_the_flag(
    workspace: api.Workspace, tmp_path: Path
) -> None:
    served = RolloutSet(
        id="o-served", name="served", source="sampled", model=str(tmp_path / "none"),
        endpoint="http://localhost:1/v1",
    )  # fmt: skip
    store.upsert_rollout_set(workspace, served)
    with pytest.raises(ModelError, match="of the same policy with --model"):
        api.plan_gradient(workspace, "o-served", api.GradientSettings())


def test_a_second_run_asks_nothing_and_says_nothing_of_tokens(tmp_path: Path, grace) -> None:
    (tmp_path / "sums.jsonl").write_text('{"prompt": "What is 2 + 3?", "answer": "5"}\n')
    model, root = SAMPLE / "tiny-reasoner-early", tmp_path / "w"
    words = ("rollout", tmp_path / "sums.jsonl", "--model", model, "-n", 2, "-w", root)
    more = ("--max-new-tokens", 8)
    assert " tokens; " in grace(*words, *more)[2]
    status, _, err = grace(*words, *more)
    assert (status, "0 problems asked in" in err, "tokens" in err) == (0, True, False), err


def test_a_file_that_fits_no_schema_is_sent_to_ingest(grace, tmp_path: Path) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_text('{"puzzle": "2 + 2?", "key": "4"}\n')
    status, _, err = grace("rollout", file, "-n", 2, "-w", tmp_path / "w")
    assert status == 1
    assert "Only grace ingest takes these: ingest the file, then name its dataset here." in err
