"""Are means, intervals and advice of a report those that were worked out by hand?"""

import numpy as np
import pandas as pd
import pytest

from grace_engine.errors import InputError
from grace_engine.report import Subject, advise, difference_of, size_of, spread_of
from grace_engine.report.wording import evidence_sentences, number


def subject(name: str, values: list[float], prompts: list[str]) -> Subject:
    return Subject(
        name=name,
        kind="dataset",
        detail="",
        n_traces=len(values),
        n_prompts=len(set(prompts)),
        refused={},
        n_known=0,
        n_right=0,
        n_repeated=0,
        languages={},
        numbers=pd.DataFrame({"m": values}),
        prompts=np.array(prompts, dtype=object),
    )


def test_a_mean_of_traces_of_different_prompts_has_the_usual_interval() -> None:
    values = np.array([1.0, 2.0, 3.0, 6.0, np.nan])
    found = spread_of(values, np.array(["a", "b", "c", "d", "e"], dtype=object))
    # Mean 3; deviations -2, -1, 0, 3: s² = 14/3, standard error √(14/12).
    assert (found.n, found.mean) == (4, 3.0)
    assert found.high - found.mean == pytest.approx(1.96 * np.sqrt(14 / 12))
    assert found.quantiles[2] == 2.5


def test_traces_of_one_prompt_count_as_a_group() -> None:
    alone = spread_of(np.array([1.0, 3.0]), np.array(["a", "b"], dtype=object))
    twice = spread_of(np.array([1.0, 1.0, 3.0, 3.0]), np.array(["a", "a", "b", "b"], dtype=object))
    assert twice.high - twice.low == pytest.approx(alone.high - alone.low)
    assert spread_of(np.array([1.0, 2.0]), np.array(["a", "a"], dtype=object)).low is None


def test_variants_of_the_same_prompts_are_compared_as_pairs() -> None:
    prompts = ["a", "b", "c"]
    first, other = subject("x", [1.0, 5.0, 9.0], prompts), subject("y", [2.0, 6.0, 10.0], prompts)
    paired = difference_of(first, other, "m")
    # Each prompt's difference is -1: no doubt is left.
    assert (paired.mean, paired.low, paired.high) == pytest.approx((-1.0, -1.0, -1.0))
    assert paired.is_clear
    apart = difference_of(first, subject("z", [2.0, 6.0, 10.0], ["d", "e", "f"]), "m")
    assert not apart.is_clear
    assert difference_of(first, subject("w", [np.nan], ["a"]), "m") is None


def test_advice_weighs_ranks_by_the_nearest_models_correlations() -> None:
    found = advise(
        8.0,
        {"small": 8.0, "large": 11.0},
        "a basis",
        {"small": {"Flow": 0.6, "Length": -0.4, "Judge": 0.9, "Nil": 0.0}, "large": {"Flow": -1.0}},
        {"Flow": {"x": 0.9, "y": 0.5}, "Length": {"x": 100.0, "y": 10.0}},
        ["x", "y"],
    )
    assert found.model == "small"
    # x is first by flow and longer: (.6·1 − .4·1) / 1 = .2, and y the opposite.
    assert found.scores == pytest.approx({"x": 0.2, "y": -0.2})
    orders = {each.published: each.order for each in found.weighed}
    assert orders == {"Judge": (), "Flow": ("x", "y"), "Length": ("y", "x"), "Nil": ()}
    assert not found.is_far


def test_a_single_subject_is_not_ranked_and_a_far_size_is_said_to_be_far() -> None:
    one = advise(
        0.6, {"small": 8.0}, "a basis", {"small": {"Flow": 0.6}}, {"Flow": {"x": 1}}, ["x"]
    )
    assert one.scores == {}
    assert one.is_far
    said = " ".join(evidence_sentences(one))
    assert "no exact two-sided p can be below .083" in said
    assert "0.6B is far from the 8B" in said


@pytest.mark.parametrize(("text", "size"), [("8B", 8.0), ("0.6b", 0.6), ("600M", 0.6)])
def test_sizes(text: str, size: float) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["8", "big", "0B", "-1B", "8BB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="use a size such as"):
        size_of(text)


def test_numbers_as_people_read_them() -> None:
    assert [number(v) for v in (0.12345, 12.345, 123.45, 12345.6, 2.5e9)] == [
        "0.123",
        "12.35",
        "123.5",
        "12,346",
        "2.50e+09",
    ]
    assert number(-0.5, signed=True) == "−0.500"
