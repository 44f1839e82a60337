"""Which run does a page open by itself, and what is it called in the sidebar?"""

from dataclasses import replace

from grace_engine.ui import controls
from tests.pages.conftest import a_run

NEWEST = replace(a_run(), id="r-00000003", n_scored=100)
FULLER = replace(a_run(), id="r-00000002", n_scored=798)
AS_FULL = replace(a_run(), id="r-00000001", n_scored=798)


def test_the_run_with_most_scored_traces_opens_and_of_equals_the_newest() -> None:
    assert controls.usual_run([NEWEST, FULLER, AS_FULL]) is FULLER


def test_two_runs_of_one_long_model_differ_within_the_box() -> None:
    names = [
        controls._short_name(replace(run, model="/models/tiny-reasoner-early"))
        for run in (NEWEST, FULLER)
    ]

    assert names == [
        "tiny-rea…r-early · upstream · 00000003",
        "tiny-rea…r-early · upstream · 00000002",
    ]
    assert controls.run_counts(NEWEST) == "model, r-00000003: 100 traces scored"
