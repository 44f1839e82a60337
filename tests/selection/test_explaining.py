"""Do the sum, the flips, the meters and the curve agree with choosing again?"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grace_engine import api
from grace_engine.config import AGGREGATES, Budget, CurateConfig, History, Weights
from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import Annotation
from grace_engine.selection import bias_of, contributions, rank_correlation
from grace_engine.signals import GramTable, pack, signals_of

CONFIGS = [
    CurateConfig(),
    CurateConfig(budget="7"),
    CurateConfig(budget="1ktok"),
    CurateConfig(cap_per_prompt=1, budget="10%"),
    CurateConfig(per="variant", budget="30%"),
    CurateConfig(per="variant", budget="12", cap_per_prompt=2),
    CurateConfig(per="variant", budget="1200tok"),
]
ids = [f"{c.budget} {c.per} {c.cap_per_prompt}" for c in CONFIGS]


def overriding(kept: list[str], dropped: list[str]) -> api.Annotations:
    """What curators say, without a log."""
    words = dict.fromkeys(kept, "keep") | dict.fromkeys(dropped, "drop")
    return api.Annotations(
        verdicts={},
        overrides={
            name: Annotation(
                seq=n, action=n, kind="override", trace_id=name, word=word, author="ana"
            )
            for n, (name, word) in enumerate(words.items(), start=1)
        },
        looked=frozenset(),
        version=len(words),
        author="ana",
        can_undo=False,
        can_redo=False,
    )


def weighed(view: api.RunView, weights: Weights) -> api.RunView:
    """The same run under other weights with the same history."""
    listed = view.traces.drop(columns=["n_tokens"]).set_index("trace_id")
    return api.view_of(view.run, weights, view.signals, listed)


def test_the_parts_of_a_hand_made_trace_are_those_worked_out_by_hand() -> None:
    # Steps (1,0), (0,2) and answer (0,1): a = 0, 1; b_2 = 0. S = 0, 0.7·1 + 0.3·0.
    t = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0]])
    table = GramTable(
        trace_ids=np.array(["t"], dtype=object),
        n_segments=np.array([3]),
        packed=pack(t @ t.T),
        n_tokens=np.array([3, 5, 1]),
        nll=np.zeros(3),
    )
    signals = signals_of(table, History())
    mean = contributions(signals, 0, Weights(alpha=0.7))
    assert mean["part"].tolist() == pytest.approx([0.0, 0.35], abs=1e-15)
    assert mean["from_alignment"].tolist() == pytest.approx([0.0, 0.35], abs=1e-15)
    length = contributions(signals, 0, Weights(alpha=0.7, aggregate="length-weighted"))
    assert length["weight"].tolist() == [3 / 8, 5 / 8]
    last = contributions(signals, 0, Weights(alpha=0.7, aggregate="last-weighted"))
    assert last["weight"].tolist() == [1 / 3, 2 / 3]
    lowest = contributions(signals, 0, Weights(alpha=0.7, aggregate="min"))
    assert lowest["weight"].tolist() == [1.0, 0.0]
    past = contributions(signals, 0, Weights(alpha=0.7, history_only=True))
    assert past["weight"].tolist() == [0.0, 1.0]
    assert past["from_alignment"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("history_only", [False, True])
def test_the_parts_sum_to_the_value(scored_workspace, aggregate, history_only) -> None:
    weights = Weights(alpha=0.4, aggregate=aggregate, history_only=history_only)
    view = api.run_view(scored_workspace, weights=weights)
    for index, value in enumerate(view.values):
        parts = contributions(view.signals, index, weights)
        if np.isnan(value):
            assert parts["weight"].sum() == 0
            continue
        assert parts["part"].sum() == pytest.approx(value, abs=1e-12)
        both = parts["from_alignment"] + parts["from_consistency"]
        np.testing.assert_allclose(both, parts["part"], atol=1e-12)


@pytest.mark.long
@pytest.mark.parametrize("config", CONFIGS, ids=ids)
@pytest.mark.parametrize("aggregate", ["mean", "min", "last-weighted"])
def test_the_flips_are_where_choosing_again_changes_sides(
    scored_workspace, config: CurateConfig, aggregate
) -> None:
    weights = Weights(alpha=0.55, aggregate=aggregate)
    view = api.run_view(scored_workspace, weights=weights)
    names = view.signals.trace_ids.tolist()
    said = overriding([names[3]], [names[8]])
    taken = api.live_choice(view, config, said)
    n_flips = 0
    for index in range(0, len(names), 3):
        found = api.why(view, config, said, names[index])
        now = bool(taken.selected[index])
        assert found.selected == now
        if index == 3:  # kept by hand: nothing flips it
            assert (found.flip_alpha, found.needed_budget) == (None, None)
            assert found.reason == "kept by ana"
            continue
        if found.flip_alpha is not None:
            n_flips += 1
            towards = 0.001 if found.flip_alpha < 0.55 else -0.001
            at, beside = (
                bool(
                    api.live_choice(
                        weighed(view, replace(weights, alpha=alpha)), config, said
                    ).selected[index]
                )
                for alpha in (found.flip_alpha, round(found.flip_alpha + towards, 3))
            )
            assert (at, beside) == (not now, now)
        if found.needed_budget is not None:
            needed = Budget.parse(found.needed_budget)
            assert api.live_choice(
                view, replace(config, budget=found.needed_budget), said
            ).selected[index]
            less = {
                "fraction": f"{float(100 * needed.amount) - 0.001:.6g}%",
                "traces": str(int(needed.amount) - 1),
                "tokens": f"{int(needed.amount) - 1}tok",
            }[needed.kind]
            try:
                without = api.live_choice(view, replace(config, budget=less), said)
            except InputError:  # less than the kept trace, or nothing at all
                continue
            assert not without.selected[index]
    if config.cap_per_prompt == 0:
        assert n_flips


def test_a_change_of_alpha_that_flips_is_the_nearest(scored_workspace) -> None:
    weights, config = Weights(alpha=0.55), CurateConfig()
    view = api.run_view(scored_workspace, weights=weights)
    grid = [n / 200 for n in range(201)]
    inside = np.array(
        [
            api.live_choice(weighed(view, replace(weights, alpha=alpha)), config).selected
            for alpha in grid
        ]
    )
    now = inside[grid.index(0.55)]
    for index, name in enumerate(view.signals.trace_ids):
        others = [a for a, row in zip(grid, inside, strict=True) if row[index] != now[index]]
        found = api.why(view, config, None, name).flip_alpha
        if others:
            nearest = min(abs(alpha - 0.55) for alpha in others)
            assert found is not None
            assert nearest - 0.005 <= abs(found - 0.55) <= nearest + 1e-9
        elif found is not None:
            assert found not in grid


def test_margins_and_ranks_are_those_of_the_choice(scored_workspace) -> None:
    view = api.run_view(scored_workspace)
    taken = api.live_choice(view, CurateConfig())
    best, last_in = taken.order[0], taken.order[7]  # ⌈0.2 · 39⌉ = 8
    found = api.why(view, CurateConfig(), None, str(taken.trace_ids[best]))
    assert (found.rank, found.place, found.n_traces, found.stratum) == (1, 1, 39, "")
    assert found.cut == taken.values[last_in] == taken.cut
    assert found.margin == pytest.approx(taken.values[best] - taken.values[last_in])
    longest = api.why(view, CurateConfig(strategy="longest"), None, found.trace_id)
    assert longest.ranked_by == "the tokens of its steps"
    assert longest.flip_alpha is None
    assert longest.steps.empty


def test_why_wants_one_trace_that_was_scored(scored_workspace) -> None:
    view = api.run_view(scored_workspace)
    name = str(view.signals.trace_ids[0])
    assert api.why(view, CurateConfig(), None, name[:12]).trace_id == name
    with pytest.raises(NotFoundError, match="has scored no trace 'nobody'"):
        api.why(view, CurateConfig(), None, "nobody")
    with pytest.raises(NotFoundError):
        api.why(view, CurateConfig(), None, "")


def test_categories_of_the_very_same_traces_are_told_once() -> None:
    selected = np.arange(80) < 20
    columns = pd.DataFrame(
        {
            "dataset": ["a"] * 20 + ["b"] * 60,
            "label.source": ["x"] * 20 + ["y"] * 60,
            "label.kind": [None] * 20 + ["z"] * 60,
            "label.half": ["p", "q"] * 40,
        }
    )

    found = bias_of(selected, np.full(80, np.nan), {}, columns)

    assert len(found.briefs) == 2
    assert found.briefs[0].startswith("dataset 'b' (source 'y', kind 'z'): 0.0% of the chosen")
    assert found.briefs[1].startswith("dataset 'a' (source 'x', kind ")
    assert "(the same traces: label.source 'y', label.kind 'z')" in found.warnings[0]


def test_bias_finds_what_a_planted_choice_favours() -> None:
    n = 400
    tokens = np.arange(n)
    selected = tokens >= 300
    columns = pd.DataFrame(
        {
            "dataset": np.where(tokens >= 320, "long", "short"),
            "label.kind": ["even" if i % 2 else "odd" for i in range(n)],
            "label.key": [str(i) for i in range(n)],
        }
    )
    found = bias_of(selected, tokens.astype(float), {"token count": tokens}, columns)
    row = found.numbers.loc["token count"]
    assert row["chosen_mean"] == 349.5
    assert row["left_median"] == 149.5
    # √((Var 0..99 + Var 0..299) / 2) = √((9999 + 89999) / 24).
    assert row["difference"] == pytest.approx(200 / np.sqrt((9999 + 89999) / 24))
    assert row["rank_correlation"] == pytest.approx(1.0)
    assert found.skipped == ("label.key",)
    of = found.categories.set_index(["column", "category"])
    long = of.loc[("dataset", "long")]
    assert (long["n_chosen"], long["n_left"], long["share_chosen"]) == (80, 0, 0.8)
    assert long["shift"] == pytest.approx(0.8 / 0.2)
    assert of.loc[("label.kind", "odd")]["difference"] == pytest.approx(0.0)
    assert len(found.warnings) == 3
    assert found.warnings[0].startswith("Value mostly follows the token count (ρ = 1.00):")
    assert "dataset 'short' is 20.0% of the chosen and 80.0% of all traces" in found.warnings[1]
    assert "4 times its share" in found.warnings[2]
    assert found.briefs == (
        "Value mostly follows the token count (ρ = 1.00): the choice may be one by length.",
        "dataset 'short': 20.0% of the chosen, 80.0% of all traces.",
        "dataset 'long': 80.0% of the chosen, 20.0% of all traces.",
    )


def test_nothing_is_warned_of_where_chance_would_choose_fewer_than_five() -> None:
    selected = np.arange(40) < 4
    columns = pd.DataFrame({"dataset": ["a"] * 4 + ["b"] * 36})
    assert bias_of(selected, np.full(40, np.nan), {}, columns).warnings == ()


@pytest.mark.parametrize("chosen", [[], [True] * 5, [False] * 5])
def test_bias_of_nothing_or_all_is_without_numbers_and_warnings(chosen: list[bool]) -> None:
    n = len(chosen)
    found = bias_of(
        np.array(chosen, dtype=bool),
        np.arange(n, dtype=float),
        {"step count": np.ones(n)},
        pd.DataFrame({"dataset": ["a"] * n}, dtype=object),
    )
    assert np.isnan(found.numbers.loc["step count", "difference"])
    assert found.warnings == ()


def test_rank_correlation_is_pearsons_of_mean_ranks() -> None:
    left, right = np.array([1.0, 2.0, 2.0, 5.0, np.nan]), np.array([2.0, 1.0, 4.0, 9.0, 3.0])
    # Ranks 1, 2.5, 2.5, 4 and 2, 1, 3, 4: Σ of products of deviations 3, Σ of squares 4.5 and 5.
    assert rank_correlation(left, right) == pytest.approx(3.0 / np.sqrt(4.5 * 5.0))
    assert np.isnan(rank_correlation(np.ones(3), np.arange(3.0)))
    assert np.isnan(rank_correlation(np.array([]), np.array([])))


@pytest.mark.parametrize("config", CONFIGS, ids=ids)
def test_the_curve_is_choosing_at_every_share(scored_workspace, config: CurateConfig) -> None:
    view = api.run_view(scored_workspace)
    names = view.signals.trace_ids.tolist()
    said = overriding(names[:2], names[2:4])
    curve = api.budget_curve(view, config, said)
    correct = view.traces["label.is_correct"]
    for row in curve.to_dict("records"):
        share = f"{round(100 * row['share'])}%"
        taken = api.live_choice(view, replace(config, budget=share), said)
        assert (row["n"], row["tokens"]) == (taken.n_selected, taken.tokens)
        inside = taken.values[taken.selected]
        assert row["value"] == pytest.approx(np.nanmean(inside))
        assert row["lowest_value"] == np.nanmin(inside)
        assert row["share_correct"] == pytest.approx(correct[taken.selected].astype(float).mean())
    assert curve["share"].iloc[-1] == 1.0


def test_comparing_two_choices_counts_who_is_where(scored_workspace) -> None:
    view = api.run_view(scored_workspace)
    a = api.live_choice(view, CurateConfig(budget="10"))
    b = api.live_choice(view, CurateConfig(budget="6", strategy="longest"))
    found = api.compare(a, b)
    in_a, in_b = (set(t.trace_ids[t.selected]) for t in (a, b))
    assert set(found.both.index) == in_a & in_b
    assert set(found.only_a.index) == in_a - in_b
    assert set(found.only_b.index) == in_b - in_a
    assert (found.n_a, found.n_b, found.n_common) == (10, 6, 39)
    assert found.jaccard == len(in_a & in_b) / len(in_a | in_b)
    assert found.overlap == len(in_a & in_b) / 6
    assert found.tokens_a == a.tokens
    assert found.rank_correlation == pytest.approx(np.corrcoef(a.rank, b.rank)[0, 1])
    name = found.only_b.index[0]
    where = view.signals.trace_ids.tolist().index(name)
    assert found.only_b.loc[name, "rank_a"] == a.rank[where]
    same = api.compare(api.ranking_frame(a), a)
    assert (same.jaccard, same.rank_correlation) == (1.0, pytest.approx(1.0))


def test_a_saved_choice_compares_with_one_over_other_traces(own_workspace) -> None:
    saved = api.curate(own_workspace, "10")
    view = api.run_view(own_workspace)
    half = saved.choices[: len(saved.choices) // 2]
    other = replace(saved, choices=half)
    found = api.compare(saved, other)
    assert (found.n_a, found.n_b, found.n_both, found.n_common) == (10, 10, 10, len(half))
    live = api.compare(saved, api.live_choice(view, CurateConfig(budget="10")))
    assert (live.jaccard, live.n_common) == (1.0, 39)
    none = api.compare(replace(saved, choices=()), replace(saved, choices=()))
    assert np.isnan(none.jaccard)
    assert none.traces.empty


def test_a_notebook_compares_saved_selections_by_name_id_or_handle(own_workspace) -> None:
    mine = api.curate(own_workspace, "10", name="mine")
    other = api.curate(own_workspace, "6", strategy="longest", name="<b>other")
    expected = api.compare(mine, other)

    handle = api.selection_view(own_workspace, "mine")
    theirs = api.selection_view(own_workspace, other.id)
    by_name, *others = (handle.compare(it) for it in ("<b>other", other.id, other, theirs))

    assert handle.selection.id == mine.id
    assert (by_name.a.id, by_name.b.id) == (mine.id, other.id)
    assert (by_name.n_a, by_name.n_b, by_name.jaccard) == (10, 6, expected.jaccard)
    for one in (by_name, *others):
        pd.testing.assert_frame_equal(one.traces, expected.traces)
    with pytest.raises(NotFoundError, match="nothing"):
        handle.compare("nothing")

    figure = by_name.figure()
    names = [f"In both: {expected.n_both}", f"Only in mine: {len(expected.only_a)}"]
    names.append(f"Only in &lt;b&gt;other: {len(expected.only_b)}")
    assert [trace.name for trace in figure.data] == names
    assert list(figure.data[1].customdata) == expected.only_a.index.tolist()
    assert list(figure.data[1].y) == expected.only_a["rank_b"].tolist()
