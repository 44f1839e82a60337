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
    assert found["purity"][0]["pool"] == pytest.approx(pool)


def test_an_irrelevant_step_has_a_higher_loss_than_the_others(planted) -> None:
    found = api.evaluate(planted, resamples=10)
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
