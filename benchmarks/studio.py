"""How is an app started for a picture or a measurement, and stopped again?"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def serve(script: Path, workspace: Path) -> Iterator[str]:
    """Run a Streamlit script over a workspace on a free loopback port; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    safe = ["--server.address", "127.0.0.1", "--server.headless", "true"]
    app = subprocess.Popen(
        [*command, *safe, "--browser.gatherUsageStats", "false"],
        cwd=script.parent,
        env=os.environ | {"GRACE_WORKSPACE": str(workspace.resolve())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(url, app)
        yield url
    finally:
        app.terminate()
        app.wait(timeout=30)


def _wait_until_healthy(url: str, app: "subprocess.Popen[bytes]") -> None:
    for _ in range(240):
        if app.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.25)
    raise SystemExit("The app did not start.")
