"""Does the Data page show a workspace, preview files, start runs, and say what to do next?"""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import streamlit as st

from grace_engine import api
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.errors import InputError
from grace_engine.jobs import Job, JobSpec
from grace_engine.jobs.folder import Status
from grace_engine.ui import data_jobs, data_score
from tests.conftest import SAMPLE
from tests.pages.conftest import HOSTILE_NAME, HOSTILE_STEPS
from tests.pages.looking import button, shown, wait_for_the_end

PATIENCE = 180.0
HOSTILE_DATASET = "<img src=x onerror=window.pwned=9>:red[x]"

# What a widget that reads Markdown would take for markup: not escaped.
BARE = re.compile(r"(?<!\\)(?:<img|<script|:red\[)")

RUNNING = Job(
    id="score-1",
    folder=Path(),
    spec=JobSpec(kind="score", title="Score all", settings={}, device="cpu"),
    status=Status(state="running", phase="Scoring", done=395, total=798, unit="traces"),
    state="running",
    cancelling=False,
)


def test_an_empty_workspace_offers_the_sample_and_makes_nothing(open_data, tmp_path: Path) -> None:
    app = open_data(tmp_path / "w")

    assert not app.exception
    assert app.info[0].proto.title == "Nothing is stored here yet"
    assert button(app, "Prepare the sample")
    assert not (tmp_path / "w").exists()


def test_one_click_prepares_the_sample_in_the_background_and_cancel_ends_it(
    open_data, tmp_path: Path
) -> None:
    app = open_data(tmp_path / "w")

    button(app, "Prepare the sample").click().run()
    assert not app.exception
    assert "Prepare the sample: ingest the shipped traces" in shown(app)
    button(app, "Cancel").click().run()
    assert not app.exception

    opened = wait_for_the_end(tmp_path / "w")
    (job,) = api.list_jobs(opened)
    assert (job.spec.kind, job.state) == ("sample", "cancelled")
    again = open_data(tmp_path / "w")
    assert "Cancelled. What was finished is kept" in shown(again).replace("\\", "")
    assert button(again, "Resume")


def test_a_filled_workspace_is_listed(open_data, scored_workspace: api.Workspace) -> None:
    app = open_data(scored_workspace.root)

    assert not app.exception
    datasets, runs = (frame.value for frame in app.dataframe[:2])
    assert datasets.loc[0, ["dataset", "traces", "rejected"]].tolist() == ["solutions", 39, 1]
    assert runs.loc[0, ["model", "scored", "state"]].tolist() == ["tiny-reasoner", 39, "complete"]
    assert "39 traces and 1 rejected record · 1 scoring run · 0 selections" in shown(app)


def test_contents_follow_a_run(
    open_data, own_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, float | None]] = []
    fragment = st.fragment

    def remembered(*args: object, **kwargs: object):
        begun.append((str(kwargs.get("key")), kwargs.get("run_every")))
        return fragment(*args, **kwargs)

    monkeypatch.setattr(st, "fragment", remembered)
    open_data(own_workspace.root)
    assert ("data-holdings", None) in begun

    monkeypatch.setattr(data_jobs, "known_jobs", lambda _: [RUNNING])
    app = open_data(own_workspace.root)

    assert ("data-holdings", 2.0) in begun
    assert not app.exception


