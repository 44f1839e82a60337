"""Do the reproductions of choices for reinforcement learning choose, count and tabulate right?"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from grace_engine.generator.arithmetic import Move, draw_problem
from grace_engine.progress import Silent
from grace_engine.records import Rollout
from grace_engine.reproduce import (
    NOISY,
    UNBALANCED,
    GradientNoise,
    NoiseRequest,
    NoisyRewards,
    Results,
    Unbalanced,
    choice_tables,
    folder_of,
    noise_tables,
    run,
)
from grace_engine.reproduce.rl_noise import _correlation
from grace_engine.reproduce.rl_problems import adds, drawn, scales
from grace_engine.reproduce.rl_tables import interval
from grace_engine.selection import ProblemTable

Grace = Callable[..., tuple[int, str, str]]


def test_problems_are_different_seeded_and_of_their_kind() -> None:
    task = Unbalanced(replace(UNBALANCED, n_candidates=40, n_target=6))
    targets, candidates = task.problems(0)
    counted, same = task.counted(candidates, 0)
    assert (len(targets), len(candidates), int(counted.sum())) == (6, 40, 4)
    assert same is candidates
    assert task.problems(0) == (targets, candidates) != task.problems(1)
    assert len({one.prompt for one in targets + candidates}) == 46
    assert {one.dataset for one in targets} == {"scales"}
    every = drawn("x", 0, 60, (2, 3))
    assert {one.labels["n_steps"] for one in every} == {2, 3}


def test_tasks_are_told_by_their_moves() -> None:
    kinds = []
    for ops in ("*/", "+-", "+*"):
        problem = replace(
            draw_problem(Random(0), "test", 2), moves=tuple(Move(op=o, n=2) for o in ops)
        )
        kinds.append((scales(problem), adds(problem)))
    assert kinds == [(True, False), (False, True), (False, False)]


def test_half_the_candidates_get_coin_flips_and_the_others_keep_their_rewards() -> None:
    task = NoisyRewards(replace(NOISY, n_candidates=20, n_target=2))
    _, candidates = task.problems(0)
    always = tuple(Rollout(text="", reward=1.0) for _ in range(64))
    rolled = [replace(one, rollouts=always) for one in candidates]
    counted, seen = task.counted(rolled, 0)
    assert int(counted.sum()) == 10
    rates = np.array([one.pass_rate for one in seen])
    assert (rates[~counted] == 1.0).all()
    assert (np.abs(rates[counted] - 0.5) < 0.25).all()
    again, same = task.counted(rolled, 0)
    assert (again == counted).all()
    assert same == seen


def test_the_share_is_of_the_chosen_budget() -> None:
    """Four of 16: by cosine the first four, of which one is counted."""
    table = ProblemTable(
        problem_ids=np.array([f"p{i:02d}" for i in range(16)], dtype=object),
        pass_rates=np.full(16, 0.5),
        dots=np.linspace(1, -1, 16),
        norms=np.ones(16),
        sketches=np.zeros((16, 0), dtype=np.float32),
        target_norm=1.0,
        reasons=np.full(16, "", dtype=object),
        equal=np.zeros(16, dtype=bool),
    )
    counted = np.arange(16) >= 3
    task = NoisyRewards(NOISY)
    assert task._share(table, "gradalign", counted, 0) == 0.25


def test_correlations_by_hand() -> None:
    nan = float("nan")
    assert _correlation(np.array([1.0, 2, 3, nan]), np.array([2.0, 4, 6, 1])) == {
        "r": pytest.approx(1.0),
        "n": 3,
    }
    assert _correlation(np.array([1.0, 2, nan]), np.array([2.0, nan, 6]))["r"] is None


def test_intervals_by_hand() -> None:
    # Mean 20, s = 10, t(2) = 4.303: 4.303 · 10 / √3 = 24.84.
    assert interval([10.0, 20.0, 30.0]) == "20.0 (−4.8 to 44.8)"
    assert interval([10.0, 20.0, 30.0], within=(0.0, 40.0)) == "20.0 (0.0 to 40.0)"
    assert interval([0.0, 0.0]) == "0.0 (every seed)"
    assert interval([12.5]) == "12.5"
    assert interval([]) == "–"


def test_tables_hold_every_method_beside_the_paper() -> None:
    shares = {
        f"{strategy}|{kind}|16": value
        for strategy, kind, value in (
            ("gradalign", "lora", 0.125), ("gradalign-inner", "lora", 0.0), ("align", "lora", 0.4),
            ("learnalign", "lora", 0.5), ("accgreedy", "", 0.875), ("random", "", 0.5),
        )
    }  # fmt: skip
    found = Results(
        name="noisy-rewards",
        settings={"rollouts": [16], "kinds": ["lora"]},
        asked=("seed-0",),
        found={"seed-0": {"shares": shares}},
    )
    (table,) = choice_tables(found)
    assert table.title.endswith("in %. One seed.")
    assert table.rows[0] == ("gradalign", "lora", "12.5", "17.8")
    assert table.rows[-2:] == (("accgreedy", "–", "87.5", "81.8"), ("random", "–", "50.0", "–"))


def test_a_correlation_says_how_many_problems_and_seeds_it_is_of() -> None:
    task = GradientNoise(replace(NoiseRequest(), rollouts=(8, 32), kinds=("lora",), n_seeds=2))
    seeds = (
        {"lora|8": {"r": None, "n": 2}, "lora|32": {"r": 0.5, "n": 20}},
        {"lora|8": {"r": 0.2, "n": 9}, "lora|32": {"r": 0.5, "n": 21}},
    )
    (table,) = noise_tables(
        Results(
            name=task.name,
            settings=task.settings,
            asked=task.cells,
            found={
                cell: {"correlations": each} for cell, each in zip(task.cells, seeds, strict=True)
            },
        )
    )
    assert table.rows == (
        ("lora", "0.20, 1 seed", "0.50 (every seed)"),
        ("problems that both draws score, of 28", "5.5", "20.5"),
        ("paper, 8B, full", "–", ".30"),
    )


TINY = {"n_candidates": 10, "n_target": 3, "n_target_rollouts": 4, "rollouts": (4,),
        "steps": (2, 3), "kinds": ("representation",), "n_seeds": 1}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    "task",
    [
        NoisyRewards(replace(NOISY, **TINY)),
        Unbalanced(replace(UNBALANCED, **TINY)),
        GradientNoise(replace(NoiseRequest(), **TINY)),
    ],
    ids=lambda task: task.name,
)
def test_a_tiny_version_is_done_once_and_told_in_tables(
    task: NoisyRewards | Unbalanced | GradientNoise, tmp_path: Path
) -> None:
    found = run(task, tmp_path, Silent())
    assert found.missing == ()
    cell = found.found["seed-0"]
    if isinstance(task, GradientNoise):
        assert cell["correlations"]["representation|4"]["n"] <= 10
        (table,) = noise_tables(found)
        assert table.rows[0][0] == "representation"
    else:
        assert 0 <= cell["shares"]["gradalign|representation|4"] <= 1
        assert 0 < cell["pass_rate"] <= 1
        (table,) = choice_tables(found)
        assert len(table.rows) == 6
    task.carry_out = lambda *_: pytest.fail("done already")  # type: ignore[method-assign]
    assert run(task, tmp_path, Silent()).found == found.found


def test_the_shell_takes_sizes_and_tells_results(tmp_path: Path, grace: Grace) -> None:
    task = NoisyRewards(replace(NOISY, n_seeds=2, n_candidates=40, rollouts=(8,), kinds=("lora",)))
    flags = ("--seeds", "2", "--candidates", "40", "--rollouts", "8", "--kinds", "lora")
    command = ("reproduce", "noisy-rewards", *flags, "--only-report", "-w", tmp_path, "--json")
    status, out, _ = grace(*command)
    assert (status, json.loads(out)["missing"]) == (0, ["seed-0", "seed-1"])
    shares = {
        f"{strategy}|{kind}|8": 0.25
        for strategy in (
            "gradalign",
            "gradalign-inner",
            "align",
            "learnalign",
            "accgreedy",
            "random",
        )
        for kind in ("lora", "")
    }
    cells = folder_of(task, tmp_path / "reproductions") / "cells"
    cells.mkdir(parents=True)
    document = {"found": {"shares": shares}, "finished_at": 1.0, "made_with": {},
                "processor_seconds": 1.0}  # fmt: skip
    (cells / "seed-1.json").write_text(json.dumps(document))
    found = json.loads(grace(*command)[1])
    assert found["missing"] == ["seed-0"]
    assert found["tables"][0]["rows"][0] == ["gradalign", "lora", "25.0", "17.8"]
    for flag, value, said in (
        ("--rollouts", "1", "use numbers such as 16,32"),
        ("--kinds", "all", "use one of representation, lm_head, lora, full"),
        ("--to", "x.csv", "use .md or .json"),
    ):
        status, _, err = grace("reproduce", "noisy-rewards", flag, value, "-w", tmp_path)
        assert (status, said in err) == (1, True), err
