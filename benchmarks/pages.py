"""How long does a page take after a turn of a slider, beside an empty Streamlit rerun?

``python -m benchmarks.pages [--sizes 1000,10000,100000] [--json]``. Workspaces of planted traces
with random Grams are made in a temporary folder, because what a page does with a Gram does not
depend on what is in it; nothing is scored. One Chromium opens the pages of each workspace and, in
turn with them, an app that holds nothing but the same slider. A key turns the slider; the time runs
in the browser from the key to the end of the rerun (the app's own state says when) and the next
painted frame. Reported is the median of the rounds, with the lowest and the highest, and the
quotient to the empty app of the same round. Nothing here passes or fails by a time.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.studio import BROWSERS, serve
from grace_engine import api, store
from grace_engine.config import IngestConfig
from grace_engine.generator.planting import plant_many
from grace_engine.records import RenderedTrace, ScoringRun, Segment, StepGram, Trace
from grace_engine.signals import pack

_EMPTY_APP = """
import streamlit as st
st.slider("α", 0.0, 1.0, 0.7, 0.05, key="alpha")
"""

# Waits for the rerun that a key starts, then for two frames, so that it has been painted.
_TURN = """
() => new Promise((done, fail) => {
  const began = performance.now();
  let ran = false;
  const watch = new MutationObserver(changes => {
    for (const change of changes) {
      const state = change.target.getAttribute('data-test-script-state');
      if (state === 'running') ran = true;
      if (ran && state === 'notRunning') {
        watch.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
        return;
      }
    }
  });
  const filter = ['data-test-script-state'];
  watch.observe(document.body, {subtree: true, attributeFilter: filter});
  // A key that meets a page while it is drawn anew is lost: it is pressed again.
  setTimeout(() => { if (!ran) { watch.disconnect(); done(null); } }, 3000);
  setTimeout(() => fail(new Error('no rerun came to an end')), 60000);
})
"""
_SLIDER = ".st-key-alpha input[type=range]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTime:
    """Times of one page on one workspace.

    Attributes:
        page: Name of the page.
        n_traces: Scored traces of the workspace.
        median: Milliseconds from the key to the painted result.
        lowest: The same, lowest of the rounds.
        highest: The same, highest of the rounds.
        ratio: Median quotient to the empty app of the same round.
        empty: Median milliseconds of the empty app.
    """

    page: str
    n_traces: int
    median: float
    lowest: float
    highest: float
    ratio: float
    empty: float


def make_workspace(folder: Path, n_traces: int) -> Path:
    """A workspace of ``n_traces`` planted traces with random Grams under one made-up run."""
    folder.mkdir(parents=True)
    rows = (json.dumps(trace.row()) for trace in plant_many(1, n_traces, 0.4))
    source = folder / "planted.jsonl"
    source.write_text("\n".join(rows) + "\n", encoding="utf-8")
    workspace = api.open_workspace(folder / "workspace", create=True)
    api.ingest(workspace, [source], IngestConfig(dataset="planted"))
    run = _made_up_run()
    store.upsert_run(workspace, run)
    rng = np.random.default_rng(0)
    for traces in store.iter_traces(workspace, ("planted",), batch=5000):
        store.add_scored(workspace, run.id, [_scored(rng, trace) for trace in traces])
    return workspace.root


def page_times(browser: Browser, root: Path, n_traces: int, rounds: int) -> Iterator[PageTime]:
    """Turn the α slider of each page, and that of an empty app, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "app.py"
        script.write_text(_EMPTY_APP, encoding="utf-8")
        with serve(api.app_script(), root) as studio, serve(script, root) as bare:
            empty = _open(browser, bare)
            for name, path in (("Inspect", ""), ("Curate", "curate")):
                page = _open(browser, f"{studio}/{path}")
                ours, peers = [], []
                for _ in range(rounds):
                    ours.append(_turn(page))
                    peers.append(_turn(empty))
                yield PageTime(
                    page=name,
                    n_traces=n_traces,
                    median=statistics.median(ours),
                    lowest=min(ours),
                    highest=max(ours),
                    ratio=statistics.median(o / p for o, p in zip(ours, peers, strict=True)),
                    empty=statistics.median(peers),
                )
                page.close()


def _open(browser: Browser, url: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.locator(_SLIDER).wait_for(state="attached", timeout=120_000)
    page.wait_for_function(
        "document.querySelector('[data-testid=stApp]')"
        ".getAttribute('data-test-script-state') === 'notRunning'",
        timeout=120_000,
    )
    _turn(page)  # the first turn fills caches
    return page


def _turn(page: Page) -> float:
    page.bring_to_front()  # a page behind paints no frame
    for _ in range(10):
        page.locator(_SLIDER).focus()
        page.evaluate(f"() => {{ window.turned = ({_TURN})(); }}")
        odd = page.evaluate("() => (window.turns = (window.turns || 0) + 1) % 2")
        page.keyboard.press("ArrowLeft" if odd else "ArrowRight")  # so that α meets no end
        took = page.evaluate("() => window.turned")
        if took is not None:
            return float(took)
    raise SystemExit("The page does not answer to a key.")


def _made_up_run() -> ScoringRun:
    return ScoringRun(
        id="r-00000001",
        fingerprint="random",
        model="random",
        revision="",
        adapter="",
        dtype="float32",
        proxy="upstream",
        parameters=(),
        target="own",
        template="plain",
        with_marks=False,
        with_end_token=False,
        datasets=("planted",),
        data_digest="",
    )


def _scored(rng: np.random.Generator, trace: Trace) -> store.ScoredTrace:
    n = len(trace.steps) + 1
    gradients = rng.normal(size=(n, 8)) + 0.4
    segments = tuple(
        Segment(rendered_start=s.start, rendered_end=s.end, token_start=i, token_end=i + 1)
        for i, s in enumerate((*trace.steps, trace.answer))
    )
    return store.ScoredTrace(
        rendered=RenderedTrace(
            trace_id=trace.id,
            text=trace.full_text,
            token_ids=(),
            segments=segments,
            digest=trace.id,
        ),
        gram_key=trace.id,
        gram=StepGram(
            packed=tuple(pack((gradients @ gradients.T).astype(np.float32)).tolist()),
            n_tokens=tuple(rng.integers(4, 30, n).tolist()),
            nll=tuple(rng.exponential(0.4, n).tolist()),
        ),
    )


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    path = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if path is None:
        sys.exit(f"No browser found: install one of {', '.join(BROWSERS)}.")
    found: list[PageTime] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        for size in map(int, given.sizes.split(",")):
            print(f"Making a workspace of {size:,} traces.", file=sys.stderr)
            root = make_workspace(Path(folder) / str(size), size)
            for time in page_times(browser, root, size, given.rounds):
                print(f"{time.page}: {time.median:.0f} ms", file=sys.stderr)
                found.append(time)
        browser.close()
    if given.json:
        print(json.dumps({"pages": [asdict(time) for time in found]}, indent=2))
        return
    print("| page, after a turn of α | traces | ms (min–max) | over an empty rerun |")
    print("|---|---:|---:|---:|")
    for time in found:
        times = f"{time.median:.0f} ({time.lowest:.0f}–{time.highest:.0f})"
        print(f"| {time.page} | {time.n_traces:,} | {times} | {time.ratio:.1f} |")


if __name__ == "__main__":
    main()
