"""Does the end of a training that was asked for come, at whatever moment that is?"""

from collections.abc import Callable
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.jobs.folder import CANCEL
from grace_engine.progress import Silent
from grace_engine.training import preset
from tests.conftest import SAMPLE
from tests.training.conftest import EARLY


class At(Silent):
    """Does something as soon as a phase of this name tells of its first unit."""

    def __init__(self, phase: str, then: Callable[[], object]) -> None:
        self.phases: list[str] = []
        self._phase, self._then = phase, then

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        self.phases.append(what)

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        if self.phases[-1].startswith(self._phase):
            self._then()


@pytest.fixture
def run(own_workspace: api.Workspace, tmp_path: Path):
    api.curate(own_workspace, "10%", name="mine")
    folder = tmp_path / "run"
    folder.mkdir()
    asked = api.TrainRequest(
        what="mine",
        settings=preset("cpu", model=str(EARLY), batch_size=2, device="cpu"),
        against=("untrained",),
        evaluate_on=str(SAMPLE / "planted" / "held_out.jsonl"),
        n_problems=1,
        max_new_tokens=8,
    )

    def train(progress: Silent) -> api.TrainReport:
        return api.train(own_workspace, asked, folder, progress)

    return folder, train


@pytest.mark.long
def test_a_cancel_is_heeded_in_whatever_phase_it_comes(run) -> None:
    """No signal is sent here: the file that asks for the end is enough."""
    folder, train = run
    for phase, finished in (
        ("Answering (untrained", []),
        ("Checking answers (untrained", []),
        ("Training (subset-0", ["untrained"]),
        ("Answering (subset-0", ["untrained"]),
    ):
        told = At(phase, (folder / CANCEL).touch)
        with pytest.raises(KeyboardInterrupt):
            train(told)
        assert told.phases[-1].startswith(phase)
        assert [one.cell.name for one in api.finished_cells(folder)] == finished
        if phase.startswith("Training"):
            (checkpoint,) = (folder / "cells" / "subset-0" / "checkpoints").glob("*/grace-complete")
            assert checkpoint.parent.name == "checkpoint-1"
            assert not (folder / "cells" / "subset-0" / "trained.json").exists()
        (folder / CANCEL).unlink()
    assert (folder / "cells" / "subset-0" / "trained.json").is_file()
    assert len(train(Silent()).cells) == 2


def test_no_cell_begins_once_the_end_was_asked_for(run) -> None:
    folder, train = run
    (folder / CANCEL).touch()
    with pytest.raises(KeyboardInterrupt):
        train(Silent())
    assert not list((folder / "cells").iterdir())
