"""Does every strategy and budget choose what a person would work out by hand?"""

import numpy as np
import pytest

from grace_engine.config import Budget, History, Weights
from grace_engine.errors import InputError
from grace_engine.selection import Candidates, choose, strategy_values
from grace_engine.signals import GramTable, pack, signals_of


def candidates(values: list[float], tokens: list[int] | None = None) -> Candidates:
    """Traces named a, b, c, ... with these values."""
    names = [chr(ord("a") + i) for i in range(len(values))]
    return Candidates(
        trace_ids=np.array(names, dtype=object),
        record_digests=np.array([f"d{name}" for name in names], dtype=object),
        values=np.array(values, dtype=np.float64),
        n_tokens=np.array(tokens or [10] * len(values)),
    )


def chosen(found: tuple) -> str:
    return "".join(choice.trace_id for choice in found if choice.selected)


@pytest.mark.parametrize(
    ("budget", "expected"),
    [("20%", "b"), ("21%", "bd"), ("40%", "bd"), ("41%", "bda"), ("100%", "bdace"), ("3", "bda")],
)
def test_shares_round_up_and_ties_go_by_id(budget: str, expected: str) -> None:
    # 20% of 5 is 1, 21% is ⌈1.05⌉ = 2; a and c tie at 0.5 and go by id.
    found = choose(candidates([0.5, 0.9, 0.5, 0.7, -0.1]), Budget.parse(budget))
    assert [choice.trace_id for choice in found] == list("bdace")
    assert [choice.rank for choice in found] == [1, 2, 3, 4, 5]
    assert chosen(found) == expected


def test_a_share_is_not_moved_by_floating_point() -> None:
    # 0.1 * 30 is 3.0000000000000004 in floating point; ⌈10% of 30⌉ is 3.
    names = candidates([float(i) for i in range(30)])
    assert len(chosen(choose(names, Budget.parse("10%")))) == 3


def test_a_token_budget_passes_over_what_does_not_fit_and_tries_later_traces() -> None:
    found = choose(candidates([0.9, 0.8, 0.7, 0.6], [50, 60, 40, 10]), Budget.parse("100tok"))
    assert chosen(found) == "acd"
    assert "60 tokens do not fit in the 50 left" in found[1].reason


def test_a_trace_without_value_ranks_last_and_is_never_taken() -> None:
    found = choose(candidates([float("nan"), 0.1]), Budget.parse("100%"))
    assert chosen(found) == "b"
    assert (found[1].trace_id, found[1].value, found[1].reason) == ("a", None, "has no value")


def test_more_traces_than_there_are_takes_all() -> None:
    assert chosen(choose(candidates([1.0, 2.0]), Budget.parse("500"))) == "ba"


def test_no_candidates_give_no_choices() -> None:
    assert choose(candidates([]), Budget.parse("20%")) == ()


@pytest.mark.parametrize(
    ("text", "kind", "amount"),
    [
        ("20%", "fraction", 0.2),
        ("0.5%", "fraction", 0.005),
        ("500", "traces", 500),
        ("1.2Mtok", "tokens", 1_200_000),
        ("800ktok", "tokens", 800_000),
        ("7tok", "tokens", 7),
    ],
)
def test_budgets_are_read_in_three_forms(text: str, kind: str, amount: float) -> None:
    budget = Budget.parse(text)
    assert (budget.kind, float(budget.amount)) == (kind, amount)


@pytest.mark.parametrize("text", ["0%", "101%", "100.1%"])
def test_a_share_outside_of_0_to_100_percent_is_refused_by_those_bounds(text: str) -> None:
    with pytest.raises(InputError, match=f"'{text}' is no share: .* above 0% and up to 100%"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["", "0", "-3", "20 traces", "1.5", "tok", "1e3"])
def test_other_budgets_are_refused_with_the_three_forms(text: str) -> None:
    with pytest.raises(InputError, match="20%"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["window", "window:0", "window:x", "ema:1", "ema:-1", "past"])
def test_other_histories_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="uniform"):
        History.parse(text)


def signals_of_two():
    """Trace t: steps (1,0), (0,2) and answer (0,1); trace u: step (1,1) and answer (1,0)."""
    t = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0]])
    u = np.array([[1.0, 1.0], [1.0, 0.0]])
    table = GramTable(
        trace_ids=np.array(["t", "u"], dtype=object),
        n_segments=np.array([3, 2]),
        packed=np.concatenate([pack(g @ g.T) for g in (t, u)]),
        n_tokens=np.array([3, 4, 1, 20, 5]),
        nll=np.array([1.0, 2.0, 5.0, 0.5, 0.3]),
    )
    return signals_of(table, History())


def test_every_strategy_ranks_by_the_number_worked_out_by_hand() -> None:
    signals, weights = signals_of_two(), Weights(alpha=0.7)

    def values(strategy: str) -> list[float]:
        return strategy_values(signals, strategy, weights, seed=0).tolist()

    # t: S = 0, 0.7·1 + 0.3·0, mean 0.35; u: cos((1,1),(1,0)) = 1/√2.
    assert values("grace") == pytest.approx([0.35, 2**-0.5], abs=1e-15)
    assert values("longest") == [7.0, 20.0]
    assert values("stepmax") == [2.0, 1.0]
    # (3·1 + 4·2 + 1·5) / 8 = 2 and (20·0.5 + 5·0.3) / 25 = 0.46 nats a token.
    assert values("perplexity") == pytest.approx([-2.0, -0.46], abs=1e-15)


def test_random_depends_on_seed_and_id_alone() -> None:
    signals, weights = signals_of_two(), Weights()
    first = strategy_values(signals, "random", weights, seed=0)
    assert first.tolist() == strategy_values(signals, "random", weights, seed=0).tolist()
    assert first.tolist() != strategy_values(signals, "random", weights, seed=1).tolist()
    assert all(0 <= value < 1 for value in first)
