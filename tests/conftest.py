"""A small workspace of real traces, scored by the shipped model, for all who only look at it."""

import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.config import IngestConfig, ScoreConfig

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data"
N_RECORDS = 8


@pytest.fixture(scope="session", autouse=True)
def devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Devices of these tests' own: what else runs on this machine does not hold them up."""
    folder = tmp_path_factory.mktemp("devices")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRACE_DEVICES", str(folder))
        yield folder


@pytest.fixture(scope="session")
def sample_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight records of the shipped GSM8K model solutions: forty traces, one without an answer."""
    path = tmp_path_factory.mktemp("source") / "solutions.jsonl"
    with (SAMPLE / "gsm8k" / "model_solutions.jsonl").open("rb") as lines:
        path.write_bytes(b"".join(islice(lines, N_RECORDS)))
    return path


@pytest.fixture(scope="session")
def _scored(tmp_path_factory: pytest.TempPathFactory, sample_file: Path) -> Path:
    root = tmp_path_factory.mktemp("scored") / "workspace"
    workspace = api.open_workspace(root, create=True)
    api.ingest(workspace, [sample_file], IngestConfig(dataset="solutions"))
    api.score(workspace, ScoreConfig(model=str(SAMPLE / "tiny-reasoner")))
    return root


@pytest.fixture(scope="session")
def scored_workspace(_scored: Path) -> api.Workspace:
    """For tests that only read it."""
    return api.open_workspace(_scored, create=False)


@pytest.fixture
def own_workspace(_scored: Path, tmp_path: Path) -> api.Workspace:
    """A copy that a test may change."""
    shutil.copytree(_scored, tmp_path / "workspace")
    return api.open_workspace(tmp_path / "workspace", create=False)


# What takes the tables of each version back to those of the one before.
_UNDONE = {
    10: "DROP TABLE judges; DROP TABLE judged_places; DROP TABLE judgements",
    9: "ALTER TABLE policy_gradients DROP COLUMN halves",
    8: "DROP TABLE trace_metrics",
    7: "DROP TABLE rollout_sets; DROP TABLE rollout_problems; DROP TABLE rollouts; "
    "DROP TABLE policy_runs; DROP TABLE policy_gradients",
    6: "DROP TABLE answer_checks",
    5: "DROP TABLE problems; ALTER TABLE runs DROP COLUMN segmenters",
    4: "DROP TABLE duplicate_findings; DROP TABLE duplicate_members",
    3: "DROP TABLE annotations",
    2: "UPDATE runs SET spec = json_merge_patch(spec, '{\"entropy_discount\": null}')",
}


@pytest.fixture
def aged() -> Callable[[api.Workspace, int], None]:
    """Give a workspace the tables that it would have from an older version of the studio."""

    def age(workspace: api.Workspace, version: int) -> None:
        with workspace.database.unit() as connection:
            for newer in sorted(_UNDONE, reverse=True):
                if newer > version:
                    connection.execute(_UNDONE[newer])
            connection.execute("DELETE FROM schema_migrations WHERE version > ?", [version])

    return age


@pytest.fixture
def grace(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run ``grace`` with these arguments: exit status, standard output, standard error."""
    from grace_engine.cli import app

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        try:
            app([str(argument) for argument in arguments], standalone_mode=True)
            status = 0
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = capfd.readouterr()
        return status, out, err

    return run
