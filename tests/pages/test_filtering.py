"""Do filters let through what they say, and does the address carry them?"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grace_engine.api import Annotations, RunView
from grace_engine.figures import frames
from grace_engine.records import Annotation, Choice, Selection
from grace_engine.ui import filtering, jumping, listing
from grace_engine.ui.filtering import Filters

MakeView = Callable[..., RunView]


def entry(word: str, trace_id: str, step: int | None = None) -> Annotation:
    return Annotation(seq=1, action=1, kind="verdict", trace_id=trace_id, step=step, word=word)


def annotations(**more: object) -> Annotations:
    fields = {"verdicts": {}, "overrides": {}, "looked": frozenset(), "version": 0}
    return Annotations(**fields | {"author": "a", "can_undo": False, "can_redo": False} | more)


@pytest.fixture
def rows() -> pd.DataFrame:
    """Eight traces whose numbers can be read off: alignment and value rise from -0.3 to 0.4."""
    ids = [f"{i:x}" * 16 for i in range(8)]
    return pd.DataFrame(
        {
            "trace_id": ids,
            "dataset": ["a"] * 4 + ["b"] * 4,
            "variant": ["one", "two"] * 4,
            "line": [1, 1, 2, 2, 3, 3, 4, 4],
            "value": [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, np.nan],
            "alignment": [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4],
            "n_steps": [1, 2, 3, 4, 5, 6, 7, 8],
            "n_tokens": [10] * 8,
            "answer_loss": [1.0] * 8,
            "peak_loss": [1.0, 2.0] * 4,
            "correct": pd.Series(
                [True, False, None, True, False, True, False, False], dtype=object
            ),
            "label.kind": ["x", "y", None, "x", "z", "x", "y", "z"],
            "judged": [True, False] * 4,
            "looked": [True] * 3 + [False] * 5,
            "override": ["keep", "drop", "", "", "", "", "", "drop"],
        }
    )


def meant(rows: pd.DataFrame, filters: Filters, **sets: object) -> list[int]:
    return np.flatnonzero(filtering.mask(rows, filters, **sets)).tolist()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ({"alignment": ["..-0.2"]}, [0, 1]),
        ({"consistency": ["0.5.."]}, [5, 6, 7]),
        ({"norm": ["2..3"], "fresh_loss": ["0..0"]}, [2, 3]),
        ({"margin": ["0..0.1"]}, [4, 5]),
        ({"range.label.level": ["2..3"]}, [2, 3]),
        ({"range.label.level": ["2..3"], "alignment": ["0.."]}, [3]),
        ({"range.label.gone": ["2..3"], "n_steps": ["8.."]}, [7]),
    ],
)
def test_every_number_of_a_trace_can_be_bounded(
    rows: pd.DataFrame, address: dict[str, list[str]], expected: list[int]
) -> None:
    rows = rows.assign(
        consistency=[n / 10 for n in range(8)],
        norm=[float(n) for n in range(8)],
        fresh_loss=0.0,
        margin=rows["value"] - 0.1,
        **{"label.level": pd.Series([None, 1, 2, 3, 4, 5, 6, None], dtype=object)},
    )

    asked = filtering.read(address)

    assert meant(rows, asked) == expected
    assert set(filtering.chips(asked)) == set(address)


def test_labels_that_are_numbers_can_be_bounded_and_truth_values_not() -> None:
    rows = pd.DataFrame(
        {
            "n_steps": [1, 2],
            "label.level": pd.Series([1, None], dtype=object),
            "label.share": [0.5, 0.25],
            "label.is_correct": pd.Series([True, None], dtype=object),
            "label.kind": ["1", "2"],
            "label.none": pd.Series([None, None], dtype=object),
        }
    )

    assert filtering.number_labels(rows) == ["label.level", "label.share"]


def test_facts_are_means_over_the_steps_that_have_a_value(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(3, 1)
    signals = view.signals

    found = frames.facts(view)

    assert found["consistency"][0] == pytest.approx(signals.consistency[1:3].mean())
    assert np.isnan(found["consistency"][1])
    assert found["norm"].tolist() == pytest.approx([signals.norm[:3].mean(), signals.norm[3]])
    assert found["alignment"][0] == pytest.approx(signals.alignment[:3].mean())


def test_nothing_asked_for_lets_everything_through(rows: pd.DataFrame) -> None:
    assert meant(rows, Filters()) == list(range(8))
    assert meant(rows, filtering.read({"run": ["r-1"], "sort": ["Steps"]})) == list(range(8))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ({"dataset": ["b"]}, [4, 5, 6, 7]),
        ({"dataset": ["a", "b"]}, list(range(8))),
        ({"label.kind": ["y", "z"]}, [1, 4, 6, 7]),
        ({"label.gone": ["y"]}, list(range(8))),
        ({"correct": ["right"]}, [0, 3, 5]),
        ({"correct": ["wrong"]}, [1, 4, 6, 7]),
        ({"correct": ["unknown"]}, [2]),
        ({"verdict": ["with"]}, [0, 2, 4, 6]),
        ({"verdict": ["without"]}, [1, 3, 5, 7]),
        ({"looked": ["no"]}, [3, 4, 5, 6, 7]),
        ({"override": ["keep"]}, [0]),
        ({"override": ["drop"]}, [1, 7]),
        ({"override": ["none"]}, [2, 3, 4, 5, 6]),
        ({"value": ["0..0.2"]}, [3, 4, 5]),
        ({"value": ["..-0.1"]}, [0, 1, 2]),
        ({"n_steps": ["7.."]}, [6, 7]),
        ({"peak_loss": ["2..2"], "correct": ["right"]}, [3, 5]),
        ({"decile": ["10"]}, [6]),
        ({"decile": ["11"], "value": ["x..y"], "looked": ["perhaps"]}, list(range(8))),
    ],
)
def test_each_filter_lets_through_what_it_says_and_all_must_agree(
    rows: pd.DataFrame, address: dict[str, list[str]], expected: list[int]
) -> None:
    assert meant(rows, filtering.read(address)) == expected


def test_contradictions_are_wrong_in_the_top_quarter_and_right_in_the_bottom(
    rows: pd.DataFrame,
) -> None:
    # Quartiles of -0.3, -0.2, …, 0.4 are -0.125 and 0.225.
    assert meant(rows, filtering.read({"odd": ["high-wrong"]})) == [6, 7]
    assert meant(rows, filtering.read({"odd": ["low-right"]})) == [0]


def test_text_and_selection_come_as_sets_of_ids(rows: pd.DataFrame) -> None:
    ids = rows["trace_id"]
    inside = filtering.read({"inside": ["in"], "selection": ["s-1"]})
    outside = filtering.read({"inside": ["out"], "selection": ["s-1"]})

    assert meant(rows, Filters(text="x"), found={ids[2], ids[5]}) == [2, 5]
    assert meant(rows, inside, inside={ids[1]}) == [1]
    assert meant(rows, outside, inside={ids[1]}) == [0, 2, 3, 4, 5, 6, 7]
    assert meant(rows, inside) == list(range(8))


def test_a_mask_agrees_with_one_trace_after_the_other(rows: pd.DataFrame) -> None:
    address = {"dataset": ["b"], "correct": ["wrong"], "value": ["0..1"], "label.kind": ["z"]}

    def slow(row: pd.Series) -> bool:
        return bool(
            row["dataset"] == "b"
            and row["correct"] is False
            and 0 <= row["value"] <= 1
            and row["label.kind"] == "z"
        )

    expected = [i for i in range(len(rows)) if slow(rows.iloc[i])]
    assert meant(rows, filtering.read(address)) == expected == [4]


@pytest.mark.parametrize("ends", [(0.1, 0.5), (None, 0.5), (-0.25, None), (3.0, 3.0)])
def test_a_range_survives_the_address(ends: tuple[float | None, float | None]) -> None:
    assert filtering.parse_range(filtering.range_text(*ends)) == ends


@pytest.mark.parametrize("text", ["", "1", "a..b", "nan..1", "..", "1..2..3", "inf.."])
def test_a_range_that_makes_no_sense_filters_nothing(text: str) -> None:
    assert filtering.parse_range(text) == (None, None)


def test_chips_say_what_is_asked_for() -> None:
    address = {"q": ["a+b"], "regex": ["1"], "label.kind": ["x"], "n_steps": ["2..9"]}

    said = filtering.chips(filtering.read(address | {"odd": ["low-right"], "decile": ["3"]}))

    assert said == {
        "q": "/a+b/",
        "label.kind": "kind: x",
        "n_steps": "Steps ≥ 2 ≤ 9",
        "odd": "Low, but right",
        "decile": "Tenth 3 of 10",
    }


def test_chips_say_what_they_are_about_without_their_titles() -> None:
    choices = {"correct": "wrong", "verdict": "without", "looked": "no", "override": "none"}
    choices |= {"inside": "out", "check": "wrong"}
    address = {name: [choice] for name, choice in choices.items()}

    assert filtering.chips(filtering.read(address), "best 20%") == {
        "correct": "Wrong answer",
        "verdict": "Without verdicts",
        "looked": "Not looked at yet",
        "override": "Neither kept nor dropped",
        "inside": "Left out of best 20%",
        "check": "Answer check: wrong",
    }


def test_what_curators_said_stands_beside_each_trace(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(2, 3, 1)
    first, second, third = view.signals.trace_ids

    rows = filtering.annotated(
        frames.facts(view),
        annotations(
            verdicts={first: {2: entry("wrong", first, 2)}},
            overrides={second: entry("drop", second)},
            looked=frozenset({first}),
        ),
        looked={third},
    )

    assert rows["judged"].tolist() == [True, False, False]
    assert rows["override"].tolist() == ["", "drop", ""]
    assert rows["looked"].tolist() == [True, False, True]


def test_facts_are_means_and_maxima_of_each_traces_steps(view_of_lengths: MakeView) -> None:
    view = view_of_lengths(2, 3, 1)

    facts = frames.facts(view)

    for i, row in facts.iterrows():
        where = view.signals.steps_of(int(i))
        assert row["alignment"] == pytest.approx(view.signals.alignment[where].mean())
        peak = max(*view.signals.nll[where], view.signals.answer_nll[int(i)])
        assert row["peak_loss"] == pytest.approx(peak)


def test_a_label_with_many_values_is_no_filter() -> None:
    rows = pd.DataFrame(
        {
            "label.kind": ["b", "a", None] * 20,
            "label.id": [str(i) for i in range(60)],
            "label.same": ["x"] * 60,
            "label.is_correct": [True, False] * 30,
        }
    )

    assert filtering.label_values(rows) == {"kind": ["a", "b"]}


def test_the_margin_is_the_value_less_the_cut(rows: pd.DataFrame) -> None:
    def choice(
        place: int, value: float | None, *, selected: bool, reason: str = "Rank 1"
    ) -> Choice:
        return Choice(
            trace_id=rows["trace_id"][place],
            record_digest="",
            value=value,
            rank=1,
            selected=selected,
            reason=reason,
            n_tokens=1,
        )

    chosen = (
        choice(0, 0.9, selected=True),
        choice(1, 0.4, selected=True),
        choice(2, 0.1, selected=False),
        choice(3, None, selected=False),
        choice(4, 0.2, selected=True, reason="kept by ana: clean"),
    )
    selection = Selection(
        id="s-1",
        name="",
        run_id="r",
        strategy="grace",
        alpha=0.7,
        history="uniform",
        aggregate="mean",
        history_only=False,
        budget="2",
        seed=0,
        choices=chosen,
    )

    margin = filtering.with_margin(rows, selection)["margin"]

    np.testing.assert_allclose(margin[:5], [0.5, 0.0, -0.3, np.nan, -0.2])
    halves = rows.assign(half=["a", "b", "a", "a", "b", *["c"] * (len(rows) - 5)])

    margin = filtering.with_margin(halves, replace(selection, per="half"))["margin"]

    np.testing.assert_allclose(margin[:5], [0.0, 0.0, -0.8, np.nan, -0.2])


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        *(("1", 0), ("8", 7), ("333", 3), ("3" * 16, 3), ("two · 4", 7), ("✗ two · 1", 1)),
        *(("one", 0), ("two · line 4", 7), ("two · b · line 4", 7)),
    ],
)
def test_a_trace_is_found_by_place_id_or_name(rows: pd.DataFrame, wanted: str, place: int) -> None:
    assert jumping.place_of(rows, wanted) == place


@pytest.mark.parametrize(
    "wanted", ["✓ 33333333 · 2", "33333333 · 2 ⊖", "333333333333 · a · line 2", "· 2 #3333"]
)
def test_a_trace_without_a_name_is_found_as_the_heatmap_and_the_facts_call_it(
    rows: pd.DataFrame, wanted: str
) -> None:
    assert jumping.place_of(rows.assign(variant=""), wanted) == 3


def test_a_whole_name_goes_before_a_longer_one_that_holds_it(rows: pd.DataFrame) -> None:
    rows = rows.assign(variant="one", line=[65, 6, *range(7, 13)])
    assert jumping.place_of(rows, "one · 6") == 1


@pytest.mark.parametrize("wanted", ["9", "0", "nothing", "two · 9"])
def test_a_trace_that_is_not_there_is_not_found(rows: pd.DataFrame, wanted: str) -> None:
    assert jumping.place_of(rows, wanted) is None


def test_what_rows_are_sorted_by_is_said_in_words(rows: pd.DataFrame) -> None:
    shown = rows.assign(margin=rows["value"] - 0.1, mean_loss=0.5).iloc[[3, 7]]

    assert listing.sorted_by(shown, "value") == ["", ""]
    assert listing.sorted_by(shown, "n_tokens") == ["Tokens: 10", "Tokens: 10"]
    assert listing.sorted_by(shown, "margin") == [
        "Margin to the cut: −0.100", "Margin to the cut: –"
    ]  # fmt: skip
    assert listing.sorted_by(shown, "mean_loss") == ["Mean loss: 0.5"] * 2
    assert listing.sorted_by(shown, "label.kind") == ["Label kind: x", "Label kind: z"]
