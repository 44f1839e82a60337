"""Does a report of real traces hold what it says, in every format, and measure nothing twice?"""

import json
import re
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.api import measuring
from grace_engine.errors import InputError, NotFoundError
from grace_engine.supervision import MeasureConfig, Measured, Measurer
from grace_engine.supervision.syntax import Parser
from tests.conftest import SAMPLE


@pytest.fixture(scope="module")
def made(scored_workspace_copy: api.Workspace) -> api.DatasetReport:
    return api.dataset_report(
        scored_workspace_copy, "solutions", against=["best"], target_size="8B"
    )


@pytest.fixture(scope="module")
def scored_workspace_copy(_scored: Path, tmp_path_factory: pytest.TempPathFactory):
    import shutil

    root = tmp_path_factory.mktemp("reported") / "workspace"
    shutil.copytree(_scored, root)
    workspace = api.open_workspace(root, create=False)
    api.curate(workspace, "25%", name="best")
    return workspace


def test_what_it_says_of_the_dataset_is_what_is_there(
    made: api.DatasetReport, scored_workspace_copy: api.Workspace
) -> None:
    whole, best = made.subjects
    listed = store.labels_of(scored_workspace_copy, ["solutions"])
    (info,) = api.datasets(scored_workspace_copy)
    assert (whole.n_traces, whole.n_prompts) == (info.n_traces, listed["prompt_digest"].nunique())
    assert sum(whole.refused.values()) == info.n_rejected == 1
    assert whole.answer_rate == info.n_traces / (info.n_traces + 1)
    right = [labels.get("is_correct") for labels in listed["labels"]]
    assert whole.n_right == sum(value is True for value in right)
    assert whole.n_known == sum(value is not None for value in right)
    assert made.shared == {"best": best.n_traces}
    steps = made.spreads["n_steps"]["solutions"]
    assert steps.mean == pytest.approx(listed["n_steps"].mean())
    value = made.differences["value"]["best"]
    assert value.mean < 0  # the best quarter has the higher value
    assert value.is_clear


def test_what_is_not_measured_is_said_with_the_reason(made: api.DatasetReport) -> None:
    assert "pip install 'grace-studio[syntax]'" in made.absent["Syntactic depth"]
    assert "grace judge" in made.absent["Factuality, validity, coherence, utility"]
    assert made.judged == {}
    assert all(made.spreads[column.name] for column in made.columns)


