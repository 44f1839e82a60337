"""Does a selection train from the shell, in the background, to a report one can read?"""

import json
import time
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.errors import NotFoundError
from grace_engine.jobs import Job, JobSpec, Status, folder
from tests.conftest import SAMPLE

PATIENCE = 300.0


@pytest.fixture
def selected(own_workspace: api.Workspace) -> api.Workspace:
    api.curate(own_workspace, "25%", name="quarter")
    return own_workspace


def asked(workspace: api.Workspace, *more: object) -> list[object]:
    problems = SAMPLE / "planted" / "held_out.jsonl"
    return [
        *("train", "quarter", "-w", workspace.root, "--eval", problems, "--problems", 4),
        *("--batch-size", 3, "--max-new-tokens", 60, *more),
    ]


def test_a_subset_is_held_against_a_random_one_and_the_model_before(
    grace, selected: api.Workspace
) -> None:
    status, out, err = grace(*asked(selected, "--against", "random,untrained", "--json"))
    assert status == 0, err
    found = json.loads(out)
    assert found["state"] == "finished"
    assert "None of the 4 evaluation prompts is a training prompt." in err
    arms = {arm["arm"]: arm for arm in found["arms"]}
    assert set(arms) == {"subset", "random", "untrained"}
    assert arms["untrained"]["n_steps"] == 0
    assert 0 < arms["random"]["n_tokens"] <= arms["subset"]["n_tokens"]
    assert all(sum(arm["by_outcome"].values()) == 4 for arm in arms.values())
    cells = {cell["cell"]["arm"]: cell for cell in found["cells"]}
    assert cells["subset"]["n_examples"] == 10
    assert cells["subset"]["n_steps"] == 4
    assert cells["subset"]["held_out_loss"] > 0
    folder = Path(found["folder"]) / "cells" / "subset-0"
    assert (folder / "model" / "model.safetensors").is_file()
    assert len(api.training_answers(Path(found["folder"]), "subset-0")) == 4

    status, out, _ = grace("trained", "-w", selected.root)
    assert status == 0
    assert "no difference shown" in out or "the subset is" in out


def test_a_dry_run_shows_what_is_learned_and_starts_nothing(grace, selected: api.Workspace) -> None:
    status, out, err = grace(*asked(selected, "--dry-run", "--json", "--against", "full"))
    assert status == 0, err
    found = json.loads(out)
    assert found["subset"]["n_examples"] == 10
    assert found["pool"]["n_examples"] == 39
    assert found["cells"] == ["subset-0", "full-0"]
    assert "learned (" in err
    assert not [job for job in api.list_jobs(selected) if job.spec.kind == "train"]


def test_examples_that_would_lose_their_answer_are_refused(grace, selected: api.Workspace) -> None:
    status, _, err = grace(*asked(selected, "--max-length", 120))
    assert status == 1
    assert "lose their end, the answer with it" in err
    assert "--accept-cut" in err
    status, out, err = grace(*asked(selected, "--max-length", 120, "--dry-run", "--json"))
    assert status == 0
    assert json.loads(out)["refused"].startswith("At a maximum length of 120 tokens")
    assert "It would be refused." in err


def test_a_file_has_no_pool_to_draw_from(grace, selected: api.Workspace, tmp_path: Path) -> None:
    file = tmp_path / "chosen.jsonl"
    assert grace("export", "quarter", "--to", file, "--as", "messages", "-w", selected.root)[0] == 0
    status, _, err = grace("train", file, "-w", selected.root, "--against", "random")
    assert status == 1
    assert "what it was chosen from is not known" in err
    status, out, err = grace("train", file, "-w", selected.root, "--dry-run", "--json")
    assert status == 0, err
    assert "Nothing is evaluated, so no arm is compared" in err
    assert json.loads(out)["subset"]["n_examples"] == 10


def test_what_would_be_compared_with_nothing_is_left_out(grace, selected: api.Workspace) -> None:
    at = ("train", "quarter", "-w", selected.root, "--dry-run", "--json")
    status, out, err = grace(*at, "--against", "random,untrained")
    assert status == 0, err
    assert "so no arm is compared; left out: untrained, random" in " ".join(err.split())
    found = json.loads(out)
    assert found["cells"] == ["subset-0"]
    assert found["left_out"] == ["untrained", "random"]
    assert [arm["name"] for arm in found["arms"]] == ["subset"]
    found = json.loads(grace(*at, "--budgets", "10")[1])
    assert found["cells"] == ["subset-0", "subset-10pct-0"]


