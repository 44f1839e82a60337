"""Do rollouts and gradients that were interrupted end as those that nobody disturbed?"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.errors import InputError, NotFoundError
from grace_engine.policy import rolling, running
from grace_engine.progress import Silent
from grace_engine.records import Rollout, RolloutGroup
from tests.conftest import SAMPLE

EARLY = str(SAMPLE / "tiny-reasoner-early")
ROLLOUTS = api.RolloutSettings(
    model=EARLY, n=4, max_new_tokens=40, rows_per_batch=8, dtype="float32", device="cpu"
)
PROBLEMS = [
    ("Start with 12. Add 5. What number do you get?", "17"),
    ("Start with 30. Take away 4. Then multiply by 2. What number do you get?", "52"),
    ("Start with 9. Subtract 2. What number do you get?", "7"),
    ("Start with 40. Divide by 4. Add 15. Then subtract 7. What number do you get?", "18"),
    ("Start with 12. Add 5. What number do you get?", "17"),
    ("Start with 6. Multiply by 3. Increase it by 13. What number do you get?", "31"),
]


class Killed(BaseException):
    """Stands for a signal."""


class KilledAfter(Silent):
    """Progress that ends the work once so many units of a phase are done."""

    def __init__(self, phase: str, units: int) -> None:
        self.phase, self.units, self.now = phase, units, ""
        self.to_do: dict[str, int] = {}

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        self.now = what
        self.to_do[what] = total - done

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        if self.now == self.phase:
            self.units -= amount
            if self.units <= 0:
                raise Killed


@pytest.fixture(scope="module")
def problem_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("problems") / "sums.jsonl"
    rows = [
        {
            "prompt": [{"role": "user", "content": prompt}],
            "reward_model": {"style": "rule", "ground_truth": answer},
            "data_source": "by hand",
        }
        for prompt, answer in PROBLEMS
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def groups(workspace: api.Workspace, name: str) -> list[RolloutGroup]:
    found = api.get_rollout_set(workspace, name)
    return sorted(
        (one for batch in api.iter_groups(workspace, found.id) for one in batch),
        key=lambda one: one.problem_id,
    )


@pytest.fixture(scope="module")
def rolled(tmp_path_factory: pytest.TempPathFactory, problem_file: Path) -> api.Workspace:
    workspace = api.open_workspace(tmp_path_factory.mktemp("rolled") / "w", create=True)
    report = api.rollout(workspace, str(problem_file), ROLLOUTS)
    assert (report.n_asked, report.n_before, report.n_folded) == (5, 0, 1)
    return workspace


def with_rewards(workspace: api.Workspace, name: str, rewards: list[float]) -> str:
    """Rollouts of the first set with these rewards in every group, so that each has a gradient."""
    known = store.upsert_rollout_set(
        workspace, replace(api.get_rollout_set(workspace, "sums"), id=f"o-{name}", name=name)
    )
    changed = [
        replace(
            group,
            rollouts=tuple(
                replace(one, reward=reward)
                for one, reward in zip(group.rollouts, rewards, strict=True)
            ),
        )
        for group in groups(workspace, "sums")
    ]
    store.add_groups(workspace, known.id, changed)
    store.upsert_rollout_set(workspace, api.get_rollout_set(workspace, "sums"))
    return known.id


def test_rollouts_are_stored_with_tokens_logprobs_and_rewards(rolled: api.Workspace) -> None:
    found = groups(rolled, "sums")
    assert len(found) == 5
    for group in found:
        assert group.labels == {"source": "by hand"}
        assert len(group.rollouts) == 4
        for one in group.rollouts:
            assert len(one.token_ids) == len(one.logprobs) > 0
            assert max(one.logprobs) <= 0
            assert one.reward == float(one.outcome == "right")
            assert one.outcome in ("right", "wrong", "not parsed")
    assert any(one.reward for group in found for one in group.rollouts)
    known = api.get_rollout_set(rolled, "sums")
    assert (known.n_problems, known.n_rollouts, known.reward) == (5, 20, "check")


def test_nothing_is_asked_twice_and_no_weights_are_loaded(rolled, problem_file, monkeypatch):
    monkeypatch.setattr(rolling, "_asker_of", lambda *_: pytest.fail("not needed"))
    report = api.rollout(rolled, str(problem_file), ROLLOUTS)
    assert (report.n_asked, report.n_before, report.rollouts.n_problems) == (0, 5, 5)


@pytest.mark.long
def test_rollouts_killed_between_batches_end_as_undisturbed_ones(
    rolled: api.Workspace, problem_file: Path, tmp_path: Path
) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    with pytest.raises(Killed):
        api.rollout(workspace, str(problem_file), ROLLOUTS, KilledAfter("Rolling out", 2))
    assert len(groups(workspace, "sums")) == 2
    report = api.rollout(workspace, str(problem_file), ROLLOUTS)
    assert (report.n_asked, report.n_before) == (3, 2)
    assert groups(workspace, "sums") == groups(rolled, "sums")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["representation", "lora"])
def test_gradients_killed_anywhere_end_as_undisturbed_ones(
    rolled: api.Workspace, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_COMMIT_SECONDS", -1.0)
    monkeypatch.setattr(running, "_SAVE_SECONDS", -1.0)
    candidates = with_rewards(rolled, f"{kind}-c", [1.0, 0.0, 0.0, 0.0])
    target = with_rewards(rolled, f"{kind}-t", [0.0, 1.0, 1.0, 0.0])
    settings = api.GradientSettings(kind=kind, target=target, projection=64, dtype="float32")
    begun = []
    for phase, units in (("Gradients of the target", 2), ("Policy gradients", 3)):
        progress = KilledAfter(phase, units)
        with pytest.raises(Killed):
            api.gradients(rolled, candidates, settings, progress)
        begun.append(progress.to_do)
    last = KilledAfter("", 0)
    report = api.gradients(rolled, candidates, settings, last)
    # The kill comes after the second is counted and before the sum is written down: one is kept.
    assert [one.get("Gradients of the target") for one in begun] == [5, 4]
    assert last.to_do == {"Policy gradients": 2}
    # Here the third was stored before it was counted.
    assert (report.n_computed, report.n_before, report.n_shared) == (2, 3, 5)
    resumed = store.read_gradients(rolled, report.run.id)
    norm = report.run.target_norm

    for file in (rolled.root / "targets").iterdir():
        file.unlink()
    api.delete_policy_run(rolled, report.run.id)
    again = api.gradients(rolled, candidates, settings)
    assert (again.n_computed, again.n_before, again.run.id) == (5, 0, report.run.id)
    assert store.read_gradients(rolled, again.run.id) == resumed
    assert again.run.target_norm == norm > 0
    sizes = {len(one.sketch) for one in resumed}
    assert sizes == ({160} if kind == "representation" else {64})


@pytest.mark.long
def test_a_target_against_itself_averages_to_its_own_norm(rolled: api.Workspace) -> None:
    """Σ_x ⟨g_x, ḡ⟩ / n = ‖ḡ‖²: each kind's stream of inner products against its own mean."""
    own = with_rewards(rolled, "own", [0.0, 1.0, 1.0, 0.0])
    for kind in ("representation", "lm_head", "lora", "full"):
        report = api.gradients(rolled, own, api.GradientSettings(kind=kind, target=own))
        dots = [one.dot for one in store.read_gradients(rolled, report.run.id)]
        assert sum(dots) / 5 == pytest.approx(report.run.target_norm**2, rel=1e-4)


