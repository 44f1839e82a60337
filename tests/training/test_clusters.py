"""Does a training that a cluster carries out look as one of this machine?"""

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from grace_engine import api
from grace_engine.api import clusters
from grace_engine.errors import GraceError, InputError, MissingExtraError
from grace_engine.progress import Silent
from grace_engine.training import preset
from tests.conftest import SAMPLE


class Told(Silent):
    """Phases and sentences; at the first step of a training, ``then`` is done."""

    def __init__(self, then: object = None) -> None:
        self.phases: list[str] = []
        self.said: list[str] = []
        self._then = then

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        self.phases.append(what)

    def say(self, message: str) -> None:
        self.said.append(message)

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        if self._then is not None and self.phases[-1].startswith("Training"):
            self._then, then = None, self._then
            then()


@pytest.fixture
def mine(own_workspace: api.Workspace) -> api.Workspace:
    api.curate(own_workspace, "25%", name="mine")
    (own_workspace.root / "runs" / "train-1").mkdir(parents=True)
    return own_workspace


@pytest.fixture
def heeding_sigint() -> Iterator[None]:
    """Also where a shell started the tests in the background, which has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def request(**given: object) -> api.TrainRequest:
    settings = preset("cpu", batch_size=1, epochs=float(given.pop("epochs", 1.0)), device="cpu")
    return api.TrainRequest(what="mine", settings=settings, executor="slurm", **given)


@pytest.mark.slow
def test_a_cluster_trains_into_the_run_folder(mine: api.Workspace) -> None:
    folder, told = mine.root / "runs" / "train-1", Told()
    held_out = str(SAMPLE / "planted" / "held_out.jsonl")
    # Long enough for a look at its status, of which there is one a second.
    asked = request(epochs=10, evaluate_on=held_out, n_problems=2, max_new_tokens=40)
    report = api.train_on_cluster(mine, asked, folder, told, cluster="local")
    assert [cell.cell.name for cell in report.cells] == ["subset-0"]
    assert report.cells[0].n_steps == 100
    assert "is submitted" in told.said[0]
    assert any(phase.startswith("Training (subset-0") for phase in told.phases)
    assert (folder / "cells" / "subset-0" / "model").is_dir()


@pytest.mark.slow
def test_a_cluster_is_asked_to_end_and_keeps_a_checkpoint(
    mine: api.Workspace, heeding_sigint: None
) -> None:
    folder = mine.root / "runs" / "train-1"
    told = Told(lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        api.train_on_cluster(mine, request(epochs=50), folder, told, cluster="local")
    assert list((folder / "cells" / "subset-0" / "checkpoints").glob("*/grace-complete"))
    assert not (folder / "cells" / "subset-0" / "model").exists()


@pytest.mark.slow
def test_what_fails_on_the_cluster_is_said_here(mine: api.Workspace) -> None:
    asked = request(evaluate_on="no-such-dataset")
    with pytest.raises(GraceError, match=r"failed: .*no-such-dataset"):
        api.train_on_cluster(mine, asked, mine.root / "runs" / "train-1", Told(), cluster="local")


def test_without_slurm_or_submitit_it_is_said_what_to_do(
    grace, mine: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = mine.root / "runs" / "train-1"
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="Slurm did not take the job"):
        api.train_on_cluster(mine, request(), folder, Told())
    status, _, err = grace("train", "mine", "-w", mine.root, "--executor", "slurm", "--background")
    assert status == 1
    assert "Slurm did not take the job: srun and sbatch cannot be found" in " ".join(err.split())
    assert api.list_jobs(mine) == []
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'grace-studio\[slurm\]'"):
        api.start_training(mine, request())
    status, _, err = grace("train", "mine", "-w", mine.root, "--executor", "pbs")
    assert status == 1
    assert "local, slurm" in err


def test_options_are_read_as_submitit_names_them() -> None:
    found = api.parse_options("partition=gpu, gpus_per_node=2,timeout_min=60")
    assert found == {"partition": "gpu", "gpus_per_node": 2, "timeout_min": 60}
    assert [clusters._named(name) for name in found] == [
        "slurm_partition", "gpus_per_node", "timeout_min"
    ]  # fmt: skip
    with pytest.raises(InputError, match="partition=gpu"):
        api.parse_options("--partition gpu")
