"""Is a report made in the background, and do trainings of a workspace become evidence?"""

import json
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from grace_engine import api
from grace_engine.errors import InputError
from grace_engine.evidence import permutation_p, spearman
from grace_engine.jobs import Job, JobSpec, Status
from grace_engine.jobs.folder import write_spec, write_status
from grace_engine.training import Cell, CellResult, write_result

PATIENCE = 180.0


def ended(workspace: api.Workspace, run: str) -> Job:
    deadline = time.monotonic() + PATIENCE
    while (job := api.get_job(workspace, run)).is_active:
        assert time.monotonic() < deadline, job
        time.sleep(0.1)
    return job


def test_a_report_in_the_background_measures_and_writes(
    grace, own_workspace: api.Workspace, tmp_path: Path
) -> None:
    to = tmp_path / "report.html"
    before = api.report_subjects(own_workspace, ["solutions"])
    assert before.n_unmeasured == before.n_traces > 0
    status, out, err = grace(
        "report", "solutions", "--to", to, "--background", "--json", "-w", own_workspace.root
    )
    assert status == 0, err
    job = ended(own_workspace, json.loads(out)["id"])
    assert job.state == "finished", job.says
    assert f"The report stands in {to}." in job.says
    assert "<h1>solutions</h1>" in to.read_text()
    assert api.report_subjects(own_workspace, ["solutions"]).n_unmeasured == 0


def test_what_cannot_be_reported_is_said_before_anything_starts(
    grace, own_workspace: api.Workspace, tmp_path: Path
) -> None:
    there = tmp_path / "there.html"
    there.write_text("mine")
    for given, said in (
        (("solutions",), "add --to report.html"),
        (("nothing", "--to", tmp_path / "r.html"), "neither a dataset nor a selection"),
        (("solutions", "--to", tmp_path / "r.pdf"), "does not say how to write it"),
        (("solutions", "--to", there), "--overwrite"),
        (("solutions", "--to", tmp_path / "r.md", "--target-size", "big"), "Target size 'big'"),
    ):
        status, _, err = grace("report", *given, "--background", "-w", own_workspace.root)
        assert status == 1
        assert said in err
    assert not [job for job in api.list_jobs(own_workspace) if job.spec.kind == "report"]


def a_training(workspace: api.Workspace, selection: str, right: int, pool: int = -1) -> None:
    """A run that trained on a selection and solved so many of ten problems, as its folder says."""
    folder = workspace.root / "runs" / f"train-{selection}"
    settings: dict[str, Any] = {
        "what": selection,
        "settings": {"model": "models/small"},
        "evaluate_on": "problems.jsonl",
    }
    spec = JobSpec(kind="train", title="Train", settings=settings)
    for arm, solved in (("subset", right), ("full", pool)):
        if solved >= 0:
            cell = folder / "cells" / f"{arm}-0"
            cell.mkdir(parents=True)
            shares = (1.0,) * solved + (0.0,) * (10 - solved)
            write_result(
                cell,
                CellResult(
                    cell=Cell(arm=arm),  # type: ignore[arg-type]
                    n_examples=1,
                    n_tokens=1,
                    n_steps=1,
                    training_loss=0.0,
                    held_out_loss=None,
                    shares=shares,
                    by_outcome={"right": solved, "wrong": 10 - solved},
                    seconds=0.0,
                ),
            )
    plan = {"selection": selection, "n_problems": 10, "n_cells": 2}
    (folder / "report.json").write_bytes(orjson.dumps(plan))
    write_spec(folder, spec)
    write_status(folder, Status(state="finished", number=1))


@pytest.fixture
def trained(own_workspace: api.Workspace) -> tuple[api.Workspace, dict[str, int]]:
    """Three selections and their pool, trained on; the shortest traces train best."""
    right = {}
    for budget, solved in (("10%", 8), ("25%", 5), ("60%", 6)):
        chosen = api.curate(own_workspace, budget, name=f"best {budget}", strategy="longest")
        a_training(own_workspace, chosen.id, solved, pool=9 if budget == "60%" else -1)
        right[f"best {budget}"] = solved
    return own_workspace, right | {"solutions": 9}


@pytest.mark.long
def test_trainings_of_the_workspace_are_evidence(trained) -> None:
    workspace, right = trained
    told = {one.name: one for one in api.trained_on(workspace)}
    assert {name: round(10 * one.found.mean) for name, one in told.items()} == right
    assert {one.model for one in told.values()} == {"small"}
    assert {one.result for one in told.values()} == {"accuracy on 10 of problems.jsonl"}
    report = api.training_evidence(workspace)
    assert sorted(report.evidence.datasets) == sorted(right)
    results = report.evidence.results["small"]["accuracy on 10 of problems.jsonl"]
    assert dict(zip(report.evidence.datasets, results, strict=True)) == {
        name: n / 10 for name, n in right.items()
    }
    lengths = report.evidence.metrics["tokens"]
    cell = next(cell for cell in report.found.cells if cell.metric == "tokens")
    assert cell.rho == spearman(lengths, results)
    assert cell.p == permutation_p(lengths, results).p
    assert cell.n == 4


@pytest.mark.long
def test_the_shell_correlates_what_the_workspace_trained(grace, trained) -> None:
    workspace, _ = trained
    status, out, err = grace("correlate", "--trained", "-w", workspace.root)
    assert status == 0, err
    assert "redundancy" in out
    assert "with 4 datasets no p can be below 0.083" in err
    status, _, err = grace("correlate", "--trained", "--paper", "-w", workspace.root)
    assert status == 1
    assert "Name one input" in err


def test_too_few_trainings_are_a_sentence_with_what_to_do(own_workspace: api.Workspace) -> None:
    assert api.trained_on(own_workspace) == []
    chosen = api.curate(own_workspace, "20%", name="one")
    a_training(own_workspace, chosen.id, 3)
    with pytest.raises(InputError, match=r"this workspace has 1: .* --eval PROBLEMS"):
        api.training_evidence(own_workspace)
    api.delete_selection(own_workspace, chosen.id)
    assert api.trained_on(own_workspace) == []
