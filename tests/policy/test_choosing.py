"""Are rollouts from elsewhere taken in, chosen from, and exported for trainers?"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from grace_engine import api, store
from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import PolicyRun, ProblemGradient
from tests.conftest import SAMPLE

Grace = Callable[..., tuple[int, str, str]]
ROWS: list[dict[str, Any]] = [
    # A group a row, as texts beside rewards; as objects; and as chats.
    {"prompt": "A?", "responses": ["1", "2", "3", "4"], "rewards": [1, 0, 0, 0], "answer": "1",
     "labels": {"level": 1}},
    {"prompt": "B?", "ground_truth": "2", "rollouts": [
        {"text": "1", "reward": 0.0}, {"text": "2", "reward": 1.0, "token_ids": [4, 2],
                                       "logprobs": [-0.5, -0.25]}]},
    {"prompt": [{"role": "user", "content": "C?"}], "reward_model": {"ground_truth": "3"},
     "completions": [[{"role": "assistant", "content": "3"}], [{"role": "assistant",
                     "content": "3!"}]], "rewards": [1.0, 1.0], "labels": {"level": 2}},
    # A rollout a row.
    {"prompt": "D?", "response": "x", "reward": 0.5, "reference": "4", "truncated": True},
    {"prompt": "D?", "response": "y", "reward": True, "reference": "4"},
    # The second group of a problem.
    {"prompt": "A?", "responses": ["5"], "rewards": [1], "answer": "1"},
]  # fmt: skip
BAD: dict[str, dict[str, Any]] = {
    "no-prompt": {"response": "x", "reward": 1},
    "no-rollouts": {"prompt": "E?", "reward": 1},
    "no-reward": {"prompt": "E?", "response": "x"},
    "reward-not-a-number": {"prompt": "E?", "response": "x", "reward": "good"},
    "reward-out-of-range": {"prompt": "E?", "response": "x", "reward": -1},
    "lengths-differ": {"prompt": "E?", "responses": ["x", "y"], "rewards": [1]},
    "wrong-type": {"prompt": "E?", "response": "x", "reward": 1, "token_ids": ["a"]},
}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def workspace(tmp_path: Path) -> api.Workspace:
    opened = api.open_workspace(tmp_path / "w", create=True)
    api.ingest_rollouts(opened, write(tmp_path / "made.jsonl", [*ROWS, *BAD.values()]))
    return opened


@pytest.fixture
def with_gradients(workspace: api.Workspace) -> str:
    """Gradients written by hand: C has none, for all its rewards are 1."""
    found = api.get_rollout_set(workspace, "made")
    run = PolicyRun(
        id="g-hand", set_id=found.id, target_id=found.id, fingerprint="f", model="m",
        kind="representation", normalise=False,
    )  # fmt: skip
    store.upsert_policy_run(workspace, run)
    store.set_target_norm(workspace, run.id, 2.0)
    ids = ids_by_prompt(workspace)
    g = {"A?": (1.0, 0.0), "B?": (0.0, 3.0), "D?": (-1.0, 1.0)}
    store.add_gradients(
        workspace,
        run.id,
        [
            ProblemGradient(
                problem_id=ids[prompt], dot=2 * x, norm=(x * x + y * y) ** 0.5, sketch=(x, y)
            )
            for prompt, (x, y) in g.items()
        ]
        + [ProblemGradient(problem_id=ids["C?"], reason="no-variance", detail="all rewards are 1")],
    )
    return run.id


def ids_by_prompt(workspace: api.Workspace) -> dict[str, str]:
    view = api.problem_view(workspace, api.get_rollout_set(workspace).id)
    return dict(zip(view.problems["prompt"], view.problems["problem_id"], strict=True))


def chosen(workspace: api.Workspace, selection: Any) -> list[str]:
    prompts = {name: prompt for prompt, name in ids_by_prompt(workspace).items()}
    return [prompts[one.trace_id] for one in selection.choices if one.selected]


def test_rows_become_groups_whatever_their_shape(workspace: api.Workspace) -> None:
    found = api.get_rollout_set(workspace)
    groups = {g.prompt: g for batch in api.iter_groups(workspace, found.id) for g in batch}
    rewards = {prompt: group.rewards for prompt, group in groups.items()}
    assert rewards == {
        "A?": (1, 0, 0, 0, 1),
        "B?": (0, 1),
        "C?": (1, 1),
        "D?": (0.5, 1),
    }
    assert [one.text for one in groups["C?"].rollouts] == ["3", "3!"]
    assert groups["B?"].rollouts[1].token_ids == (4, 2)
    assert groups["B?"].rollouts[1].logprobs == (-0.5, -0.25)
    assert [one.finished for one in groups["D?"].rollouts] == [False, True]
    assert [group.reference for group in groups.values()] == ["1", "2", "3", "4"]
    assert groups["A?"].labels == {"level": 1}


def test_rows_that_cannot_be_used_are_kept_with_their_reason(workspace: api.Workspace) -> None:
    found = api.rejects(workspace)
    assert [one.reason for one in found] == list(BAD)
    assert [one.line for one in found] == list(range(len(ROWS) + 1, len(ROWS) + len(BAD) + 1))
    assert "scale them first" in next(o.detail for o in found if o.reason == "reward-out-of-range")


def test_a_file_enters_once_and_its_joined_problems_are_told(
    workspace: api.Workspace, tmp_path: Path, grace: Grace
) -> None:
    status, _, err = grace("ingest-rollouts", tmp_path / "made.jsonl", "-w", workspace.root)
    assert status == 0
    assert "0 problems added, 4 there before, 11 rollouts" in err
    assert "The rollouts of 1 problem stand in more than one row: they are one group now." in err
    assert "7 rows rejected" in err
    assert len(api.rejects(workspace)) == len(BAD)
    empty = write(tmp_path / "none.jsonl", [BAD["no-reward"]])
    status, _, err = grace("ingest-rollouts", empty, "-w", workspace.root)
    assert status == 1
    assert "holds no rollouts that can be used (line 1: no-reward" in err


def test_each_strategy_takes_its_own_problems(
    workspace: api.Workspace, with_gradients: str
) -> None:
    def take(strategy: str, budget: str = "2", run: str = with_gradients, **more: Any) -> list[str]:
        return chosen(workspace, api.curate(workspace, budget, run=run, strategy=strategy, **more))

    # Cosines with ḡ = (2, 0): A 1, B 0, D −1/√2; inner products 2, 0, −2.
    assert take("gradalign", "3") == take("gradalign-inner", "3") == ["A?", "B?", "D?"]
    # Pass rates .4, .5, 1 and .75: their distances from ½ are .1, 0, .5 and .25.
    assert take("accgreedy", "4") == ["B?", "A?", "D?", "C?"]
    assert set(take("band", "4", band="0.4-0.5")) == {"A?", "B?"}
    assert sorted(take("random", "4")) == ["A?", "B?", "C?", "D?"]
    assert take("accgreedy", run="latest") == ["B?", "A?"]
    assert take("accgreedy", run="o-") == ["B?", "A?"]
    saved = api.curate(workspace, "1", run=with_gradients, strategy="gradalign")
    assert saved.run_id == with_gradients
    reasons = {one.reason for one in saved.choices if one.value is None}
    assert reasons == {"all rewards are 1"}
    outside = api.curate(workspace, "4", run=with_gradients, strategy="band", band="0.4-0.5")
    assert {one.reason for one in outside.choices if not one.selected} == {
        "its pass rate 1.00 lies outside 0.4-0.5",
        "its pass rate 0.75 lies outside 0.4-0.5",
    }
    assert outside.band == "0.4-0.5"


def test_overrides_and_strata_hold_for_problems_as_for_traces(
    workspace: api.Workspace, with_gradients: str
) -> None:
    ids = ids_by_prompt(workspace)
    api.override(workspace, [ids["D?"]], True, reason="the hardest", author="ana")
    api.override(workspace, [ids["A?"][:9]], False, author="ana")
    taken = api.curate(workspace, "2", run=with_gradients, strategy="gradalign")
    assert sorted(chosen(workspace, taken)) == ["B?", "D?"]
    assert (taken.n_kept, taken.n_dropped) == (1, 1)
    reasons = {one.trace_id: one.reason for one in taken.choices}
    assert reasons[ids["D?"]] == "kept by ana: the hardest"
    free = api.curate(workspace, "2", run=with_gradients, strategy="gradalign", overrides=False)
    assert chosen(workspace, free) == ["A?", "B?"]
    api.override(workspace, [ids["D?"][:9]], None, author="ana")
    assert list(api.annotations(workspace).overrides) == [ids["A?"]]
    split = api.curate(workspace, "1%", run=with_gradients, strategy="random", per="label.level")
    # Of level 2, and of those without a level; the one of level 1 is dropped.
    assert [{"C?"} & {*chosen(workspace, split)}, len(chosen(workspace, split))] == [{"C?"}, 2]
    with pytest.raises(InputError, match=r"no column 'label\.nothing'"):
        api.curate(workspace, run=with_gradients, strategy="random", per="label.nothing")


def test_what_does_not_go_together_is_one_sentence(
    workspace: api.Workspace, with_gradients: str, scored_workspace: api.Workspace
) -> None:
    made = api.get_rollout_set(workspace, "made").id
    with pytest.raises(InputError, match="Strategy gradalign ranks by policy gradients"):
        api.curate(workspace, run=made, strategy="gradalign")
    with pytest.raises(InputError, match="Strategy for problems 'grace' is not known"):
        api.curate(workspace, run=made, strategy="grace")
    with pytest.raises(InputError, match="leave out --without-duplicates"):
        api.curate(workspace, run=made, strategy="random", cap_per_prompt=1)
    with pytest.raises(NotFoundError, match="no rollouts yet"):
        api.curate(scored_workspace, strategy="accgreedy")
    run = api.get_run(scored_workspace).id
    with pytest.raises(NotFoundError, match="no run of policy gradients"):
        api.curate(scored_workspace, run=run, strategy="gradalign")


EXPORTED = {
    "trl-grpo": {"prompt": [{"role": "user", "content": "B?"}], "answer": "2"},
    "verl": {
        "data_source": "made",
        "prompt": [{"role": "user", "content": "B?"}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "2"},
        "extra_info": {"split": "train", "index": 0},
    },
    "open-instruct": {
        "messages": [{"role": "user", "content": "B?"}],
        "ground_truth": "2",
        "dataset": "made",
    },
}


@pytest.mark.long
@pytest.mark.parametrize("as_format", EXPORTED)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_exports_for_trainers_and_the_same_bytes_again(
    workspace: api.Workspace, tmp_path: Path, grace: Grace, as_format: str, ending: str
) -> None:
    api.curate(workspace, "2", strategy="accgreedy", name="mine")
    file = tmp_path / f"chosen.{ending}"
    status, _, err = grace("export", "mine", "--to", file, "--as", as_format, "-w", workspace.root)
    assert (status, "2 problems in 2 lines" in err) == (0, True), err
    if ending == "parquet":
        rows = pq.read_table(file).to_pylist()
    else:
        rows = [json.loads(line) for line in file.read_text().splitlines()]
    first = rows[0]
    name = ids_by_prompt(workspace)["B?"]
    assert first.pop("problem_id", name) == name
    if as_format == "verl":
        assert first["extra_info"].pop("problem_id") == name
    assert (first, len(rows)) == (EXPORTED[as_format], 2)
    written = file.read_bytes()
    file.unlink()
    status, _, err = grace("replay", tmp_path / "manifest.json", "-w", workspace.root)
    assert status == 0, err
    assert file.read_bytes() == written


def test_exports_say_what_they_cannot_write(workspace: api.Workspace, tmp_path: Path) -> None:
    api.curate(workspace, "2", strategy="accgreedy", name="mine")
    with pytest.raises(InputError, match="use one of trl-grpo, verl, open-instruct"):
        api.export(workspace, "mine", tmp_path / "x.jsonl")
    with pytest.raises(InputError, match=r"use \.jsonl or \.parquet"):
        api.export(workspace, "mine", tmp_path / "x.csv", as_format="verl")
    other = write(tmp_path / "bare.jsonl", [{"prompt": "F?", "response": "x", "reward": 1}])
    api.ingest_rollouts(workspace, other)
    api.curate(workspace, "1", run=api.get_rollout_set(workspace).id, strategy="random", name="b")
    with pytest.raises(InputError, match="has no reference answer, which verl needs"):
        api.export(workspace, "b", tmp_path / "x.parquet", as_format="verl")
    assert not (tmp_path / "x.parquet").exists()
    report = api.export(workspace, "b", tmp_path / "x.jsonl", as_format="trl-grpo", annotate=True)
    line = json.loads(report.path.read_text())
    assert line["answer"] is None
    assert line["grace"]["rank"] == 1


def test_two_choices_are_compared_and_problems_are_no_traces_to_train_on(
    workspace: api.Workspace, with_gradients: str, grace: Grace
) -> None:
    api.curate(workspace, "2", run=with_gradients, strategy="gradalign", name="a")
    api.curate(workspace, "2", run=with_gradients, strategy="accgreedy", name="b")
    found = api.selection_view(workspace, "a").compare("b")
    assert (len(found.traces), found.n_both) == (2, 2)
    model = SAMPLE / "tiny-reasoner-early"
    status, _, err = grace("train", "a", "--model", model, "-w", workspace.root, "--dry-run")
    assert (status, "holds problems, which have no solutions to imitate" in err) == (1, True), err
    status, _, err = grace("bias", "a", "-w", workspace.root)
    assert (status, with_gradients in err) == (1, True), err


def test_the_shell_lists_and_deletes(workspace: api.Workspace, with_gradients: str, grace: Grace):
    _, out, _ = grace("rollouts", "--json", "-w", workspace.root)
    found = json.loads(out)
    assert [one["name"] for one in found["sets"]] == ["made"]
    assert [one["id"] for one in found["runs"]] == [with_gradients]
    assert grace("rollouts", "-w", workspace.root)[0] == 0
    made = found["sets"][0]["id"]
    assert grace("workspace", "check", "-w", workspace.root)[0] == 0
    assert grace("workspace", "delete-run", with_gradients, "-w", workspace.root)[0] == 0
    assert grace("workspace", "delete-run", made, "-w", workspace.root)[0] == 0
    assert json.loads(grace("rollouts", "--json", "-w", workspace.root)[1]) == {
        "sets": [],
        "runs": [],
    }
    assert api.rejects(workspace) == []