def test_a_run_is_under_way_only_where_a_background_run_does_the_same(
    open_data, own_workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = api.list_runs(own_workspace)
    settings = asdict(ScoreConfig(model=run.model))
    same = replace(RUNNING, spec=replace(RUNNING.spec, settings=settings))
    other = replace(RUNNING, spec=replace(RUNNING.spec, settings=settings | {"proxy": "lm_head"}))
    assert api.may_score(same, run)
    with own_workspace.database.unit() as connection:
        connection.execute("DELETE FROM run_traces WHERE trace_id > '8'")

    def state(job: Job) -> str:
        monkeypatch.setattr(data_jobs, "known_jobs", lambda _: [job])
        return str(open_data(own_workspace.root).dataframe[1].value.loc[0, "state"])

    assert state(other) == "in part"
    assert state(same) == "under way"


@pytest.mark.parametrize(
    ("kind", "says"),
    [("dataset", "39 traces, 1 rejected records"), ("run", "the step Grams of 39 traces")],
)
def test_deletion_says_what_goes_and_is_done_only_when_confirmed(
    open_data, own_workspace: api.Workspace, kind: str, says: str
) -> None:
    (run,) = api.list_runs(own_workspace)
    name = "solutions" if kind == "dataset" else run.id
    app = open_data(own_workspace.root)
    next(box for box in app.selectbox if box.label == "What to delete").set_value((kind, name))
    app.run()

    button(app, "Delete…").click().run()
    assert says in shown(app)
    assert api.list_runs(own_workspace)
    app.button(key="delete-it").click().run()

    assert not app.exception
    left = api.datasets(own_workspace) if kind == "dataset" else api.list_runs(own_workspace)
    assert left == []


def test_rejects_are_shown_with_their_reasons(open_data, scored_workspace: api.Workspace) -> None:
    app = open_data(scored_workspace.root, tab="Rejected")

    assert not app.exception
    counts, table = (frame.value for frame in app.dataframe[:2])
    assert counts.to_numpy().tolist() == [["no-answer", 1]]
    assert table.loc[0, "from"] == "solutions.jsonl, line 6"
    assert "no answer mark" in table.loc[0, "detail"]


def test_a_file_that_was_refused_whole_is_shown_without_a_line(
    open_data, tmp_path: Path, sample_file: Path
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "good.jsonl").write_bytes(sample_file.read_bytes())
    (tmp_path / "files" / "odd.jsonl").write_bytes(b"")
    api.ingest(api.open_workspace(tmp_path / "w", create=True), [tmp_path / "files"])
    app = open_data(tmp_path / "w", tab="Rejected")

    table = app.dataframe[1].value
    assert table["from"].tolist() == ["good.jsonl, line 6", "odd.jsonl"]
    assert table.loc[1, ["reason"]].tolist() == ["file-refused"]
    assert "is empty" in table.loc[1, "detail"]


def test_a_known_file_is_previewed_and_ingested(
    open_data, tmp_path: Path, sample_file: Path
) -> None:
    app = open_data(tmp_path / "w", sample_file.parent, tab="Add traces", file=sample_file.name)

    assert not app.exception
    text = shown(app)
    assert "gsm8k" in text
    assert "Janet sells 16 - 3 - 4" in text
    assert "39 traces for solutions; 1 would be rejected" in text
    assert not (tmp_path / "w").exists(), "a preview stored something"

    button(app, "Ingest 39 traces").click().run()
    assert not app.exception
    opened = wait_for_the_end(tmp_path / "w")
    assert [(each.name, each.n_traces) for each in api.datasets(opened)] == [("solutions", 39)]
    assert "39 traces added to solutions" in shown(app.run())


def test_two_segmenters_stand_side_by_side(open_data, tmp_path: Path, sample_file: Path) -> None:
    app = open_data(tmp_path / "w", sample_file.parent, tab="Add traces", file=sample_file.name)

    app.selectbox(key="segment-other").set_value("blank-lines").run()

    assert not app.exception
    assert {"Cut by auto", "Cut by blank-lines"} <= {each.value for each in app.text}
    steps = [each.value for each in app.html if "g-trace" in each.value]
    assert len(steps) == 20
    assert any(a != b for a, b in zip(steps[::2], steps[1::2], strict=True))


def test_a_trace_that_both_segmenters_keep_is_never_said_to_be_rejected(
    open_data, tmp_path: Path
) -> None:
    # The left segmenter keeps the last ten records, the right one all thirty: its first ten
    # traces are none of those that are shown.
    texts: list[str | list[str]] = [f"Take {n}.\nSo {2 * n}." for n in range(20)]
    texts += [[f"Take {n}.", f"So {2 * n}."] for n in range(20, 30)]
    rows = [
        {"task": f"What is {n}+{n}?", "thoughts": thoughts, "gold": 2 * n}
        for n, thoughts in enumerate(texts)
    ]
    (tmp_path / "mixed.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    app = open_data(tmp_path / "w", tmp_path, tab="Add traces", file="mixed.jsonl")

    next(each for each in app.toggle if each.label.startswith("Choose")).set_value(True).run()
    app.selectbox(key="segment").set_value("given")
    app.selectbox(key="segment-other").set_value("lines").run()

    assert not app.exception
    assert "10 traces for mixed; 20 would be rejected" in shown(app)
    assert len([each for each in app.html if "g-trace" in each.value]) == 20
    assert "This segmenter rejects the trace." not in shown(app)


def test_an_unknown_file_is_mapped_with_the_guess_filled_in(open_data, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rows = [
        {
            "task": f"What is {n}+{n}?",
            "thoughts": f"Take {n}.\nSo {2 * n}.",
            "gold": 2 * n,
            "ok": n % 2 == 0,
            "level": ("easy", "hard")[n % 2],
        }
        for n in range(5)
    ]
    (folder / "odd.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")

    app = open_data(tmp_path / "w", folder, tab="Add traces", file="odd.jsonl")

    assert not app.exception
    assert "No known format fits" in app.warning[0].value
    roles = {box.label: box.value for box in app.selectbox}
    assert (roles["Prompt"], roles["Reasoning"], roles["Answer"]) == ("task", "thoughts", "gold")
    button(app, "Ingest 5 traces").click().run()
    (labels,) = (box for box in app.multiselect if box.label == "Labels")
    assert labels.value == ["ok", "level"]
    opened = wait_for_the_end(tmp_path / "w")
    assert [(each.name, each.n_traces) for each in api.datasets(opened)] == [("odd", 5)]
    mapping = api.list_jobs(opened)[0].spec.settings["mapping"]
    first = api.preview(folder / "odd.jsonl", IngestConfig(mapping=mapping))
    assert first.traces[0].labels == {"is_correct": True, "level": "easy"}
    assert "reference" not in shown(app), "nobody gave one"


@pytest.mark.parametrize("file", ["/etc/passwd", "../secret.jsonl", "link.jsonl"])
def test_a_file_outside_is_refused_with_a_sentence(open_data, tmp_path: Path, file: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.jsonl").write_text('{"question": "secret", "answer": "#### 1"}\n')
    (folder / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")

    app = open_data(tmp_path / "w", folder, tab="Add traces", file=file)

    assert not app.exception
    assert "outside of the folders that this page may read" in app.error[0].value
    assert all("Ingest" not in each.label for each in app.button)


def test_an_upload_is_kept_in_the_workspace_and_previewed(open_data, tmp_path: Path) -> None:
    app = open_data(tmp_path / "w", tab="Add traces")
    row = {"question": "1+1?", "answer": "One and one.\n#### 2"}
    content = json.dumps(row).encode() + b"\n"

    app.file_uploader(key="data-upload").upload("../../up.jsonl", content).run()

    assert not app.exception
    (kept,) = (tmp_path / "w" / "uploads").glob("*/*")
    assert (kept.name, kept.read_bytes()) == ("up.jsonl", content)
    assert "1 trace for up; 0 would be rejected" in shown(app)


@pytest.mark.long
def test_the_estimate_stands_before_the_start_and_a_sample_is_offered(
    open_data, tmp_path: Path
) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    source = SAMPLE / "planted" / "traces.jsonl"
    api.ingest(workspace, [source], IngestConfig(dataset="planted"))

    app = open_data(workspace.root, tab="Score")

    assert not app.exception
    assert "about 400 of 400 traces" in shown(app)
    button(app, "Score a sample of 100").click().run()
    assert not app.exception
    (job,) = api.list_jobs(workspace)
    assert (job.spec.kind, job.spec.settings["sample"]) == ("score", 100)
    assert "waits in the queue" in button(app, "Score all 400").help
    wait_for_the_end(workspace.root)
    (run,) = api.list_runs(workspace)
    assert (run.n_scored, run.n_pending) == (100, 300)
    assert "100 traces scored" in shown(open_data(workspace.root)).replace("\\", "")


def test_scoring_all_stands_back_once_all_is_scored(
    open_data, own_workspace: api.Workspace
) -> None:
    (run,) = api.list_runs(own_workspace)
    app = open_data(own_workspace.root, tab="Score")
    app.selectbox(key="scorer").set_value(run.model).run()

    assert button(app, "Score all 39").proto.type == "secondary"
    app.selectbox(key="proxy").set_value("lm_head").run()
    assert button(app, "Score all 39").proto.type == "primary"


def test_an_ended_run_is_told_until_another_file_is_named(
    open_data, tmp_path: Path, sample_file: Path
) -> None:
    (tmp_path / "other.jsonl").write_bytes(sample_file.read_bytes())
    (tmp_path / sample_file.name).write_bytes(sample_file.read_bytes())
    app = open_data(tmp_path / "w", tmp_path, tab="Add traces", file=sample_file.name)
    button(app, "Ingest 39 traces").click().run()
    wait_for_the_end(tmp_path / "w")
    assert "39 traces added to solutions" in shown(app.run())

    app.text_input(key="file").set_value("other.jsonl").run()

    assert not app.exception
    assert "39 traces added to solutions" not in shown(app)


def test_a_model_folder_is_confined_and_a_hub_id_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRACE_ALLOWED_PATHS", str(tmp_path))
    workspace = str(tmp_path / "w")

    for typed in ("/etc", "../x", "~/model", "a/b/c/../../../../x"):
        with pytest.raises(InputError, match="outside of the folders"):
            data_score.confined_model(typed, set(), workspace)
    assert data_score.confined_model("/etc", {"/etc"}, workspace) == "/etc", "of an earlier run"
    assert data_score.confined_model("Qwen/Qwen3-0.6B", set(), workspace) == "Qwen/Qwen3-0.6B"
    inside = data_score.confined_model("./model", set(), workspace)
    assert inside == str(tmp_path / "model")


@pytest.mark.long
def test_hostile_names_and_texts_are_never_markup(open_data, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    row = {"question": HOSTILE_NAME, "answer": "\n".join(HOSTILE_STEPS) + "\n#### <b>7</b>"}
    name = f"{HOSTILE_DATASET}.jsonl"
    (folder / name).write_text(json.dumps(row) + "\n<script>window.pwned=8</script>\n")
    workspace = api.open_workspace(tmp_path / "w", create=True)
    api.ingest(workspace, [folder / name], IngestConfig(dataset=HOSTILE_DATASET))
    api.score(workspace, ScoreConfig(model=str(SAMPLE / "tiny-reasoner")))
    job = api.start_scoring(workspace, ScoreConfig(datasets=(HOSTILE_DATASET,)))
    wait_for_the_end(workspace.root)
    assert HOSTILE_DATASET in job.spec.title

    for view in ("Contents", "Add traces", "Score", "Rejected"):
        app = open_data(workspace.root, folder, view=view, file=name)
        assert not app.exception
        for kind in (app.markdown, app.caption, app.info, app.error, app.warning, app.success):
            assert not [each.value for each in kind if BARE.search(each.value)]
        for each in app.html:
            assert "<script" not in each.value
            assert "<img" not in each.value
        for each in (*app.button, *app.checkbox, *app.toggle, *app.expander):
            assert "<img" not in each.label
