"""Is it told why a problem is in or out, what a budget buys, and how sure a score is?"""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grace_engine import api, store
from grace_engine.api.answering import token_ends
from grace_engine.config import CurateConfig
from grace_engine.errors import InputError, NotFoundError
from grace_engine.models.load import load_tokenizer
from grace_engine.models.locate import locate_model
from grace_engine.policy.encoding import Encoder
from grace_engine.records import Rollout, RolloutGroup
from tests.policy.test_choosing import ids_by_prompt, with_gradients, workspace
from tests.policy.test_running import EARLY, groups, problem_file, rolled, with_rewards

__all__ = ["problem_file", "rolled", "with_gradients", "workspace"]

Grace = Callable[..., tuple[int, str, str]]


def test_why_a_problem_is_in_or_out_by_hand(
    workspace: api.Workspace, with_gradients: str, grace: Grace
) -> None:
    """Cosines with ḡ = (2, 0): A 1, B 0, D −1/√2; C has no gradient."""
    ids = ids_by_prompt(workspace)
    common = ("--run", with_gradients, "--strategy", "gradalign", "--budget", "2")
    status, out, _ = grace("why", ids["D?"][:10], *common, "-w", workspace.root, "--json")
    told = json.loads(out)
    assert status == 0
    assert (told["selected"], told["rank"], told["needed_budget"]) == (False, 3, "3")
    assert told["value"] == told["cosine"] == pytest.approx(-math.sqrt(0.5))
    assert told["margin"] == pytest.approx(-math.sqrt(0.5))  # the cut is B's 0
    assert told["reason"] == "rank 3, the budget is 2 problems"
    assert (told["pass_rate"], told["n_rollouts"]) == (0.75, 2)
    status, out, _ = grace("why", ids["C?"], *common, "-w", workspace.root, "--json")
    told = json.loads(out)
    assert (told["value"], told["needed_budget"], told["rank"]) == (None, None, 4)
    assert told["reason"] == "all rewards are 1"
    zero = grace(
        "why", ids["C?"], *common, "--zero-without-variance", "-w", workspace.root, "--json"
    )
    assert json.loads(zero[1])["value"] == 0.0
    saved = api.curate(workspace, "1", run=with_gradients, strategy="gradalign")
    status, out, _ = grace("why", ids["A?"], "--selection", saved.id, "-w", workspace.root)
    assert (status, "the cosine of its policy gradient" in " ".join(out.split())) == (0, True)
    status, _, err = grace("why", "zzz", *common, "-w", workspace.root)
    assert (status, "holds no problem 'zzz'" in err) == (1, True)


def test_what_each_budget_of_problems_buys(
    workspace: api.Workspace, with_gradients: str, grace: Grace
) -> None:
    common = ("--run", with_gradients, "--strategy", "gradalign", "-w", workspace.root, "--json")
    status, out, _ = grace("curve", *common)
    rows = {row["share"]: row for row in json.loads(out)["budgets"]}
    assert status == 0
    # A, B, D have pass rates .4, .5, .75 and C is never taken: it has no value.
    assert (rows[1.0]["n"], rows[0.5]["n"]) == (3, 2)
    assert rows[0.5]["value"] == pytest.approx(0.5)
    assert rows[0.5]["pass_rate"] == pytest.approx(0.45)
    assert rows[1.0]["lowest_value"] == pytest.approx(-math.sqrt(0.5))


def test_a_choice_with_the_value_0_is_another_and_says_so(
    workspace: api.Workspace, with_gradients: str
) -> None:
    last = api.curate(workspace, "4", run=with_gradients, strategy="gradalign")
    zero = api.curate(
        workspace, "4", run=with_gradients, strategy="gradalign", zero_without_variance=True
    )
    assert last.id != zero.id
    ranks = {one.trace_id: one.rank for one in zero.choices}
    ids = ids_by_prompt(workspace)
    assert ranks[ids["C?"]] < ranks[ids["D?"]]  # 0 before −1/√2
    again = api.get_selection(workspace, zero.id)
    assert again.zero_without_variance
    assert api.config_of(again).zero_without_variance
    assert api.summary(again)["zero_without_variance"] is True
    assert "zero_without_variance" not in api.summary(last)


def test_methods_are_those_that_suffice_and_share_what_both_take(
    workspace: api.Workspace, with_gradients: str
) -> None:
    view = api.problem_view(workspace, with_gradients)
    found = api.methods(view, CurateConfig(budget="2", strategy="gradalign"), None)
    # gradalign takes A and B, accgreedy B and A: the same two.
    assert found.shared.loc["gradalign", "accgreedy"] == 2
    assert found.jaccard.loc["gradalign", "accgreedy"] == 1.0
    alone = api.problem_view(workspace, view.rollouts.id)
    assert alone.strategies == ("accgreedy", "band", "random")


