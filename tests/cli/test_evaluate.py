"""Does the shell hold signals against the labels that the data carries?"""

import json
from itertools import islice
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.config import IngestConfig, ScoreConfig

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> api.Workspace:
    """Sixty shipped traces of known kinds, scored."""
    folder = tmp_path_factory.mktemp("planted")
    with (SAMPLE / "planted" / "traces.jsonl").open("rb") as lines:
        (folder / "planted.jsonl").write_bytes(b"".join(islice(lines, 60)))
    workspace = api.open_workspace(folder / "workspace", create=True)
    api.ingest(workspace, [folder / "planted.jsonl"], IngestConfig(dataset="planted"))
    api.score(workspace, ScoreConfig(model=str(SAMPLE / "tiny-reasoner")))
    return workspace


@pytest.mark.long
def test_planted_errors_are_evaluated_by_kind_signal_and_place(grace, planted) -> None:
    status, out, err = grace("evaluate", "-w", planted.root, "--resamples", "50", "--json")
    assert status == 0, err
    found = json.loads(out)["evaluations"][0]
    assert found["n_traces"] == 60
    source = planted.root.parent / "planted.jsonl"
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    wrong = [row for row in rows if row["kind"] == "wrong_result"]
    across = next(
        d
        for d in found["steps"]
        if (d["kind"], d["signal"], d["where"]) == ("wrong_result", "alignment", "across")
    )
    assert across["n_bad"] == sum(len(row["bad_steps"]) for row in wrong)
    low, high = across["auc_interval"]
    assert 0 <= low <= across["auc"] <= high <= 1
    trace = next(d for d in found["traces"] if d["kind"] == "incorrect answer")
    assert trace["n_bad"] == sum(not row["is_correct"] for row in rows)
    pool = sum(row["kind"] == "clean" for row in rows) / 60
    assert next(p["pool"] for p in found["purity"] if p["label"] == "kind") == pytest.approx(pool)
    assert found["run"]["proxy"] == "upstream"


def test_labels_of_a_file_take_the_place_of_the_datas(grace, planted, tmp_path) -> None:
    traces = json.loads(grace("traces", "-w", planted.root, "--json", "--limit", "3")[1])["traces"]
    lines = [
        {"trace_id": traces[0]["trace_id"], "step": 2, "label": "redundant"},
        {"trace_id": traces[0]["trace_id"], "step": 1, "label": "good"},
        {"trace_id": traces[1]["trace_id"], "step": 1, "label": "good"},
    ]
    path = tmp_path / "verdicts.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = ("evaluate", "-w", planted.root, "--resamples", "5", "--json", "--labels", path)
    status, out, err = grace(*command)
    assert status == 0, err
    (found,) = json.loads(out)["evaluations"]
    assert found["n_labelled_steps"] == 3
    assert {d["kind"] for d in found["steps"]} == {"redundant"}
    areas = {(d["n_bad"], d["n_good"]) for d in found["steps"] if d["signal"] == "loss"}
    assert areas == {(1, 1), (1, 2)}  # within its trace; across, trace 2 is good as well
    assert {d["kind"] for d in found["traces"]} == {"a bad step"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "cannot be read"),
        ('{"trace": "x"}', "trace_id"),
        ('{"trace_id": "x", "label": "good"}', "None of the 1 trace ids"),
        ('{"trace_id": "ID", "step": 99, "label": "good"}', "labels step 99"),
        ('{"trace_id": "ID", "step": 1.5, "label": "good"}', "whole number"),
        ('{"trace_id": "ID", "step": true, "label": "good"}', "whole number"),
        ('{"trace_id": "ID", "step": "two", "label": "good"}', "whole number"),
        ('{"trace_id": "ID", "step": 1, "label": "good"}', "names an error"),
        ('{"trace_id": "ID", "label": "colourful"}', "calls no trace good"),
        (
            '{"trace_id": "ID", "step": 1, "label": "good"}\n'
            '{"trace_id": "ID", "step": 1, "label": "wrong"}',
            "two different labels",
        ),
    ],
)
def test_a_file_of_labels_that_does_not_fit_is_refused(
    grace, planted, tmp_path, text: str, said: str
) -> None:
    traces = json.loads(grace("traces", "-w", planted.root, "--json", "--limit", "1")[1])["traces"]
    path = tmp_path / "labels.jsonl"
    path.write_text(text.replace("ID", traces[0]["trace_id"]) + "\n")
    status, _, err = grace("evaluate", "-w", planted.root, "--labels", path)
    assert status == 1
    assert said in err


def test_a_named_label_alone_is_asked_about(grace, planted) -> None:
    command = ("evaluate", "-w", planted.root, "--resamples", "5", "--json")
    (found,) = json.loads(grace(*command, "--labels", "is_correct")[1])["evaluations"]
    assert found["steps"] == []
    assert {d["kind"] for d in found["traces"]} == {"incorrect answer"}
    status, _, err = grace(*command, "--labels", "colour")
    assert status == 1
    assert "is_correct, kind" in err


