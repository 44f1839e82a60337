"""Does a training that was stopped end as one that was not?"""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from grace_engine.progress import Silent
from grace_engine.training import (
    Example,
    Lora,
    Trained,
    TrainSettings,
    last_checkpoint,
    n_steps,
    read_trained,
    train,
)
from grace_engine.training.watching import forget_after
from tests.training.conftest import EARLY

N_STEPS = 6


class StopAt(Silent):
    """Asks this process to end at the n-th step, as ``grace cancel`` does."""

    def __init__(self, step: int) -> None:
        self._left = step

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        self._left -= amount
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def trained_in(
    examples: list[Example], tokenizer: PreTrainedTokenizerFast, settings: TrainSettings
):
    def run(folder: Path, progress: Silent, **changes: object) -> Trained:
        folder.mkdir(exist_ok=True)
        model = AutoModelForCausalLM.from_pretrained(EARLY)
        changed = replace(settings, **changes)
        return train(model, tokenizer, examples, changed, folder, progress)

    return run


@pytest.mark.parametrize("lora", [None, Lora(rank=4, dropout=0.1)], ids=["full", "lora"])
def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(
    trained_in, tmp_path: Path, lora: Lora | None
) -> None:
    whole = trained_in(tmp_path / "whole", Silent(), lora=lora)
    with pytest.raises(KeyboardInterrupt):
        trained_in(tmp_path / "parts", StopAt(2), lora=lora)
    assert not (tmp_path / "parts" / "model").exists()
    assert last_checkpoint(tmp_path / "parts" / "checkpoints").name == "checkpoint-2"
    parts = trained_in(tmp_path / "parts", Silent(), lora=lora)

    assert (whole.n_steps, whole.resumed_at) == (N_STEPS, 0)
    assert (parts.n_steps, parts.resumed_at) == (N_STEPS, 2)
    assert parts.n_tokens == whole.n_tokens
    ours, theirs = weights(parts.folder), weights(whole.folder)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    before = AutoModelForCausalLM.from_pretrained(EARLY).state_dict()
    assert any(not torch.equal(ours[name], before[name]) for name in ours)


def test_a_model_that_was_half_written_is_written_again(trained_in, tmp_path: Path) -> None:
    """Killed between the model and the word that it is there."""
    for left in ("model", ".model.part"):
        (tmp_path / "run" / left).mkdir(parents=True)
        (tmp_path / "run" / left / "model.safetensors").write_bytes(b"half")
    assert read_trained(tmp_path / "run") is None
    found = trained_in(tmp_path / "run", Silent())
    assert read_trained(tmp_path / "run") == found
    assert weights(found.folder)


@pytest.mark.long
def test_each_step_is_written_down(trained_in, examples: list[Example], tmp_path: Path) -> None:
    found = trained_in(tmp_path / "run", Silent())
    written = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in written]
    assert [line["step"] for line in lines] == list(range(1, N_STEPS + 1))
    assert all(line["loss"] > 0 and line["gradient_norm"] > 0 for line in lines)
    assert max(line["learning_rate"] for line in lines) == pytest.approx(5e-4)
    assert found.loss == lines[-1]["loss"]
    lengths = [len(one.token_ids) for one in examples]
    assert len(set(lengths)) > 1  # so that batches are padded
    assert found.n_tokens == lines[-1]["n_tokens"] == sum(lengths)
    again = trained_in(tmp_path / "twice", Silent(), epochs=2.0)
    assert again.n_tokens == 2 * sum(lengths)


def test_an_end_that_is_asked_for_in_the_last_step_is_heeded_and_the_model_kept(
    trained_in, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained_in(tmp_path / "run", StopAt(N_STEPS))
    kept = read_trained(tmp_path / "run")
    assert kept is not None
    assert kept.n_steps == N_STEPS
    assert weights(kept.folder)


def test_steps_after_the_one_that_is_gone_on_from_are_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    forget_after(tmp_path, 0)
    assert not file.exists()
    steps = [1, 2, 3]
    written = "".join(json.dumps({"step": step}) + "\n" for step in steps)
    file.write_text(written + '{"step": ')
    for last in (2, 0):
        forget_after(tmp_path, last)
        left = [json.loads(line)["step"] for line in file.read_text().splitlines()]
        assert left == steps[:last]


def test_a_training_that_begins_again_shows_no_steps_of_the_one_that_was_killed(
    trained_in, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    file = tmp_path / "run" / "metrics.jsonl"
    file.write_text("".join(json.dumps({"step": step}) + "\n" for step in range(1, 6)))
    with pytest.raises(KeyboardInterrupt):
        trained_in(tmp_path / "run", StopAt(1))
    assert [json.loads(line)["step"] for line in file.read_text().splitlines()] == [1]


def test_a_checkpoint_that_was_not_written_to_its_end_is_passed_over(tmp_path: Path) -> None:
    for step, complete in ((2, True), (4, True), (10, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if complete:
            (folder / "grace-complete").touch()
    assert last_checkpoint(tmp_path).name == "checkpoint-4"
    assert last_checkpoint(tmp_path / "none") is None


@pytest.mark.long
@pytest.mark.parametrize(("batch", "accumulation", "epochs"), [(5, 2, 1.0), (4, 2, 1.5)])
def test_steps_are_counted_as_the_trainer_counts_them(
    trained_in,
    settings: TrainSettings,
    tmp_path: Path,
    batch: int,
    accumulation: int,
    epochs: float,
) -> None:
    given = {"batch_size": batch, "accumulation": accumulation, "epochs": epochs}
    found = trained_in(tmp_path / "run", Silent(), **given)
    assert found.n_steps == n_steps(12, replace(settings, **given))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return AutoModelForCausalLM.from_pretrained(folder).state_dict()
