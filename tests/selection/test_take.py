"""Does a budget take what asking every trace in turn takes?"""

import math
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from grace_engine.config import Budget
from grace_engine.errors import InputError
from grace_engine.selection import Candidates, Duplicates, Ranked, Strata, choose, take

NAMES = ("x", "y", "z")


def candidates(values: list[float], **more: object) -> Candidates:
    """Traces named a, b, c, ... with these values, ten tokens each unless said otherwise."""
    names = np.array([chr(ord("a") + i) for i in range(len(values))], dtype=object)
    given = {"n_tokens": [10] * len(values)} | more
    return Candidates(
        trace_ids=names,
        record_digests=names,
        values=np.array(values, dtype=np.float64),
        **{
            name: value if isinstance(value, dict | Duplicates) else np.array(value)
            for name, value in given.items()
        },
    )


def duplicates(
    groups: str, similarity: list[float] | None = None, of: str = "traces"
) -> Duplicates:
    """Groups of traces a, b, c, ..., a letter each; their first traces are those named first."""
    names = [chr(ord("a") + i) for i in range(len(groups))]
    alike = np.array(similarity or [1.0] * len(groups))
    return Duplicates(
        of=of,
        threshold=0.8,
        groups=np.array([groups.index(group) for group in groups]),
        similarity=alike,
        exact=alike == 1.0,
        firsts=np.array([names[groups.index(group)] for group in groups], dtype=object),
    )


def strata(text: str) -> Strata:
    return Strata.of(pd.Series(list(text), name="dataset"))


def taken(found: tuple) -> str:
    return "".join(choice.trace_id for choice in found if choice.selected)


def reason(found: tuple, name: str) -> str:
    return next(choice.reason for choice in found if choice.trace_id == name)


def slow_take(c: Candidates, budget: Budget, groups: Strata, cap: int) -> list[str] | None:
    """Every trace in turn; None where more is kept than a stratum may take."""
    n = len(c.values)
    order = sorted(
        range(n),
        key=lambda i: (math.isnan(c.values[i]), -np.nan_to_num(c.values[i]), c.trace_ids[i]),
    )
    cost = [int(c.n_tokens[i]) if budget.kind == "tokens" else 1 for i in range(n)]
    sizes = [
        sum(cost[i] for i in range(n) if groups.codes[i] == s) for s in range(len(groups.names))
    ]
    if budget.kind == "fraction":
        left = [math.ceil(budget.amount * size) for size in sizes]
    else:
        quotas = [Fraction(budget.amount) * size / max(sum(sizes), 1) for size in sizes]
        left = [math.floor(quota) for quota in quotas]
        if sum(sizes):
            by_rest = sorted(range(len(quotas)), key=lambda s: (left[s] - quotas[s], s))
            for s in by_rest[: int(budget.amount) - sum(left)]:
                left[s] += 1
    seen: dict[int, int] = {}
    inside = []
    of_group = c.duplicates.groups if c.duplicates else range(n)
    for i in range(n):
        if c.keep[i]:
            inside.append(i)
            left[groups.codes[i]] -= cost[i]
            seen[c.groups[i]] = seen.get(c.groups[i], 0) + 1
    if min(left, default=0) < 0:
        return None
    for i in order:
        s, prompt = groups.codes[i], c.groups[i]
        if c.keep[i] or c.drop[i] or math.isnan(c.values[i]) or cost[i] > left[s]:
            continue
        if cap and seen.get(prompt, 0) >= cap:
            continue
        if of_group[i] in [of_group[j] for j in inside]:
            continue
        inside.append(i)
        left[s] -= cost[i]
        seen[prompt] = seen.get(prompt, 0) + 1
    return sorted(str(c.trace_ids[i]) for i in inside)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Candidates, Budget, Strata | None, int]:
    n = draw(st.integers(0, 14))
    column = lambda of: draw(st.lists(of, min_size=n, max_size=n))  # noqa: E731
    rare = st.sampled_from([False] * 6 + [True])
    names = draw(st.permutations([f"t{i:02}" for i in range(n)]))
    values = column(st.sampled_from([0.1, 0.2, 0.3, 0.4, -1.0, math.nan]))
    keep, drop = np.array(column(rare), dtype=bool), np.array(column(rare), dtype=bool)
    found = Candidates(
        trace_ids=np.array(names, dtype=object),
        record_digests=np.array(names, dtype=object),
        values=np.array(values, dtype=np.float64),
        n_tokens=np.array(column(st.integers(1, 20)), dtype=np.int64),
        keep=keep,
        drop=drop,
        groups=np.array(column(st.integers(0, 3)), dtype=np.int64),
    )
    if draw(st.booleans()):
        alike = "".join(column(st.sampled_from("pqrstuvw")))
        found = replace(found, duplicates=duplicates(alike))
    text = draw(
        st.one_of(
            st.integers(1, 100).map(lambda x: f"{x}%"),
            st.integers(1, 16).map(str),
            st.integers(1, 150).map(lambda x: f"{x}tok"),
        )
    )
    split = None
    if draw(st.booleans()):
        codes = np.array(column(st.integers(0, 2)), dtype=np.int64)
        split = Strata(codes=codes, names=NAMES)
    return found, Budget.parse(text), split, draw(st.integers(0, 3))