def test_each_arm_is_previewed_with_its_tokens_and_steps(grace, selected: api.Workspace) -> None:
    more = ("--dry-run", "--json", "--against", "random,full", "--seeds", 2, "--budgets", "10")
    status, out, err = grace(*asked(selected, *more))
    assert status == 0, err
    found = json.loads(out)
    arms = {arm["name"]: arm for arm in found["arms"]}
    assert list(arms) == ["subset", "random", "full", "subset at 10%", "random at 10%"]
    assert arms["subset"]["n_tokens"] == found["subset"]["n_tokens"]
    assert 0 < arms["random"]["n_tokens"] <= arms["subset"]["n_tokens"]
    assert arms["random"]["n_steps"] == found["steps"]["random-0"]
    said = " ".join(err.split())
    assert f"full: 39 examples, {arms['full']['n_tokens']:,} tokens of which" in said
    assert "no example is cut" in said
    (chosen,) = api.list_selections(selected)
    _, _, n_tokens = api.selection_counts(selected)[chosen.id]
    assert n_tokens < arms["subset"]["n_tokens"]
    assert f"The selection counts {n_tokens:,} tokens, those of scored steps" in said


def test_problems_that_cannot_be_read_are_told_of(
    grace, selected: api.Workspace, tmp_path: Path
) -> None:
    at = ("train", "quarter", "-w", selected.root, "--dry-run", "--eval")
    status, _, err = grace(*at, tmp_path / "nope.jsonl")
    assert status == 1
    assert "nope.jsonl is neither a file nor a dataset of this workspace" in " ".join(err.split())
    file = tmp_path / "bad.jsonl"
    file.write_text("{no\n[1, \n")
    status, _, err = grace(*at, file)
    assert status == 1
    said = " ".join(err.split())
    assert "holds no problem with a reference answer to judge models by. First, line 1:" in said
    assert "1 more record cannot be read either" in said


def test_problems_that_nobody_named_cannot_be_counted(grace, selected: api.Workspace) -> None:
    at = ("train", "quarter", "-w", selected.root)
    for option in ("--problems", "--pass-k"):
        status, _, err = grace(*at, option, 4, "--dry-run")
        assert status == 1
        assert "are about the problems of --eval" in err


def test_the_last_run_on_a_selection_is_found_by_whichever_of_its_words(
    selected: api.Workspace,
) -> None:
    """The page names a selection by its id, the shell by its name."""
    chosen = api.get_selection(selected, "quarter")
    run = selected.root / "runs" / "train-20260101-000000-abcd"
    run.mkdir(parents=True)
    folder.write_spec(run, JobSpec(kind="train", title="", settings={"what": chosen.id}))
    folder.write_status(run, Status(state="cancelled", number=1))

    for words in ("quarter", chosen.id, chosen.id[:-1], "latest"):
        assert api.last_training(selected, words).id == run.name
    with pytest.raises(NotFoundError, match=r"No run has trained on traces\.jsonl yet"):
        api.last_training(selected, "traces.jsonl")


def test_a_run_that_is_resumed_keeps_its_settings(grace, selected: api.Workspace) -> None:
    run = selected.root / "runs" / "train-20260101-000000-abcd"
    run.mkdir(parents=True)
    folder.write_spec(run, JobSpec(kind="train", title="", settings={"what": "quarter"}))
    folder.write_status(run, Status(state="cancelled", number=1))

    status, _, err = grace("train", "quarter", "--resume", "--epochs", 5, "-w", selected.root)

    assert status == 1
    said = " ".join(err.split())
    assert f"Run {run.name} goes on by the settings that it began with: leave out --epochs" in said
    assert api.get_job(selected, run.name).state == "cancelled"


@pytest.mark.slow
def test_a_training_that_was_cancelled_goes_on_to_the_same_model(
    grace, selected: api.Workspace
) -> None:
    more = ("--batch-size", 1, "--epochs", 2, "--background", "--json")
    whole = json.loads(grace(*asked(selected, *more))[1])
    ended(selected, whole["id"])
    parts = json.loads(grace(*asked(selected, *more))[1])
    deadline = time.monotonic() + PATIENCE
    while not api.training_metrics(Path(parts["folder"]), "subset-0"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert grace("cancel", parts["id"], "-w", selected.root)[0] == 0
    assert ended(selected, parts["id"]).state == "cancelled"
    assert not (Path(parts["folder"]) / "cells" / "subset-0" / "model").exists()
    assert grace("resume", parts["id"], "-w", selected.root)[0] == 0
    assert ended(selected, parts["id"]).state == "finished"
    ours, theirs = (
        (Path(each["folder"]) / "cells" / "subset-0" / "model" / "model.safetensors").read_bytes()
        for each in (parts, whole)
    )
    assert ours == theirs


def ended(workspace: api.Workspace, run: str) -> Job:
    deadline = time.monotonic() + PATIENCE
    while (job := api.get_job(workspace, run)).is_active:
        assert time.monotonic() < deadline, job
        time.sleep(0.2)
    return job
