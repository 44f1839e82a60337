"""A served judge, and a few arithmetic solutions for it to read."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grace_engine import api, endpoint
from tests.judging.played import play
from tests.served import Served

ROWS = [
    # prompt, steps, level; the second step of "wrong" does not add up, the third of "again" repeats
    ("Ann has 2 pens and buys 3, then 4.", ["2 + 3 = 5.", "5 + 4 = 9."], "easy"),
    ("Ben has 2 hats and buys 3, then 4.", ["2 + 3 = 5.", "5 + 4 = 8."], "easy"),
    ("Cid has 6 cups and gets 1, then 2.", ["6 + 1 = 7.", "7 + 2 = 9.", "6 + 1 = 7."], "hard"),
    ("Dan has 6 nuts and gets 1, then 2.", ["6 + 1 = 7.", "8 + 2 = 10.", "10 + 1 = 12."], "hard"),
]
N_STEPS = sum(len(steps) for _, steps, _ in ROWS)


def write_rows(path: Path, rows: list[tuple[str, list[str], str]]) -> Path:
    path.write_text(
        "".join(
            json.dumps(
                {"prompt": prompt, "steps": steps, "answer": "9", "level": level, "id": f"r{k}"}
            )
            + "\n"
            for k, (prompt, steps, level) in enumerate(rows)
        )
    )
    return path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(endpoint, "_NAPS", (0.01, 0.01))
    monkeypatch.setattr(endpoint, "_FIRST_PATIENCE", 0.03)
    monkeypatch.setattr(endpoint, "_PATIENCE", 0.05)
    monkeypatch.delenv(endpoint.KEY, raising=False)
    server = Served(play)
    yield server
    server.close()


@pytest.fixture(scope="session")
def _ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    workspace = api.open_workspace(folder / "workspace", create=True)
    api.ingest(workspace, [write_rows(folder / "sums.jsonl", ROWS)])
    return folder / "workspace"


@pytest.fixture
def workspace(_ingested: Path, tmp_path: Path) -> api.Workspace:
    """A copy that a test may change."""
    shutil.copytree(_ingested, tmp_path / "workspace")
    return api.open_workspace(tmp_path / "workspace", create=False)


@pytest.fixture
def asking(served: Served) -> Callable[..., api.JudgeSettings]:
    def make(**changes: Any) -> api.JudgeSettings:
        return api.JudgeSettings(**{"endpoint": served.url, "model": "played", **changes})

    return make