def test_nothing_is_measured_twice_and_a_changed_text_is_measured_anew(
    scored_workspace_copy: api.Workspace,
    made: api.DatasetReport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    plain = Measurer.measure

    def counted(self, pairs, metrics):
        seen.extend(pairs)
        return plain(self, pairs, metrics)

    monkeypatch.setattr(Measurer, "measure", counted)
    again = api.dataset_report(scored_workspace_copy, "solutions")
    assert seen == []
    assert again.spreads["redundancy"]["solutions"] == made.spreads["redundancy"]["solutions"]
    with scored_workspace_copy.database.unit() as connection:
        connection.execute(
            "UPDATE traces SET text = text || ' ' WHERE position = "
            "(SELECT min(position) FROM traces)"
        )
    api.dataset_report(scored_workspace_copy, "solutions")
    assert len(seen) == 1


def test_where_only_the_language_is_missing_no_model_reads_anything(
    scored_workspace_copy: api.Workspace,
    made: api.DatasetReport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = api.dataset_report(scored_workspace_copy, "solutions").subjects[0].languages
    with scored_workspace_copy.database.unit() as connection:
        connection.execute("DELETE FROM trace_metrics WHERE metric = 'language'")
    monkeypatch.delattr(Measurer, "_loaded_reader")
    assert api.report_subjects(scored_workspace_copy, ["solutions"]).n_unmeasured == 0
    again = api.dataset_report(scored_workspace_copy, "solutions").subjects[0]
    assert again.languages == before
    assert again.n_traces == sum(before.values())


@pytest.mark.long
def test_a_parser_that_is_named_later_measures_depth_alone_and_that_once(
    own_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("spacy", reason="spaCy is not installed")
    ids, model = store.trace_ids(own_workspace, ["solutions"])[:6], str(SAMPLE / "tiny-reasoner")
    first = measuring.measure(own_workspace, ids, MeasureConfig(model=model))
    monkeypatch.delattr(Measurer, "_loaded_reader")
    monkeypatch.setattr(Parser, "depth", lambda *_: Measured(word="no pipeline"))
    config = MeasureConfig(model=model, parser="auto")
    later = measuring.measure(own_workspace, ids, config)
    assert (first.n_measured, later.n_measured) == (6, 6)
    assert later.table["why.syntactic_depth"].tolist() == ["no pipeline"] * 6
    assert later.table[first.table.columns].equals(first.table)
    # That there is none is known: nobody looks again, until another pipeline may be taken.
    assert measuring.measure(own_workspace, ids, config).n_measured == 0
    monkeypatch.setattr(Parser, "recipe", "spacy 3 auto (pl_core_news_sm 3.8.0)")
    assert measuring.measure(own_workspace, ids, config).n_measured == 6


@pytest.mark.long
def test_a_report_that_was_interrupted_goes_on_where_it_stopped(
    own_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grace_engine.api.measuring._BATCH", 10)
    plain, seen = Measurer.measure, []

    def interrupted(self, pairs, metrics):
        seen.extend(pairs)
        if len(seen) > 20:
            raise KeyboardInterrupt
        return plain(self, pairs, metrics)

    with monkeypatch.context() as patch:
        patch.setattr(Measurer, "measure", interrupted)
        with pytest.raises(KeyboardInterrupt):
            api.dataset_report(own_workspace, "solutions")
    seen.clear()
    n_traces = api.datasets(own_workspace)[0].n_traces

    def counted(self, pairs, metrics):
        seen.extend(pairs)
        return plain(self, pairs, metrics)

    monkeypatch.setattr(Measurer, "measure", counted)
    api.dataset_report(own_workspace, "solutions")
    assert len(seen) == n_traces - 20


def test_the_page_is_one_file_that_loads_nothing_and_runs_nothing(
    made: api.DatasetReport, tmp_path: Path
) -> None:
    page = api.write_report(made, tmp_path / "report.html").read_text()
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|https?://", page)
    assert page.count("<svg") == len(made.columns) + 1
    assert "For a model of 8B parameters" in page
    assert "no exact two-sided p can be below .083" in page
    assert len(page) < 300_000


def test_it_begins_with_the_largest_differences_and_says_names_models_without_paths(
    made: api.DatasetReport, tmp_path: Path
) -> None:
    from grace_engine.report.wording import number, summary

    first, signals, *_ = said = list(summary(made))
    apart = {
        column: abs(found["best"].mean) / found["best"].deviation
        for column, found in made.differences.items()
        if "best" in found and found["best"].is_clear
    }
    titles = {column.name: column.title for column in made.columns}
    texts = {name: size for name, size in apart.items() if not titles[name].startswith("GRACE")}
    # best was chosen by GRACE: that its signals differ comes after what its texts are like.
    if texts:
        largest = max(texts, key=lambda name: texts[name])
        means = [number(made.spreads[largest][name].mean) for name in ("solutions", "best")]
        assert f"{titles[largest].lower()} ({means[0]} against {means[1]})" in first
        assert first.count(" against ") == min(3, len(texts))
    else:
        assert first == "No difference of texts between solutions and best is told apart from 0."
    assert "GRACE" not in first
    assert signals.startswith("It also has lower GRACE ")
    assert "best was chosen by such signals" in signals
    assert any("the paper's findings" in each for each in said)
    page = api.write_report(made, tmp_path / "r.html").read_text()
    assert page.index("In short") < page.index("At a glance")
    assert "tokenizer of tiny-reasoner." in page
    assert str(SAMPLE) not in page


def test_the_command_that_lists_wrong_answers_is_one_that_works(
    scored_workspace_copy: api.Workspace, made: api.DatasetReport, grace
) -> None:
    from grace_engine.report.wording import summary

    found = api.dataset_report(scored_workspace_copy, "best")
    [said] = [each for each in summary(found) if "known answer" in each]
    assert said.endswith("--list wrong lists those of its whole dataset, chosen or not.")
    whole = api.dataset_report(scored_workspace_copy, "solutions")
    [said] = [each for each in summary(whole) if "known answer" in each]
    assert said.endswith("wrong: grace check solutions --list wrong lists them.")
    listing = said.partition(": grace ")[2].removesuffix(" lists them.")
    status, *_ = grace(*listing.split(), "-w", scored_workspace_copy.root)
    assert status == 0


def test_names_from_data_are_text_and_never_markup(made: api.DatasetReport, tmp_path: Path) -> None:
    from dataclasses import replace

    evil = "<script>alert(1)</script>|x"
    first = replace(made.subjects[0], name=evil, detail=evil, refused={evil: 1})
    spreads = {k: {evil: v["solutions"], **v} if v else v for k, v in made.spreads.items()}
    bad = replace(made, subjects=(first, made.subjects[1]), spreads=spreads)
    page = api.write_report(bad, tmp_path / "r.html").read_text()
    assert "<script" not in page
    markdown = api.write_report(bad, tmp_path / "r.md").read_text()
    assert "<script" not in markdown.replace("\\<", "")
    assert "x: dataset report" in markdown


def test_json_and_markdown_hold_the_same_numbers(made: api.DatasetReport, tmp_path: Path) -> None:
    document = json.loads(api.write_report(made, tmp_path / "r.json").read_bytes())
    assert [s["name"] for s in document["subjects"]] == ["solutions", "best"]
    (redundancy,) = [m for m in document["metrics"] if m["name"] == "redundancy"]
    mean = made.spreads["redundancy"]["solutions"].mean
    assert redundancy["spreads"]["solutions"]["mean"] == mean
    assert document["advice"][0]["model"] == "PLLuM-8B-instruct"
    markdown = api.write_report(made, tmp_path / "r.md").read_text()
    assert f"| Redundancy | {mean:.3f}".replace("-", "−") in markdown
    with pytest.raises(InputError, match=r"use \.html"):
        api.write_report(made, tmp_path / "r.pdf")


def test_what_cannot_be_reported_is_refused_in_a_sentence(
    scored_workspace_copy: api.Workspace, grace
) -> None:
    with pytest.raises(NotFoundError, match="neither a dataset nor a selection 'nothing'"):
        api.dataset_report(scored_workspace_copy, "nothing")
    with pytest.raises(InputError, match="needs different names"):
        api.dataset_report(scored_workspace_copy, "solutions", against=["solutions"])
    status, _, err = grace("report", "nothing", "-w", scored_workspace_copy.root)
    assert (status, err.count("error:")) == (1, 1)


def test_the_shell_shows_writes_and_says_json(
    scored_workspace_copy: api.Workspace, made: api.DatasetReport, grace, tmp_path: Path
) -> None:
    at = ("-w", scored_workspace_copy.root)
    status, out, err = grace(
        "report", "best", "--against", "solutions", "--target-size", "70B", *at
    )
    assert status == 0
    assert "Redundancy" in out
    assert "70B is far from the 11B" in " ".join(err.split())
    status, out, _ = grace("report", "best", "--to", tmp_path / "r.html", "--json", *at)
    assert status == 0
    assert json.loads(out)["subjects"][0]["name"] == "best"
    assert (tmp_path / "r.html").exists()


def test_metrics_go_with_their_dataset(own_workspace: api.Workspace) -> None:
    api.dataset_report(own_workspace, "solutions")
    api.delete_dataset(own_workspace, "solutions")
    with own_workspace.database.unit() as connection:
        assert connection.execute("SELECT count(*) FROM trace_metrics").fetchall() == [(0,)]