@pytest.mark.long
@settings(max_examples=600, deadline=None)
@given(situations())
def test_fast_and_slow_take_the_same(
    situation: tuple[Candidates, Budget, Strata | None, int],
) -> None:
    found, budget, split, cap = situation
    expected = slow_take(found, budget, split or Strata.one(len(found.values)), cap)
    if expected is None:
        with pytest.raises(InputError, match="kept by hand"):
            take(found, budget, strata=split, cap=cap)
        return
    result = take(found, budget, strata=split, cap=cap)
    assert sorted(found.trace_ids[result.selected].tolist()) == expected
    assert sorted(result.order.tolist()) == list(range(len(found.values)))
    assert result.rank[result.order].tolist() == list(range(1, len(found.values) + 1))
    assert result.n_selected == len(expected)
    choices = choose(found, budget, strata=split, cap=cap)
    assert sorted(c.trace_id for c in choices if c.selected) == expected
    assert all(choice.reason for choice in choices)
    for index in np.flatnonzero(result.stand_in >= 0):
        other = result.stand_in[index]
        assert result.selected[other]
        assert not result.selected[index]
        assert found.duplicates.groups[other] == found.duplicates.groups[index]
        assert result.rank[other] < result.rank[index] or result.forced[other] == 1


def test_kept_traces_come_first_and_are_charged_and_dropped_ones_never_come() -> None:
    found = choose(
        candidates(
            [0.9, 0.8, 0.7, 0.6, 0.1],
            keep=[False] * 4 + [True],
            drop=[True] + [False] * 4,
            said={"e": "kept by ana: clean reasoning"},
        ),
        Budget.parse("40%"),  # two of five, one of them e
    )
    assert taken(found) == "be"
    assert reason(found, "e") == "kept by ana: clean reasoning"
    assert reason(found, "a") == "dropped by hand"
    assert reason(found, "b") == "rank 2, 40% of 5 traces is 2, 1 of them in traces kept by hand"
    assert [choice.rank for choice in found] == [1, 2, 3, 4, 5]


def test_a_kept_trace_without_a_value_is_in() -> None:
    found = choose(candidates([math.nan, 0.5], keep=[True, False]), Budget.parse("1"))
    assert taken(found) == "a"


def test_more_kept_than_allowed_is_a_sentence_that_says_what_to_do() -> None:
    kept = candidates([0.1, 0.2, 0.3], keep=[True, True, False])
    with pytest.raises(InputError, match="2 traces are kept by hand, but the budget is 1 traces"):
        take(kept, Budget.parse("1"))
    with pytest.raises(InputError, match="20 tokens are in traces that are kept by hand"):
        take(kept, Budget.parse("15tok"))
    with pytest.raises(InputError, match="in x, but 50% of 2 traces is 1"):
        take(kept, Budget.parse("50%"), strata=strata("xxy"))


def test_a_cap_passes_over_later_traces_of_a_prompt_and_says_so() -> None:
    found = choose(
        candidates([0.9, 0.8, 0.7, 0.6], groups=[0, 0, 1, 1]), Budget.parse("50%"), cap=1
    )
    assert taken(found) == "ac"
    assert reason(found, "b") == "rank 2, cap of 1 per prompt"
    assert reason(found, "c") == "rank 3, 50% of 4 traces is 2, 1 above it were passed over"
    assert reason(found, "d") == "rank 4, 50% of 4 traces is 2"  # the budget was spent by then


