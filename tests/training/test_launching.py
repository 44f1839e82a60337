"""Do several processes train one model, and end as one?"""

import os
import signal
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from transformers import AutoModelForCausalLM

from grace_engine.errors import GraceError, InputError, MissingExtraError
from grace_engine.progress import Silent
from grace_engine.training import (
    Example,
    TrainSettings,
    last_checkpoint,
    n_steps,
    require_logger,
    train_in_processes,
    with_processes,
)
from tests.training.conftest import EARLY


class Counted(Silent):
    """Steps that were told of; at the first one, ``then`` is done."""

    def __init__(self, then: object = None) -> None:
        self.done, self.total, self._then = 0, 0, then

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        self.total = total

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        self.done += amount
        if self._then is not None:
            self._then, then = None, self._then
            then()


@pytest.fixture
def two(settings: TrainSettings) -> TrainSettings:
    """Six batches of two: three steps of two processes in each of two passes."""
    return replace(settings, n_processes=2, epochs=2.0, device="cpu")


@pytest.mark.slow
def test_two_processes_share_the_batches_and_one_writes(
    examples: list[Example], two: TrainSettings, tmp_path: Path
) -> None:
    progress = Counted()
    found = train_in_processes(EARLY, examples, two, tmp_path, progress)

    assert found.n_steps == n_steps(len(examples), two) == 6
    assert (progress.done, progress.total) == (6, 6)
    lines = [orjson.loads(line) for line in (tmp_path / "metrics.jsonl").read_bytes().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    # Both processes' tokens are counted: all examples, twice.
    assert found.n_tokens >= 2 * sum(len(one.token_ids) for one in examples)
    trained = AutoModelForCausalLM.from_pretrained(found.folder).state_dict()
    before = AutoModelForCausalLM.from_pretrained(EARLY).state_dict()
    assert trained.keys() == before.keys()
    assert any(not trained[name].equal(before[name]) for name in before)


@pytest.mark.slow
def test_two_processes_end_together_with_a_checkpoint_when_asked(
    examples: list[Example], two: TrainSettings, tmp_path: Path
) -> None:
    long = replace(two, epochs=50.0)
    with pytest.raises(KeyboardInterrupt):
        train_in_processes(
            EARLY, examples, long, tmp_path, Counted(lambda: os.kill(os.getpid(), signal.SIGINT))
        )
    kept = last_checkpoint(tmp_path / "checkpoints")
    assert kept is not None
    at = int(kept.name.rpartition("-")[2])
    assert 0 < at < 150
    assert {file.name for file in kept.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    assert not (tmp_path / "model").exists()


@pytest.mark.long
def test_processes_that_fail_are_said(two: TrainSettings, tmp_path: Path) -> None:
    with pytest.raises(GraceError, match="One of 2 training processes ended with status"):
        train_in_processes(tmp_path / "no-model", [], two, tmp_path, Silent())


def test_the_number_of_processes_is_that_of_devices(settings: TrainSettings) -> None:
    assert with_processes(replace(settings, device="cpu")).n_processes == 1
    assert with_processes(replace(settings, device="cpu", n_processes=2)).n_processes == 2
    with pytest.raises(InputError, match="Number of processes"):
        replace(settings, n_processes=-1)


def test_a_logger_that_is_not_installed_is_named_with_its_install_line(
    settings: TrainSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("grace_engine.training.loggers.find_spec", lambda name: None)
    lines = {
        "tensorboard": r"pip install 'grace-studio\[tensorboard\]'",
        "trackio": "pip install trackio",
    }
    for name, line in lines.items():
        with pytest.raises(MissingExtraError, match=line):
            require_logger(replace(settings, log_to=name))
    with pytest.raises(InputError, match="tensorboard, trackio"):
        require_logger(replace(settings, log_to="wandb"))
    monkeypatch.setattr("grace_engine.training.loggers.find_spec", lambda name: object())
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "")
    assert require_logger(replace(settings, log_to="tensorboard"), tmp_path) == "tensorboard"
    assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / "tensorboard")
    monkeypatch.setenv("TRACKIO_DIR", "")
    cell = tmp_path / "cells" / "subset-0"
    assert require_logger(replace(settings, log_to="trackio"), cell) == "trackio"
    assert os.environ["TRACKIO_DIR"] == str(tmp_path / "trackio")
    assert require_logger(settings, tmp_path) == "none"
