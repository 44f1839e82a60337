"""Does a report say what a judge said: of how much, how sure, and what it may mean for a size?"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.config import IngestConfig
from grace_engine.errors import NotFoundError
from grace_engine.report.judge_tables import judged_sentences
from grace_engine.report.wording import missing_text, summary
from tests.conftest import SAMPLE
from tests.judging.played import asked_for, blocks, no, play, reply
from tests.served import Served


def doubting(body: dict) -> tuple[int, object]:
    """A judge that finds every first step invalid."""
    first = blocks(body)["earlier-steps"].startswith("(none")
    if asked_for(body) == "validity" and first:
        return reply(json.dumps(no("By hand.")))
    return play(body) if asked_for(body) != "utility" else reply('{"label": "positive"}')


@pytest.fixture(scope="module")
def workspace(_scored: Path, tmp_path_factory: pytest.TempPathFactory) -> api.Workspace:
    root = tmp_path_factory.mktemp("judged-report") / "workspace"
    shutil.copytree(_scored, root)
    found = api.open_workspace(root, create=False)
    api.curate(found, "25%", name="best")
    return found


@pytest.fixture(scope="module")
def made(workspace: api.Workspace) -> Iterator[api.DatasetReport]:
    served = Served(doubting)
    settings = {"metrics": ("validity", "utility"), "price_in": 1.0, "price_out": 1.0}
    ask = api.JudgeSettings(endpoint=served.url, model="<b>played</b>", **settings)
    api.judge(workspace, "best", ask)
    # Of the whole a sample, which happens to hold some of the best.
    api.judge(workspace, "solutions", api.JudgeSettings(
        endpoint=served.url, model="<b>played</b>", sample=5, **settings
    ))  # fmt: skip
    yield api.dataset_report(workspace, "solutions", against=["best"], target_size="8B")
    served.close()


@pytest.fixture(scope="module")
def unread(
    workspace: api.Workspace,
    made: object,  # once others are judged
    tmp_path_factory: pytest.TempPathFactory,
) -> int:
    """Traces of the dataset ``unread``, of which no judge has read any."""
    few = tmp_path_factory.mktemp("unread") / "few.jsonl"
    lines = (SAMPLE / "planted" / "traces.jsonl").read_text().splitlines(keepends=True)
    few.write_text("".join(lines[:40]))
    api.ingest(workspace, [few], IngestConfig(dataset="unread"))
    (n_traces,) = (each.n_traces for each in api.datasets(workspace) if each.name == "unread")
    return n_traces


def test_steps_of_traces_that_both_hold_are_counted_once(made: api.DatasetReport) -> None:
    (validity,) = (column for column in made.columns if column.name == "validity")
    whole, best = (
        next(m for m in made.judged[name].metrics if m.name == "validity").n_steps
        for name in ("solutions", "best")
    )
    assert best > 0  # and all of its traces are among those of the whole
    assert validity.made_by.endswith(f", {whole:,} steps")


@pytest.mark.long
def test_the_shares_of_traces_stand_among_the_metrics(
    made: api.DatasetReport, workspace: api.Workspace
) -> None:
    best = made.subjects[1]
    listed = store.labels_of(workspace, ids=best.numbers.index.tolist()).set_index("id")
    expected = 1 - 1 / listed["n_steps"]
    shares = best.numbers["validity"]
    assert shares.to_dict() == pytest.approx(expected.loc[shares.index].to_dict())
    assert made.spreads["validity"]["best"].mean == pytest.approx(expected.mean())
    micro = next(m for m in made.judged["best"].metrics if m.name == "validity").micro
    assert micro.mean == pytest.approx(1 - len(listed) / listed["n_steps"].sum())
    assert "validity" in made.differences


def test_it_says_how_much_was_judged_by_whom_and_at_which_cost(
    made: api.DatasetReport,
) -> None:
    judged = made.judged["best"]
    n_steps = judged.metrics[0].n_steps
    assert judged.n_traces == made.subjects[1].n_traces
    assert judged.n_requests == 3 * n_steps
    assert judged.cost == pytest.approx(110 * 3 * n_steps / 1e6)
    whole = made.subjects[0]
    n_read = made.judged["solutions"].n_traces
    assert n_read < whole.n_traces
    assert whole.why["validity"] == {
        "not among those that were judged": whole.n_traces - n_read
    }  # fmt: skip
    assert f"and cost {judged.cost:.4g}." in " ".join(judged_sentences(made))
    more = replace(judged, n_requests=judged.n_requests + 7)  # without a price
    said = " ".join(judged_sentences(replace(made, judged={"best": more})))
    assert f"and cost {judged.cost:.4g} for {judged.n_requests:,} of them." in said
    assert "grace judge --metrics" in made.absent["Factuality"]
    assert "Coherence" in made.absent


def test_advice_weighs_what_was_judged(made: api.DatasetReport) -> None:
    weighed = {each.published: each for advice in made.advice for each in advice.weighed}
    assert weighed["Validity"].order
    assert not weighed["Factuality"].order
    assert weighed["Factuality"].left_out == "not measured here"


def test_every_format_tells_of_the_judge_and_its_name_is_no_markup(
    made: api.DatasetReport, tmp_path: Path
) -> None:
    page = api.write_report(made, tmp_path / "r.html").read_text()
    assert "What a judge model says" in page
    assert "&lt;b&gt;played&lt;/b&gt;" in page
    assert "<b>played" not in page
    markdown = api.write_report(made, tmp_path / "r.md").read_text()
    assert "## What a judge model says" in markdown
    assert "<b>" not in markdown.replace("\\<", "")
    document = json.loads(api.write_report(made, tmp_path / "r.json").read_bytes())
    (validity,) = [m for m in document["judged"]["best"]["metrics"] if m["name"] == "validity"]
    assert validity["macro"]["mean"] == made.spreads["validity"]["best"].mean


def test_the_judge_that_read_most_is_shown_also_where_another_was_asked_later(
    workspace: api.Workspace, made: api.DatasetReport
) -> None:
    served = Served(doubting)
    later = api.JudgeSettings(endpoint=served.url, model="later", metrics=("validity",), sample=2)
    try:
        judge = api.judge(workspace, "solutions", later).judge
    finally:
        served.close()
    assert api.list_judges(workspace)[0].model == "later"
    found = api.dataset_report(workspace, "solutions", against=["best"])
    assert {one.judge.id for one in found.judged.values()} == {made.judged["best"].judge.id}
    named = api.dataset_report(workspace, "solutions", judge=judge.id)
    assert named.judged["solutions"].judge.model == "later"
    (part,) = api.judged_datasets(workspace, judge.id)
    n_whole = made.subjects[0].n_traces
    assert (part.dataset, part.n_read, part.n_traces) == ("solutions", 2, n_whole)
    assert [metric.name for metric in part.metrics] == ["validity"]


def test_traces_that_were_read_and_have_no_label_are_counted(made: api.DatasetReport) -> None:
    judged = made.judged["solutions"]
    assert not any("No label" in said for said in judged_sentences(made))
    (first, *others) = judged.metrics
    fewer = replace(judged, metrics=(replace(first, n_traces=first.n_traces - 1), *others))
    said = " ".join(judged_sentences(replace(made, judged={"solutions": fewer})))
    assert f"No label was found of {first.name} of 1 trace: it failed, or was not asked" in said


def test_a_dataset_that_the_judge_did_not_read_says_so_beside_one_that_it_read(
    workspace: api.Workspace, unread: int
) -> None:
    found = api.dataset_report(workspace, "best", against=["unread"])

    said = {column.name: missing_text(found, column) for column in found.columns}
    assert f"{unread} of unread have none: the judge has read none of them" in said["validity"]
    assert f"{unread} of unread have none: no scoring run has them" in said["alignment"]
    assert said["n_steps"] == ""


def test_few_judged_traces_are_no_warning_where_they_rank_nothing(
    workspace: api.Workspace, unread: int
) -> None:
    found = api.dataset_report(workspace, "solutions", against=["unread"], target_size="8B")

    assert found.spreads["validity"]["solutions"].n < 30
    not_weighed = next(m for m in found.advice[0].weighed if m.published == "Validity")
    assert not_weighed.left_out == "measured for solutions only"
    said = [*found.advice[0].warnings, *summary(found)]
    assert not any("Validity" in each or "Utility" in each for each in said)


def test_a_judge_that_read_nothing_of_it_is_named(workspace: api.Workspace, made: object) -> None:
    with pytest.raises(NotFoundError, match="no judge 'j-none'"):
        api.dataset_report(workspace, "solutions", judge="j-none")