@pytest.mark.long
def test_halves_are_groups_of_their_own_held_against_the_same_target(
    rolled: api.Workspace, tmp_path: Path
) -> None:
    name = with_rewards(rolled, "halves", [1.0, 1.0, 0.0, 0.0])
    settings = api.GradientSettings(target=name, split_half=True, device="cpu")
    run = api.gradients(rolled, name, settings).run
    assert run.split_half
    assert run.id != api.gradients(rolled, name, replace(settings, split_half=False)).run.id
    # The halves of a group as sets of their own, the first and third rollout, then the others.
    for place, parity in enumerate((0, 1)):
        half = store.upsert_rollout_set(
            rolled, replace(api.get_rollout_set(rolled, name), id=f"o-half{parity}", name="half")
        )
        store.add_groups(
            rolled,
            half.id,
            [replace(g, rollouts=g.rollouts[parity::2]) for g in groups(rolled, name)],
        )
        alone = api.gradients(rolled, half.id, replace(settings, split_half=False)).run
        expected = {one.problem_id: one for one in store.read_gradients(rolled, alone.id)}
        found = store.read_gradients(rolled, run.id)
        assert len(found) == 5
        for one in found:
            dot, norm = one.halves[2 * place : 2 * place + 2]
            assert dot == pytest.approx(expected[one.problem_id].dot, rel=1e-6)
            assert norm == pytest.approx(expected[one.problem_id].norm, rel=1e-6)
    sure = api.certainty(api.problem_view(rolled, run.id))
    assert sure is not None
    assert (len(sure.halves), sure.n_gradients) == (5, 5)
    r = float(np.corrcoef(sure.halves["first"], sure.halves["second"])[0, 1])
    assert sure.correlation == pytest.approx(r)
    assert sure.reliability == pytest.approx(2 * r / (1 + r))


def test_a_half_without_variance_has_no_score(rolled: api.Workspace) -> None:
    name = with_rewards(rolled, "onesided", [1.0, 1.0, 1.0, 0.0])
    settings = api.GradientSettings(target=name, split_half=True, device="cpu")
    run = api.gradients(rolled, name, settings).run
    assert {one.halves for one in store.read_gradients(rolled, run.id)} == {()}
    sure = api.certainty(api.problem_view(rolled, run.id))
    assert sure is not None
    assert (len(sure.halves), sure.n_gradients) == (0, 5)
    assert math.isnan(sure.reliability)


def test_halves_need_a_target() -> None:
    with pytest.raises(InputError, match="name one with --target"):
        api.GradientSettings(split_half=True)


def test_rollouts_of_a_problem_have_advantages_and_steps_that_add_up(
    rolled: api.Workspace,
) -> None:
    found = groups(rolled, "sums")[0]
    held = api.problem_rollouts(rolled, "sums", found.problem_id, normalise=False)
    rewards = np.array([one.reward for one in found.rollouts])
    by_number = held.rollouts.set_index("number").sort_index()
    assert by_number["advantage"].tolist() == pytest.approx((rewards - rewards.mean()).tolist())
    assert held.rollouts["reward"].is_monotonic_decreasing
    assert held.uncut == ""
    for number, one in enumerate(found.rollouts, 1):
        steps = held.steps[held.steps["number"] == number]
        inside = float((steps["nll"] * steps["n_tokens"]).sum())
        assert 0 < inside <= -sum(one.logprobs) + 1e-6
        assert steps["n_tokens"].sum() <= len(one.token_ids)
        assert all(text in one.text for text in steps["text"])
    with pytest.raises(NotFoundError, match="holds no problem"):
        api.problem_rollouts(rolled, "sums", "zzz")


def test_tokens_end_where_the_text_says() -> None:
    tokenizer = load_tokenizer(locate_model(EARLY))
    text = "12 + 5 = 17.\nThe answer is 17."
    ids = Encoder(tokenizer).answer(Rollout(text=text))
    known = Rollout(text=text, token_ids=ids, logprobs=(-0.5,) * len(ids))
    ends = token_ends(tokenizer, known)
    assert ends is not None
    assert int(ends[-1]) == len(text)
    assert (np.diff(ends) >= 0).all()
    assert token_ends(tokenizer, replace(known, text="something else")) is None


def test_rollouts_without_log_probabilities_say_why_no_step_stands_there(
    workspace: api.Workspace,
) -> None:
    (name,) = (ids_by_prompt(workspace)[prompt] for prompt in ("A?",))
    held = api.problem_rollouts(workspace, "made", name)
    assert held.uncut == "The log-probabilities of these rollouts' tokens are not known."
    assert isinstance(held.group, RolloutGroup)


def test_the_shell_tells_a_choice_of_problems_and_how_it_is_exported(
    workspace: api.Workspace, with_gradients: str, tmp_path: Path, grace: Grace
) -> None:
    common = ("--budget", "2", "--strategy", "gradalign", "-w", workspace.root)
    status, out, err = grace("curate", *common, "--run", with_gradients)
    told = " ".join(out.split())
    assert (status, "n_problems 4" in told, "alpha" in told, "duplicates" in told) == (
        0, True, False, False,
    )  # fmt: skip
    found = api.get_selection(workspace)
    assert f"grace export {found.id} --to chosen.jsonl --as trl-grpo" in " ".join(err.split())
    file = tmp_path / "chosen.jsonl"
    assert grace("export", found.id, "--to", file, "--as", "trl-grpo", "-w", workspace.root)[0] == 0
    status, _, err = grace("curate", "--strategy", "random", "-w", workspace.root)
    assert status == 1
    assert "name their rollouts or policy gradients with --run" in " ".join(err.split())