def test_of_duplicates_the_best_is_taken_and_named_in_the_reason_of_the_others() -> None:
    found = choose(
        candidates(
            [0.9, 0.8, 0.7, 0.6, 0.5],
            duplicates=duplicates("xyxyz", [1.0, 1.0, 0.93, 1.0, 1.0]),
        ),
        Budget.parse("60%"),
    )
    assert taken(found) == "abe"
    assert reason(found, "c") == "rank 3, near-duplicate of a (0.93), which ranks before it"
    assert reason(found, "d") == "rank 4, exact duplicate of b, which ranks before it"
    assert reason(found, "e") == "rank 5, 60% of 5 traces is 3, 2 above it were passed over"


def test_the_similarity_is_told_where_it_is_known_and_else_that_of_both_to_the_first() -> None:
    # The first of the group, a, ranks last: b stands for all, and is 0.85 like a.
    found = choose(
        candidates([0.1, 0.9, 0.8, 0.7], duplicates=duplicates("xxxx", [1.0, 0.85, 0.91, 0.85])),
        Budget.parse("100%"),
    )
    assert taken(found) == "b"
    assert reason(found, "a") == "rank 4, near-duplicate of b (0.85), which ranks before it"
    assert reason(found, "c") == (
        "rank 2, near-duplicate of b (0.91 and 0.85 to a), which ranks before it"
    )


def test_duplicates_of_a_prompt_are_said_to_be_those() -> None:
    found = choose(
        candidates([0.9, 0.8], duplicates=duplicates("xx", [1.0, 0.88], of="prompts")),
        Budget.parse("100%"),
    )
    assert reason(found, "b") == (
        "rank 2, near-duplicate of the prompt of a (0.88), which ranks before it"
    )


def test_a_kept_duplicate_stands_for_its_group_and_a_dropped_one_for_none() -> None:
    found = choose(
        candidates(
            [0.9, 0.8, 0.7, 0.6],
            keep=[False, True, False, False],
            drop=[False, False, True, False],
            duplicates=duplicates("xxyy", [1.0, 0.9, 1.0, 0.9]),
        ),
        Budget.parse("100%"),
    )
    assert taken(found) == "bd"
    assert reason(found, "a") == "rank 1, near-duplicate of b (0.90), which is kept by hand"


def test_a_duplicate_that_does_not_fit_leaves_its_place_to_the_next() -> None:
    found = choose(
        candidates([0.9, 0.8, 0.7], n_tokens=[30, 10, 5], duplicates=duplicates("xxx")),
        Budget.parse("20tok"),
    )
    assert taken(found) == "b"
    assert "do not fit" in reason(found, "a")
    assert reason(found, "c") == "rank 3, exact duplicate of b, which ranks before it"


def test_a_share_holds_within_each_stratum_rounded_up() -> None:
    # Half of three x is ⌈1.5⌉ = 2, of two y 1.
    found = choose(
        candidates([0.9, 0.8, 0.7, 0.2, 0.1]), Budget.parse("50%"), strata=strata("xxxyy")
    )
    assert taken(found) == "abd"
    assert reason(found, "d") == "rank 1 of its stratum y, 50% of 2 traces is 1"
    assert reason(found, "c") == "rank 3 of its stratum x, 50% of 3 traces is 2"


def test_a_number_of_traces_is_split_by_largest_remainder() -> None:
    # 3 over 4, 2 and 1 of 7: quotas 1.71, .86, .43: floors 1, 0, 0, the two left to y then x.
    result = take(
        candidates([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]), Budget.parse("3"), strata=strata("xxxxyyz")
    )
    assert result.allowed.tolist() == [2, 1, 0]
    assert result.trace_ids[result.selected].tolist() == ["a", "b", "e"]


def test_tokens_are_split_by_the_tokens_of_strata() -> None:
    split = candidates([0.9, 0.8, 0.7], n_tokens=[30, 30, 40])
    result = take(split, Budget.parse("50tok"), strata=strata("xxy"))
    assert result.allowed.tolist() == [30, 20]
    assert result.trace_ids[result.selected].tolist() == ["a"]  # c does not fit in 20


