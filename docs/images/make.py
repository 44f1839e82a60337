"""How does the studio look? Draws the README's pictures: ``python docs/images/make.py WORKSPACE``.

Opens the newest run of a workspace in a headless Chromium and writes ``inspect-light.png`` and
``inspect-dark.png`` beside this file.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import Page, sync_playwright

from grace_engine import api

HERE = Path(__file__).resolve().parent
SIZE = {"width": 1280, "height": 800}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main(folder: str) -> None:
    """Draw both pictures of the workspace in ``folder``."""
    browser_path = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser_path is None:
        sys.exit(f"No browser found: install one of {', '.join(BROWSERS)}.")
    link = urlencode(telling_step(api.run_view(api.open_workspace(folder, create=False))))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, script = f"http://127.0.0.1:{port}", api.app_script()
    app = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)],
        cwd=script.parent,
        env=os.environ | {"GRACE_WORKSPACE": str(Path(folder).resolve())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_healthy(url)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
            )
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport=SIZE, color_scheme=scheme)
                draw(page, f"{url}/?{link}", HERE / f"inspect-{scheme}.png")
            browser.close()
    finally:
        app.terminate()
        app.wait(timeout=30)


def telling_step(view: api.RunView) -> dict[str, str | int]:
    """Of the 25 best traces the one whose step scores differ most, at its lowest step."""
    best = view.traces.assign(value=view.values).nlargest(25, "value").index
    spread = {i: float(np.ptp(view.scores[view.signals.steps_of(i)])) for i in best}
    index = max(spread, key=spread.__getitem__)
    step = int(view.scores[view.signals.steps_of(index)].argmin()) + 1
    return {"trace": str(view.signals.trace_ids[index]), "step": step}


def wait_until_healthy(url: str) -> None:
    """Return when the app answers; a minute is enough for a busy machine."""
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.25)
    sys.exit("The app did not start.")


def draw(page: Page, link: str, path: Path) -> None:
    """Save what the page at ``link`` shows once it stands still."""
    page.goto(link)
    page.wait_for_selector(".st-key-heatmap .mark-rect.role-mark path", timeout=60_000)
    page.wait_for_selector(".g-step[aria-current]", timeout=60_000)
    page.wait_for_selector("[data-testid=stPlotlyChart] .main-svg", timeout=60_000)
    page.wait_for_timeout(1500)
    page.screenshot(path=path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python docs/images/make.py WORKSPACE")
    main(sys.argv[1])
