"""Runs to look at: made from random gradients, scored by the shipped model, or hostile."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.config import IngestConfig, ScoreConfig, Weights
from grace_engine.records import Answer, ScoringRun, SourceRecord, Step, Trace
from grace_engine.signals import GramTable, pack, signals_of

ROOT = Path(__file__).resolve().parents[2]

HOSTILE_STEPS = (
    "<script>window.pwned = 1</script>",
    '<img src=x onerror="window.pwned = 2">',
    "![picture](http://pwned.invalid/p.png) and [a link](javascript:window.pwned=3)",
    "$\\alpha_{1}$ and :red[red] :material/home: :smile: **bold** `code`",
    "abc \u202egnp.exe\u202c then \u05e9\u05dc\u05d5\u05dd \u200f1+1=2",
    '</div><style>body{display:none}</style><iframe src="javascript:window.pwned=4"></iframe>',
)
HOSTILE_NAME = "<img src=x onerror=window.pwned=5>:red[x]$y$\u202e"
HOSTILE_PROMPT = "<b>bold?</b> $x$ :red[hi] <img src=x onerror=window.pwned=6>"


@pytest.fixture(scope="session")
def scored_workspace(
    scored_workspace: api.Workspace, tmp_path_factory: pytest.TempPathFactory
) -> api.Workspace:
    """A copy for the pages: they remember what was looked at."""
    folder = tmp_path_factory.mktemp("pages") / "workspace"
    shutil.copytree(scored_workspace.root, folder)
    return api.open_workspace(folder, create=False)


OpenPage = Callable[..., AppTest]


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open a page over a workspace, at a link; "" is the page that opens first."""

    def open_at(page: str, workspace: Path, /, **link: str | list[str]) -> AppTest:
        monkeypatch.setenv("GRACE_WORKSPACE", str(workspace))
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        if page:
            app.switch_page(f"pages/{page}.py")
        for name, value in link.items():
            app.query_params[name] = value
        return app.run()

    return open_at


@pytest.fixture
def open_app(open_page: OpenPage) -> OpenPage:
    return partial(open_page, "")


@pytest.fixture
def open_curate(open_page: OpenPage) -> OpenPage:
    return partial(open_page, "curate")


@pytest.fixture
def open_data(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open the Data page over a workspace, at a link; what it may read, too."""

    def open_at(workspace: Path, allowed: Path | None = None, /, **link: str) -> AppTest:
        monkeypatch.setenv("GRACE_ALLOWED_PATHS", str(allowed or workspace))
        return open_page("data", workspace, **link)

    return open_at


@pytest.fixture
def view_of_lengths() -> Callable[..., api.RunView]:
    """Make a run of traces with these numbers of steps from random gradients."""

    def make(*lengths: int, weights: Weights | None = None, **columns: list[object]) -> api.RunView:
        weights, rng = weights or Weights(), np.random.default_rng(0)
        gradients = [rng.normal(size=(k + 1, 8)) + 0.5 for k in lengths]
        segments = np.array([len(g) for g in gradients])
        ids = np.array([f"{i:016x}" for i in range(len(lengths))], dtype=object)
        grams = GramTable(
            trace_ids=ids,
            n_segments=segments,
            packed=np.concatenate([pack(g @ g.T) for g in gradients]),
            n_tokens=rng.integers(1, 9, segments.sum()),
            nll=rng.random(segments.sum()),
        )
        base = {"dataset": "d", "variant": "", "line": np.arange(len(ids)) + 1}
        listed = pd.DataFrame(base | columns, index=pd.Index(ids, name="trace_id"))
        return api.view_of(a_run(), weights, signals_of(grams, weights.history), listed)

    return make


def a_run() -> ScoringRun:
    return ScoringRun(
        id="r-00000000",
        fingerprint="",
        model="model",
        revision="",
        adapter="",
        dtype="float32",
        proxy="upstream",
        parameters=(),
        target="own",
        template="plain",
        with_marks=False,
        with_end_token=False,
        datasets=("d",),
        data_digest="",
    )


def make_trace(
    text: str,
    steps: list[tuple[int, int, int]],
    answer: tuple[int, int, int],
    appended: str = "",
) -> Trace:
    """A trace from its text, its steps' (mark, start, end) and its answer's."""
    mark, start, end = answer
    return Trace(
        id="0" * 16,
        dataset="d",
        variant="",
        prompt="",
        text=text,
        steps=tuple(Step(mark_start=m, start=s, end=e) for m, s, e in steps),
        answer=Answer(
            text=(text + appended)[start:end],
            start=start,
            end=end,
            mark_start=mark,
            appended=appended,
        ),
        reference=None,
        labels={},
        segmenter="lines",
        record=SourceRecord(digest="", path="", line=1, raw=b""),
    )


@pytest.fixture(scope="session")
def hostile_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traces that attack whoever shows them, and one of 500 steps, scored for real."""
    folder = tmp_path_factory.mktemp("hostile")
    answer = "\nA: <i>7</i> $y$ :red[z]"
    records = [
        {
            "question": HOSTILE_PROMPT,
            "ground_truth": "7\nA: 7",
            HOSTILE_NAME: {"solution": "\n".join(HOSTILE_STEPS) + answer, "is_correct": True},
        },
        {
            "question": "Count.",
            "ground_truth": "One.\nA: 1",
            "long": {
                "solution": "\n".join(str(i % 10) for i in range(500)) + "\nA: 500",
                "is_correct": False,
            },
        },
    ]
    source = folder / "hostile.jsonl"
    source.write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
    workspace = api.open_workspace(folder / "workspace", create=True)
    api.ingest(workspace, [source], IngestConfig(dataset="<b>:red[d]$z$"))
    api.score(workspace, ScoreConfig(model=str(ROOT / "sample_data" / "tiny-reasoner")))
    return workspace.root


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """A running app.

    Attributes:
        url: Its address.
        pid: Its process.
        workspace: What it shows.
    """

    url: str
    pid: int
    workspace: Path


@contextmanager
def serve(workspace: Path, log: Path) -> Iterator[Studio]:
    """Run the app on a free loopback port, as ``grace app`` does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--server.port", str(port)],
            cwd=ROOT,
            env=os.environ | {"GRACE_WORKSPACE": str(workspace)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_healthy(url, process, log)
            yield Studio(url=url, pid=process.pid, workspace=workspace)
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_healthy(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if process.poll() is not None:
                break
            time.sleep(0.25)
    raise AssertionError(f"The app did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def studio(
    scored_workspace: api.Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    """The app over forty scored GSM8K solutions."""
    with serve(scored_workspace.root, tmp_path_factory.mktemp("studio") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def hostile_studio(
    hostile_workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    """The app over hostile traces."""
    with serve(hostile_workspace, tmp_path_factory.mktemp("hostile-studio") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser of this machine; without one, skip and say so."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is on the PATH")
    return found
