"""Does each way to choose get the same tokens, and what it is named for?"""

from pathlib import Path

import numpy as np
import pytest

from grace_engine import training
from grace_engine.digests import file_digest
from grace_engine.errors import InputError
from grace_engine.models.locate import locate_model
from grace_engine.progress import Silent
from grace_engine.reproduce.subset import FULL, Subset, SubsetRequest
from grace_engine.reproduce.subset_arms import ARMS, Cell, cells_of
from grace_engine.reproduce.subset_pools import PoolSettings, ScoredPool, score_pools
from tests.conftest import SAMPLE

EARLY = str(SAMPLE / "tiny-reasoner-early")
BUDGETED = [arm.name for arm in ARMS.values() if arm.has_budget and not arm.entropy_discount]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pool")


@pytest.fixture(scope="module")
def pool(folder: Path) -> ScoredPool:
    """Forty traces, scored by a model that has read ten of them."""
    arms = [ARMS[name] for name in BUDGETED]
    settings = PoolSettings(n_traces=40, warm_up=0.25)
    train, model = training.preset("cpu", model=EARLY, batch_size=5), locate_model(EARLY)
    return score_pools(folder, ["random"], arms, settings, train, model, Silent())["random"]


@pytest.mark.long
def test_what_scores_has_read_a_share_of_the_pool(pool: ScoredPool, folder: Path) -> None:
    scorer = folder / "scorers" / "random" / "model.safetensors"
    assert file_digest(scorer) != file_digest(Path(EARLY) / "model.safetensors")
    assert {view.run.model for view in pool.views.values()} == {str(scorer.parent)}


@pytest.mark.parametrize("name", BUDGETED)
def test_every_arm_gets_the_same_tokens_of_steps_and_answers(pool: ScoredPool, name: str) -> None:
    lengths = pool.views["upstream", 0.0].traces["n_tokens"]
    budget = int(lengths.sum()) * 20 // 100
    chosen = pool.choose(ARMS[name], 20, seed=0)
    # Whatever was left over was too little for one more trace.
    assert budget - lengths.max() < chosen.facts["n_tokens"] <= budget
    assert len(chosen.examples) == chosen.facts["n_traces"] == sum(chosen.facts["kinds"].values())


def test_the_oracle_takes_flawless_traces_alone_and_the_full_pool_is_whole(
    pool: ScoredPool,
) -> None:
    assert set(pool.choose(ARMS["clean"], 20, seed=0).facts["kinds"]) == {"clean"}
    assert pool.choose(ARMS["full"], 100, seed=0).facts["kinds"] == {
        "clean": 16, "wrong_result": 6, "carried_on": 6, "irrelevant": 6, "wrong_answer": 6,
    }  # fmt: skip


def test_only_draws_depend_on_the_seed(pool: ScoredPool) -> None:
    for name in BUDGETED:
        first, second = (pool.choose(ARMS[name], 20, seed=seed).examples for seed in (0, 1))
        assert (first != second) == ARMS[name].is_drawn


def test_each_arm_takes_what_it_is_named_for(pool: ScoredPool) -> None:
    def taken(name: str) -> set[str]:
        return {one.trace_id for one in pool.choose(ARMS[name], 20, seed=0).examples}

    view = pool.views["upstream", 0.0]
    signals = view.signals
    ids = [str(one) for one in signals.trace_ids]
    loss = [
        float(
            (signals.nll[steps] @ signals.n_tokens[steps] + answer * n)
            / (signals.n_tokens[steps].sum() + n)
        )
        for steps, answer, n in (
            (signals.steps_of(i), signals.answer_nll[i], signals.answer_tokens[i])
            for i in range(len(ids))
        )
    ]
    assert ids[int(np.argmin(loss))] in taken("perplexity")
    assert ids[int(np.argmax(signals.n_steps))] in taken("stepmax")
    assert ids[int(np.nanargmax(view.values))] in taken("upstream-0.7")
    assert taken("upstream-0") != taken("upstream-1") != taken("lm_head-1")


def test_examples_stand_in_the_order_of_the_traces(pool: ScoredPool) -> None:
    ids = pool.views["upstream", 0.0].signals.trace_ids
    assert [one.trace_id for one in pool.examples] == [str(one) for one in ids]


def test_cells_are_named_and_read_back() -> None:
    cells = cells_of(("random", "systematic"), tuple(ARMS), (10, 20), 3)
    assert len({cell.name for cell in cells}) == len(cells)
    assert [Cell.of(cell.name) for cell in cells] == list(cells)
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)


def test_the_default_is_two_pools_two_budgets_and_three_seeds() -> None:
    cells = [Cell.of(name) for name in Subset().cells]
    assert len(cells) == 1 + 3 * 2 * (2 * 12 + 1)
    assert set(Subset().cells) < set(Subset(FULL).cells)
    assert Subset().settings == Subset(FULL).settings


def test_what_decides_a_cell_is_in_the_settings() -> None:
    changed = [
        SubsetRequest(pool=PoolSettings(n_traces=50)),
        SubsetRequest(pool=PoolSettings(warm_up=0.0)),
        SubsetRequest(n_problems=7),
    ]
    assert len({str(Subset(one).settings) for one in [SubsetRequest(), *changed]}) == 4


def test_what_cannot_be_trained_is_a_sentence() -> None:
    for pools, arms, percents, n_seeds, said in (
        (("none",), ("random",), (10,), 1, "Pool 'none' is not known"),
        (("random",), ("best",), (10,), 1, "Arm 'best' is not known"),
        (("random",), ("random",), (100,), 1, "out of range"),
        (("random",), ("random",), (10,), 0, "0 seeds train nothing"),
    ):
        with pytest.raises(InputError, match=said):
            cells_of(pools, arms, percents, n_seeds)