@pytest.mark.long
def test_runs_stand_beside_each_other_and_a_models_losses_once(grace, planted) -> None:
    api.score(planted, ScoreConfig(model=str(SAMPLE / "tiny-reasoner"), proxy="lm_head"))
    command = ("evaluate", "-w", planted.root, "--run", "all", "--resamples", "5", "--markdown")
    status, out, err = grace(*command)
    assert status == 0, err
    within = out.split("\n\n")[1].splitlines()
    proxies = [line.split(" | ")[1] for line in within[2:]]
    assert proxies.count("upstream") == proxies.count("lm_head") == 2
    assert [line.split(" | ")[2] for line in within[-2:]] == ["loss", "fresh loss"]


def test_figures_are_written_and_hold_the_numbers(grace, planted, tmp_path) -> None:
    folder = tmp_path / "figures"
    command = ("evaluate", "-w", planted.root, "--resamples", "5", "--json", "--figures", folder)
    status, out, err = grace(*command)
    assert status == 0, err
    found = json.loads(out)["evaluations"][0]
    names = {path.name for path in folder.iterdir()}
    run = found["run"]["id"]
    assert names == {
        "steps-planted.svg", "traces-planted.svg", f"around-planted-{run}.svg",
        "top-planted-kind.svg", "top-planted-is_correct.svg",
    }  # fmt: skip
    auc = next(
        d["auc"]
        for d in found["steps"]
        if (d["kind"], d["signal"], d["where"]) == ("carried_on", "norm", "within")
    )
    assert f">{auc:.2f}<" in (folder / "steps-planted.svg").read_text()


def test_a_dataset_that_the_run_does_not_hold_is_named(grace, planted) -> None:
    status, _, err = grace("evaluate", "-w", planted.root, "--dataset", "gsm8k")
    assert status == 1
    assert "planted" in err


def test_an_irrelevant_step_has_a_higher_loss_than_the_others(planted) -> None:
    (found,) = api.evaluate(planted, resamples=10)
    loss = [d for d in found.steps if (d.kind, d.signal) == ("irrelevant", "loss")]
    assert loss
    assert all(d.auc > 0.9 for d in loss)


def test_correctness_alone_can_be_evaluated(grace, scored_workspace) -> None:
    status, out, _ = grace("evaluate", "-w", scored_workspace.root, "--resamples", "20")
    assert status == 0
    assert "incorrect" in out


def test_without_labels_there_is_nothing_to_hold_signals_against(grace, tmp_path) -> None:
    path = tmp_path / "plain.jsonl"
    path.write_text('{"q": "1+1?", "t": "One and one. The answer is 2."}\n')
    workspace = api.open_workspace(tmp_path / "workspace", create=True)
    api.ingest(workspace, [path], IngestConfig(mapping="prompt=q,trace=t"))
    api.score(workspace, ScoreConfig(model=str(SAMPLE / "tiny-reasoner")))
    status, _, err = grace("evaluate", "-w", workspace.root)
    assert status == 1
    assert "is_correct" in err


def test_of_several_runs_one_without_labels_is_left_out_with_a_note(grace, tmp_path) -> None:
    planted_file, plain = tmp_path / "planted.jsonl", tmp_path / "plain.jsonl"
    with (SAMPLE / "planted" / "traces.jsonl").open("rb") as lines:
        planted_file.write_bytes(b"".join(islice(lines, 12)))
    plain.write_text('{"q": "1+1?", "t": "One and one. The answer is 2."}\n')
    workspace = api.open_workspace(tmp_path / "workspace", create=True)
    api.ingest(workspace, [planted_file])
    api.ingest(workspace, [plain], IngestConfig(mapping="prompt=q,trace=t"))
    model = str(SAMPLE / "tiny-reasoner")
    for config in (
        ScoreConfig(model=model, datasets=("planted",)),
        ScoreConfig(model=model, datasets=("planted",), target="reference"),
        ScoreConfig(model=model, datasets=("plain",)),
    ):
        api.score(workspace, config)

    status, out, err = grace(
        "evaluate", "-w", workspace.root, "--run", "all", "--resamples", "0", "--markdown"
    )

    assert status == 0, err
    assert "carries a label" in err
    # Runs that differ in their target are told apart, and so are their losses.
    assert "| upstream, target reference |" in out
    assert "| target reference | answer loss |" in out
    assert "nan" not in out


def test_numbers_that_are_written_as_texts_are_read_as_numbers(grace, planted, tmp_path) -> None:
    traces = json.loads(grace("traces", "-w", planted.root, "--json", "--limit", "2")[1])["traces"]
    path = tmp_path / "LABELS.CSV"
    first, second = (trace["trace_id"] for trace in traces[:2])
    path.write_text(f"trace_id,step,label\n{first},1,1\n{first},2,odd\n{second},1,0\ngone,1,1\n")
    command = ("evaluate", "-w", planted.root, "--labels", path, "--resamples", "0")
    status, out, err = grace(*command, "--json")
    assert status == 0, err
    (found,) = json.loads(out)["evaluations"]
    assert {d["kind"] for d in found["steps"]} == {"odd"}
    assert {(d["n_bad"], d["n_good"]) for d in found["steps"] if d["signal"] == "loss"} == {(1, 1)}
    assert found["n_labelled_steps"] == 3
    assert "1 of the 4 labels" in found["notes"][0]
    assert "1 of the 4 labels" in grace(*command)[2]