def test_a_missing_label_is_a_stratum_of_its_own() -> None:
    found = Strata.of(pd.Series(["hard", None, 3, True], dtype=object, name="label.level"))
    assert found.names == ("(none)", "3", "True", "hard")


def test_a_column_of_ids_is_no_stratum() -> None:
    column = pd.Series([f"t{i}" for i in range(1001)], name="label.key")
    with pytest.raises(InputError, match=r"label\.key has 1,001 different values"):
        Strata.of(column)


def test_the_cut_is_the_lowest_value_taken_kept_traces_aside() -> None:
    kept = candidates([0.9, 0.8, 0.1], keep=[False, False, True])
    assert take(kept, Budget.parse("2")).cut == 0.9
    assert math.isnan(take(kept, Budget.parse("1")).cut)


def test_a_hundred_thousand_traces_are_taken_in_a_moment() -> None:
    n, generator = 100_000, np.random.default_rng(0)
    names = np.array([f"{i:08x}" for i in range(n)], dtype=object)
    many = Candidates(
        trace_ids=names,
        record_digests=names,
        values=generator.normal(size=n),
        n_tokens=generator.integers(20, 2000, n),
    )
    began = time.perf_counter()
    result = take(many, Budget.parse("20%"))
    assert result.n_selected == 20_000
    assert time.perf_counter() - began < 2.0  # some 20 ms; no loop over traces hides here


def test_of_a_hundred_thousand_traces_in_pairs_half_are_taken() -> None:
    n, generator = 100_000, np.random.default_rng(0)
    names = np.array([f"{i:08x}" for i in range(n)], dtype=object)
    many = Candidates(
        trace_ids=names,
        record_digests=names,
        values=generator.normal(size=n),
        n_tokens=np.ones(n, dtype=np.int64),
        duplicates=Duplicates(
            of="traces",
            threshold=0.8,
            groups=np.arange(n) // 2,
            similarity=np.ones(n),
            exact=np.ones(n, dtype=bool),
            firsts=names,
        ),
    )
    result = take(many, Budget.parse("100%"))
    values = many.values.reshape(-1, 2)
    assert result.selected.reshape(-1, 2).argmax(axis=1).tolist() == values.argmax(axis=1).tolist()
    assert (result.stand_in >= 0).sum() == n // 2


def test_the_nearest_token_budget_is_the_one_that_a_search_of_all_finds() -> None:
    generator = np.random.default_rng(0)
    n_passed_by = 0
    for _ in range(60):
        n = int(generator.integers(2, 9))
        tokens = generator.integers(1, 12, n)
        keep = np.arange(n) == (n - 1 if generator.random() < 0.5 else n)
        many = candidates(generator.normal(size=n).tolist(), n_tokens=tokens, keep=keep)
        ranked, kept = Ranked(many), int(tokens[keep].sum())
        inside = {
            amount: ranked.take(Budget.parse(f"{amount}tok")).selected
            for amount in range(max(kept, 1), int(tokens.sum()) + 1)
        }
        now = int(generator.integers(min(inside), max(inside) + 1))
        for index in np.flatnonzero(~keep):
            found = ranked.nearest_tokens(int(index), Budget.parse(f"{now}tok"))
            at = {amount: bool(taken[index]) for amount, taken in inside.items()}
            if at[now]:
                out = [amount for amount, taken in at.items() if amount < now and not taken]
                assert found == (max(out) + 1 if out else min(inside) if min(inside) else 1)
            else:
                assert found == min(a for a, taken in at.items() if a > now and taken)
                n_passed_by += any(not taken for a, taken in at.items() if a > found)
    assert n_passed_by > 5, "some are taken, lost and taken again: a bisection may pass them by"


def test_where_strata_or_limits_decide_too_no_nearest_token_budget_is_claimed() -> None:
    many = candidates([0.5, 0.4, 0.3], groups=[0, 0, 1])
    budget = Budget.parse("10tok")
    assert Ranked(many).nearest_tokens(2, budget) == 30
    assert Ranked(many, cap=1).nearest_tokens(2, budget) is None
    assert Ranked(many, strata=strata("xyy")).nearest_tokens(2, budget) is None
