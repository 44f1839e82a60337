"""Does a report say what its own numbers say: no more certain, none left out, none contradicted?"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grace_engine.api import reporting
from grace_engine.api.measuring import Measurement
from grace_engine.report import (
    Advice,
    Column,
    DatasetReport,
    Subject,
    as_html,
    difference_of,
    doubts,
    few_of,
    share_of,
    spread_of,
    t_of,
)
from grace_engine.report.drawing import histogram
from grace_engine.report.judge_tables import share_text
from grace_engine.report.tables import FACTS, as_markdown, difference_text, spread_text
from grace_engine.report.wording import summary, undrawn_text
from tests.report.test_subjects import subject

PROMPTS = np.array([str(k) for k in range(400)], dtype=object)


def by(basis: str, scores: dict[str, float], *, size: float = 11.0, **more: object) -> Advice:
    return Advice(
        size=size,
        model="m",
        model_size=11.0,
        basis=basis,
        weighed=(),
        scores=scores,
        ties=False,
        **more,
    )


def report_of(*subjects: Subject, advice: tuple[Advice, ...] = ()) -> DatasetReport:
    column = Column(name="m", title="Measure", how="By hand.", bounds=(0.0, 1.0))
    spreads = {
        one.name: found
        for one in subjects
        if (found := spread_of(one.numbers["m"].to_numpy(dtype=np.float64), one.prompts))
    }
    return DatasetReport(
        subjects=subjects,
        columns=(column,),
        absent={},
        spreads={"m": spreads},
        differences={"m": {b.name: difference_of(subjects[0], b, "m") for b in subjects[1:]}},
        shared={},
        advice=advice,
    )


@pytest.fixture
def two() -> tuple[Subject, Subject]:
    values = [0.1, 0.2, 0.3, 0.4, 0.5]
    return subject("x", values, list("abcde")), subject("y", values, list("fghij"))


@pytest.mark.parametrize(
    ("bases", "said"),
    [
        (
            (by("first", {"x": 0.1, "y": -0.1}), by("second", {"y": 0.7, "x": -0.7})),
            "For a model of 11B the paper's findings do not agree: they favour x by first, but y "
            "by second.",
        ),
        (
            (by("first", {"x": 0.1, "y": -0.1}), by("second", {"x": 0.7, "y": -0.7})),
            "For a model of 11B the paper's findings favour x, on weak evidence.",
        ),
        (
            (by("first", {"x": 0.1, "y": 0}, size=0.6, warnings=("A.", "B."), worst="x is small"),),
            "Nothing in the paper speaks of a model of 0.6B; its findings for the 11B model, the "
            "nearest, favour x, on weak evidence. Mind that x is small (2 warnings stand beside "
            "the ranking).",
        ),
    ],
)
def test_the_summary_says_what_the_rankings_below_say(
    two: tuple[Subject, Subject], bases: tuple[Advice, ...], said: str
) -> None:
    assert list(summary(report_of(*two, advice=bases)))[-1] == said


def test_t_is_that_of_the_tables() -> None:
    # Student's t for two-sided 95%, as any textbook prints it.
    printed = {4: 2.776, 5: 2.571, 9: 2.262, 29: 2.045, 120: 1.980}
    assert {n: t_of(n) for n in printed} == pytest.approx(printed, abs=1e-3)


def test_what_never_varies_has_no_interval_and_tells_nothing_apart_of_few() -> None:
    ones = spread_of(np.ones(5), PROMPTS[:5], (0.0, 1.0))
    assert spread_text(ones, 398) == "1.000 (all the same, n = 5); 1 to 1; 5 traces"
    share = share_of(np.full(5, 3.0), np.full(5, 3.0), PROMPTS[:5])
    assert share_text(share) == "100.0% (the same for every prompt, n = 5 prompts)"
    varied = subject("y", [0.7, 0.8] * 50, [f"y{k}" for k in range(100)])
    few = difference_of(subject("x", [1.0] * 29, list(PROMPTS[:29])), varied, "m", (0.0, 1.0))
    assert not few.is_clear
    assert difference_text(few) == "+0.250 (all the same in x, n = 29)"
    many = difference_of(subject("x", [1.0] * 30, list(PROMPTS[:30])), varied, "m", (0.0, 1.0))
    assert many.is_clear


def test_a_difference_of_strangers_has_welchs_error_and_the_smaller_sides_degrees() -> None:
    few, many = [1.0, 2.0, 4.0, 8.0, 5.0], [0.0, 1.0] * 30
    a = subject("x", few, list(PROMPTS[:5]))
    b = subject("y", many, [f"y{k}" for k in range(60)])
    found = difference_of(a, b, "m")
    error = np.sqrt(np.var(few, ddof=1) / 5 + np.var(many, ddof=1) / 60)
    assert found.high - found.mean == pytest.approx(2.776 * error, rel=1e-3)


def test_languages_add_up() -> None:
    of = {"en": 2, "und": 2, "ru": 1, "ar": 1}
    one = replace(subject("x", [0.0] * 6, list("abcdef")), languages=of)
    assert FACTS["language"](one) == "en 33.3%, undetermined 33.3%, ru 16.7%, ar 16.7%"
    more = replace(one, languages={"en": 2, "und": 1, "ru": 1, "ar": 1, "zh": 1})
    assert FACTS["language"](more) == "en 33.3%, undetermined 16.7%, ru 16.7%, 2 others 33.3%"


def test_metrics_of_few_traces_are_warned_of_one_by_one() -> None:
    pool = subject("pool", [0.5] * 398, list(PROMPTS[:398]))
    read = spread_of(np.linspace(0, 1, 5), PROMPTS[:5])
    whole = spread_of(np.linspace(0, 1, 398), PROMPTS[:398])
    measured = {"Factuality": {"pool": read}, "Flow": {"pool": whole}, "Utility": {"pool": read}}
    two = [pool, replace(pool, name="other")]
    (found,) = doubts(two, measured, counting=measured, reader="m")
    assert "Factuality, Utility (5 traces of pool)" in found.says
    assert "Flow" not in found.says
    (found,) = doubts(two, measured, counting={"Utility"}, reader="m")
    assert "Utility (5 traces of pool)" in found.clause
    assert "Factuality" not in found.says + found.clause
    assert list(doubts(two, measured, counting={"Flow"}, reader="m")) == []
    one = {"Utility": {"pool": spread_of(np.ones(1), PROMPTS[:1])}}
    (found,) = doubts(two, one, counting=one, reader="m")
    assert "Utility (1 trace of pool)" in found.says
    assert few_of([pool], measured["Factuality"]) == {"pool": 5}


def test_markdown_says_why_traces_have_no_number_and_what_is_shared(
    two: tuple[Subject, Subject],
) -> None:
    first = replace(two[0], n_traces=7, why={"m": {"it has one sentence": 2}}, refused={"torn": 3})
    found = as_markdown(replace(report_of(first, two[1]), shared={"y": 80}))
    assert "2 of x have none: it has one sentence." in found
    assert "Traces that it shares: 80 with y." in found
    assert "3 torn (grace rejects lists them)" in found
    assert "; 5 traces |" in found
    one = replace(first, why={"m": {"it has one sentence": 1}})
    found = as_markdown(replace(report_of(one, two[1]), absent={"A, b": "nobody asked."}))
    assert "1 of x has none: it has one sentence." in found
    assert "- **A, b**: not measured, nobody asked." in found


def test_a_difference_without_an_interval_or_without_a_spread_is_named_and_not_drawn(
    two: tuple[Subject, Subject],
) -> None:
    few = subject("few", [0.9], ["z"])
    drawn = as_html(report_of(two[0], replace(few, name="two"), two[1]))
    assert drawn.count("<circle") == 1
    assert drawn.count('class="s2 whisker"') == 1
    assert "or of traces that are all alike: Measure (less two)." in drawn
    none = as_html(report_of(two[0], few))
    assert "open circle" not in none
    assert "Measure (less few)." in none
    both = [subject(name, [1.0] * 30, list(PROMPTS[:30])) for name in "ab"]
    assert not report_of(*both).differences["m"]["b"].is_drawn
    assert undrawn_text(report_of(*two)) == ""


def test_a_heading_and_the_sentence_below_it_do_not_say_the_same(
    two: tuple[Subject, Subject],
) -> None:
    ranked = report_of(*two, advice=(by("the mean over some", {"x": 0.1, "y": 0.0}),))
    assert as_html(ranked).count("the mean over some") == 1
    assert "For the paper&#x27;s 11B model (m), no metric went with gains." in as_html(ranked)
    assert "By the mean over some, for its 11B model (m)," in as_markdown(ranked)


def test_every_missing_parser_is_named() -> None:
    why = ["Install ru_core_news_sm", "no pipeline is known for 'ar'"]
    why += ["Install en_core_web_sm."] * 2
    table = pd.DataFrame({"syntactic_depth": [np.nan] * 4, "why.syntactic_depth": why})
    found = reporting._absent(
        [Column(name="syntactic_depth", title="Syntactic depth", how="")],
        {"syntactic_depth": {}},
        Measurement(table=table, says={"syntactic_depth": "spacy"}, n_measured=0),
    )
    assert found["Syntactic depth"] == (
        "no trace has one. 2 traces: Install en_core_web_sm; 1 trace: Install ru_core_news_sm; "
        "1 trace: no pipeline is known for 'ar'."
    )


def test_a_share_is_drawn_between_0_and_1_and_other_constants_in_the_middle() -> None:
    drawn = histogram({"x": np.ones(9)}, "Share", (0.0, 1.0))
    assert ">0<" in drawn
    assert ">1.000<" in drawn
    assert "1.500" not in drawn
    assert "1.500" in histogram({"x": np.ones(9)}, "Steps")


def test_the_papers_table_says_what_it_averages_and_what_is_not_printed(grace) -> None:
    status, out, err = grace("correlate", "--paper")
    said = " ".join(err.split())
    assert status == 0
    assert "The mean ρ is over 6 of the 9 benchmarks" in said
    assert "not printed by the paper (marked *): Perplexity." in said
    assert "mean ρ over 6" in " ".join(out.split()) or "over 6" in out
