"""Are rollouts and policy gradients kept whole, once, and found again?"""

from dataclasses import replace

import duckdb
import pytest

from grace_engine import store
from grace_engine.errors import NotFoundError
from grace_engine.records import PolicyRun, ProblemGradient, Rollout, RolloutGroup, RolloutSet
from grace_engine.store import Workspace

SET = RolloutSet(
    id="o-1", name="sums", source="sampled", model="m", n=2, temperature=0.7, reward="check"
)
RUN = PolicyRun(
    id="g-1", set_id="o-1", target_id="o-2", fingerprint="f", model="m", kind="lora",
    normalise=False, rank=8, projection=2, n_target=3,
)  # fmt: skip


def group(name: str, *rewards: float | None) -> RolloutGroup:
    return RolloutGroup(
        problem_id=name,
        dataset="sums",
        prompt=f"What is {name}?",
        reference="4",
        labels={"level": 2},
        record_digest="r",
        rollouts=tuple(
            Rollout(
                text=f"It is {place} é",
                token_ids=(5, 7, 2),
                logprobs=(-0.5, -0.25, -1.0),
                finished=place == 0,
                reward=reward,
                outcome="right" if reward else "wrong",
            )
            for place, reward in enumerate(rewards)
        ),
        reason="" if rewards else "no-reference",
        detail="" if rewards else "nothing to check against",
    )


def groups_of(workspace: Workspace, **options: object) -> list[RolloutGroup]:
    return [one for batch in store.iter_groups(workspace, "o-1", **options) for one in batch]


@pytest.fixture
def rolled(workspace: Workspace) -> Workspace:
    store.upsert_rollout_set(workspace, SET)
    store.add_groups(workspace, "o-1", [group("2+2", 1.0, 0.0), group("3+1", None, 0.5)])
    return workspace


def test_groups_come_back_as_they_went_in_and_in_order(rolled: Workspace) -> None:
    store.add_groups(rolled, "o-1", [group("1+3"), group("0+4", 1.0)])
    expected = [group("2+2", 1.0, 0.0), group("3+1", None, 0.5), group("1+3"), group("0+4", 1.0)]
    assert groups_of(rolled, batch=3) == expected
    assert groups_of(rolled, ids=["0+4", "3+1"]) == [expected[1], expected[3]]
    assert groups_of(rolled, with_rollouts=False)[0].rollouts == ()
    known = store.get_rollout_set(rolled)
    assert (known.n_problems, known.n_failed, known.n_rollouts) == (3, 1, 5)
    assert (
        replace(known, n_problems=0, n_failed=0, n_rollouts=0, created_at="", updated_at="") == SET
    )


def test_rewards_come_without_the_texts(rolled: Workspace) -> None:
    first, second = store.reward_groups(rolled, "o-1")
    assert [(one.text, one.reward, len(one.token_ids)) for one in first.rollouts] == [
        ("", 1.0, 3),
        ("", 0.0, 3),
    ]
    assert (first.pass_rate, second.rewards, second.pass_rate) == (0.5, (0.5,), 0.5)


def test_a_problem_is_kept_once_and_one_that_failed_gets_its_rollouts(rolled: Workspace) -> None:
    store.add_groups(rolled, "o-1", [group("2+2", 0.0), group("1+3")])
    store.add_groups(rolled, "o-1", [group("1+3", 1.0)])
    assert store.reached_problems(rolled, "o-1") == {"2+2": "", "3+1": "", "1+3": ""}
    assert [one.rewards for one in groups_of(rolled)] == [(1.0, 0.0), (0.5,), (1.0,)]


def test_a_batch_enters_whole_or_not_at_all(rolled: Workspace) -> None:
    torn = replace(group("9", 1.0), rollouts=(replace(Rollout(text=""), text=None),))  # type: ignore[arg-type]
    with pytest.raises(duckdb.ConstraintException):
        store.add_groups(rolled, "o-1", [group("8", 1.0), torn])
    assert set(store.reached_problems(rolled, "o-1")) == {"2+2", "3+1"}
    with pytest.raises(NotFoundError, match="no set of rollouts 'o-9'"):
        store.add_groups(rolled, "o-9", [])


def test_sets_are_found_by_name_id_beginning_and_as_the_latest(rolled: Workspace) -> None:
    store.upsert_rollout_set(rolled, replace(SET, id="o-22", name="more"))
    store.add_groups(rolled, "o-22", [group("1+1", 1.0)])
    found = {
        wanted: store.get_rollout_set(rolled, wanted).id for wanted in ("latest", "sums", "o-2")
    }
    assert found == {"latest": "o-22", "sums": "o-1", "o-2": "o-22"}
    assert [one.id for one in store.list_rollout_sets(rolled)] == ["o-22", "o-1"]
    with pytest.raises(NotFoundError, match="no set of rollouts 'nothing'"):
        store.get_rollout_set(rolled, "nothing")


def test_gradients_are_kept_once_and_come_back(rolled: Workspace) -> None:
    store.upsert_policy_run(rolled, RUN)
    kept = ProblemGradient(problem_id="2+2", dot=-0.5, norm=2.0, sketch=(1.0, -0.5))
    without = ProblemGradient(problem_id="3+1", reason="group-of-one", detail="one reward")
    store.add_gradients(rolled, "g-1", [without, kept])
    store.add_gradients(rolled, "g-1", [replace(kept, dot=9.0)])
    store.set_target_norm(rolled, "g-1", 0.25)
    assert store.read_gradients(rolled, "g-1") == [kept, without]
    assert store.reached_gradients(rolled, "g-1") == {"2+2": "", "3+1": "group-of-one"}
    known = store.get_policy_run(rolled, "g-")
    assert (known.n_done, known.n_without, known.target_norm) == (1, 1, 0.25)
    assert store.upsert_policy_run(rolled, RUN).target_norm == 0.25
    with pytest.raises(NotFoundError, match="no run of policy gradients"):
        store.add_gradients(rolled, "g-9", [])


def test_a_set_goes_with_its_gradients_and_a_run_alone(rolled: Workspace) -> None:
    for run in (RUN, replace(RUN, id="g-2", set_id="o-7", target_id="o-1")):
        store.upsert_policy_run(rolled, run)
        store.add_gradients(rolled, run.id, [ProblemGradient(problem_id="2+2")])
    store.upsert_policy_run(rolled, replace(RUN, id="g-3", set_id="o-7"))
    assert store.delete_policy_run(rolled, "g-3") == "g-3"
    assert store.delete_rollout_set(rolled, "sums") == "o-1"
    assert store.list_policy_runs(rolled) == []
    with rolled.database.unit() as connection:
        for table in ("rollout_sets", "rollout_problems", "rollouts", "policy_gradients"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]  # noqa: S608
    with pytest.raises(NotFoundError, match="no rollouts yet"):
        store.get_rollout_set(rolled)
    with pytest.raises(NotFoundError, match="no policy gradients yet"):
        store.get_policy_run(rolled)
