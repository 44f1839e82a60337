"""Are means, intervals and advice of a report those that were worked out by hand?"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grace_engine.errors import InputError
from grace_engine.report import (
    Difference,
    Spread,
    Subject,
    advise,
    difference_of,
    doubts,
    share_of,
    size_of,
    spread_of,
)
from grace_engine.report.drawing import histogram
from grace_engine.report.judge_tables import share_text
from grace_engine.report.tables import difference_text, spread_text
from grace_engine.report.wording import advice_sentences, evidence_sentences, number


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
    values = np.array([1.0, 2.0, 3.0, 6.0, 3.0, np.nan])
    found = spread_of(values, np.array(["a", "b", "c", "d", "e", "f"], dtype=object))
    # Mean 3; deviations -2, -1, 0, 3, 0: s² = 14/4, standard error √(14/20).
    assert (found.n, found.mean) == (5, 3.0)
    assert found.high - found.mean == pytest.approx(2.776 * np.sqrt(14 / 20), rel=1e-3)
    assert found.quantiles[2] == 3.0


def test_an_interval_ends_where_the_number_does() -> None:
    prompts = np.array(list("abcdefghij"), dtype=object)
    right = np.array([1.0] * 9 + [0.0])
    assert spread_of(right, prompts).high > 1  # 0.9 and twice its standard error of 0.1
    bounded = spread_of(right, prompts, (0.0, 1.0))
    assert (bounded.low, bounded.high) == (pytest.approx(0.9 - 2.262 * 0.1, rel=1e-3), 1.0)
    assert spread_of(np.array([0.0] * 9 + [50.0]), prompts, (0.0, None)).low == 0.0
    whole = share_of(right, np.ones(10), prompts)
    assert (whole.low, whole.high) == (bounded.low, bounded.high)
    lengths = spread_of(np.array([3.0, 3, 4, 4, 5, 5, 6, 7, 8, 12]), prompts, (0.0, None))
    assert spread_text(lengths, 10) == "5.700 (3.732 to 7.668); 3 to 10"


def test_too_few_prompts_have_no_interval_and_it_is_said() -> None:
    two = spread_of(np.array([1200.0, 180_000.0]), np.array(["a", "b"], dtype=object))
    assert (two.low, two.high) == (None, None)
    assert spread_text(two, 2) == "90,600 (too few for an interval, n = 2); 10,140 to 171,060"
    alike = np.array(["a", "b"] * 50, dtype=object)
    many = spread_of(np.arange(100.0), alike)
    assert "too few for an interval, n = 2 prompts" in spread_text(many, 100)
    one = spread_of(np.array([1.0, 2.0]), np.array(["a", "a"], dtype=object))
    assert "too few for an interval, n = 1 prompt)" in spread_text(one, 2)
    five = subject("x", [1.0, 2, 3, 4, 5], list("abcde"))
    found = difference_of(five, subject("y", [-1000.0, -9000.0], ["f", "g"]), "m")
    assert difference_text(found) == "+5,003 (too few for an interval)"
    share = share_of(np.ones(2), np.ones(2), np.array(["a", "b"], dtype=object))
    assert share_text(share) == "100.0% (too few for an interval, n = 2 prompts)"


def test_one_minus_and_a_word_between_the_ends() -> None:
    found = Difference(mean=-5586.0, low=-6166.0, high=-5007.0, deviation=1.0)
    assert difference_text(found) == "−5,586 (−6,166 to −5,007)"
    assert number(-2.5e9) == "−2.50e+09"


def test_traces_of_one_prompt_count_as_a_group() -> None:
    values, prompts = np.array([1.0, 3.0, 4.0, 6.0, 9.0]), np.array(list("abcde"), dtype=object)
    alone, twice = spread_of(values, prompts), spread_of(values.repeat(2), prompts.repeat(2))
    assert twice.high - twice.low == pytest.approx(alone.high - alone.low)
    assert spread_of(np.array([1.0, 2.0]), np.array(["a", "a"], dtype=object)).low is None


def test_variants_of_the_same_prompts_are_compared_as_pairs() -> None:
    prompts, values = list("abcde"), [1.0, 5.0, 9.0, 4.0, 2.0]
    first, other = subject("x", values, prompts), subject("y", [v + 1 for v in values], prompts)
    paired = difference_of(first, other, "m")
    # Each prompt's difference is -1, which five of them may do by chance.
    assert (paired.mean, paired.low) == (-1.0, None)
    assert difference_text(paired) == "−1.000 (the same for every prompt, n = 5)"
    shifted = subject("y", [2.0, 6, 10, 5, 4], prompts)
    # Differences -1, -1, -1, -1, -2: mean -1.2, standard error .2, t of 4 degrees 2.776.
    found = difference_of(first, shifted, "m")
    assert (found.low, found.high) == pytest.approx((-1.755, -0.645), abs=2e-3)
    assert found.is_clear
    apart = difference_of(first, subject("z", [v + 1 for v in values], list("fghij")), "m")
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
    # Where only one has a metric, that is said by name.
    part = advise(
        8.0,
        {"small": 8.0},
        "a basis",
        {"small": {"Flow": 0.6, "Redundancy Ratio": -0.4, "Fact": 0.5}},
        {"Flow": {"x": 0.9, "y": 0.5}, "Redundancy Ratio": {"y": 0.1}},
        ["x", "y"],
        titles={"Redundancy Ratio": "Redundancy"},
    )
    assert {each.title: each.left_out for each in part.weighed} == {
        "Flow": "",
        "Fact": "not measured here",
        "Redundancy": "measured for y only",
    }
    said = " ".join(advice_sentences(part))
    assert "Fact (+0.50): not measured here; Redundancy (−0.40): measured for y only." in said
    evidence = " ".join(evidence_sentences(part))
    assert "its score from −1 to 1" in evidence
    assert "Perplexity is not among these metrics" in evidence


def read_by(name: str, n: int, middle: float, language: str) -> tuple[Subject, Spread]:
    one = replace(
        subject(name, [0.0] * n, [str(k) for k in range(n)]), languages={"und": 500, language: n}
    )
    spread = Spread(n=n, n_prompts=n, mean=9e9, low=None, high=None, quantiles=(0, 0, middle, 0, 0))
    return one, spread


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (("y", 40, 8.0, "en"), []),
        (("y", 29, 8.0, "en"), ["Fewer than 30 traces, whose means may be chance: y (29)."]),
        (("y", 40, 8.0, "zh"), ["The languages differ (x en, y zh)"]),
        (("y", 40, 999.0, "en"), ["m hardly reads y", "10 times or more that of the others, 9.0"]),
        (("y", 40, 1000.0, "en"), ["m hardly reads y", "(1,000 or more is what words drawn"]),
        (("y", 8, 5596.0, "zh"), ["Fewer than 30", "languages differ", "m hardly reads y"]),
    ],
)
def test_what_makes_a_ranking_doubtful_is_said(other: tuple, said: list[str]) -> None:
    made = [read_by("x", 40, 9.0, "en"), read_by(*other)]
    spreads = {one.name: spread for one, spread in made}
    by_title, both = {"Perplexity": spreads}, [one for one, _ in made]
    found = " ".join(each.says for each in doubts(both, by_title, counting=(), reader="m"))
    assert all(part in found for part in said)
    assert bool(found) == bool(said)
    alone = doubts(both[1:], by_title, counting=(), reader="m")
    assert list(alone) == []  # it is not ranked


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


def test_a_constant_is_a_narrow_bar() -> None:
    drawn = histogram({"x": np.ones(9)}, "Share")
    wide = [
        float(point.partition(",")[0])
        for point in drawn.partition('points="')[2].partition('"')[0].split()
        if float(point.partition(",")[2]) < 90
    ]
    assert 0 < max(wide) - min(wide) < 320 / 20
    assert (min(wide) + max(wide)) / 2 == pytest.approx(160, abs=1)