def test_groups_without_a_gradient_keep_their_reason(rolled: api.Workspace) -> None:
    equal = with_rewards(rolled, "equal", [1.0, 1.0, 1.0, 1.0])
    report = api.gradients(rolled, equal, api.GradientSettings())
    assert (report.n_computed, report.n_without) == (0, 5)
    assert report.by_reason == {"no-variance": 5}
    with pytest.raises(InputError, match="all of its 5 problems have equal rewards"):
        api.gradients(rolled, equal, api.GradientSettings(target=equal))
    empty = store.upsert_rollout_set(
        rolled, replace(api.get_rollout_set(rolled, "sums"), id="o-empty", name="empty")
    )
    with pytest.raises(InputError, match=r"target set empty .* it holds no problem"):
        api.gradients(rolled, equal, api.GradientSettings(target=empty.id))
    with pytest.raises(NotFoundError, match="no set of rollouts 'o-none'"):
        api.gradients(rolled, "o-none")


def test_text_from_elsewhere_is_tokenised_with_its_end(rolled: api.Workspace) -> None:
    """Rollouts whose tokens are not known have the gradients of those that are."""
    known = with_rewards(rolled, "known", [1.0, 0.0, 0.0, 0.0])
    texts = store.upsert_rollout_set(
        rolled, replace(api.get_rollout_set(rolled, known), id="o-texts", name="texts")
    )
    whole = [
        group for group in groups(rolled, known) if all(one.finished for one in group.rollouts)
    ]
    assert whole
    store.add_groups(
        rolled,
        texts.id,
        [
            replace(
                group,
                rollouts=tuple(Rollout(text=o.text, reward=o.reward) for o in group.rollouts),
            )
            for group in whole
        ],
    )
    runs = [api.gradients(rolled, one).run.id for one in (known, texts.id)]
    first, second = (
        {one.problem_id: one.norm for one in store.read_gradients(rolled, run)} for run in runs
    )
    for group in whole:
        assert second[group.problem_id] == pytest.approx(first[group.problem_id], rel=1e-5)


def test_problems_that_cannot_be_asked_are_kept_with_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    rows = [
        {"prompt": "Long? " * 900, "reward_model": {"ground_truth": "1"}},
        {"prompt": "What is it?", "reward_model": {}},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    workspace = api.open_workspace(tmp_path / "w", create=True)
    report = api.rollout(workspace, str(path), ROLLOUTS)
    assert (report.n_asked, report.n_unusable) == (0, 2)
    reasons = {group.reason for group in groups(workspace, "mixed")}
    assert reasons == {"too-long", "no-reference"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n": 1}, "one has no group to be better than"),
        ({"temperature": 0.0}, "rollouts are sampled"),
        ({"top_p": 1.5}, "more than 0 and at most 1"),
        ({"reward": "guess"}, "module:function"),
        ({"timeout": 0.0}, "more than 0 s"),
        ({"rows_per_batch": 0}, "1 or more"),
        ({"endpoint": "localhost:8000"}, "no address"),
        ({"endpoint": "http://localhost:8000", "model": ""}, "say which with --model"),
    ],
)
def test_settings_that_no_rollout_could_use_are_refused(change, said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(ROLLOUTS, **change)
