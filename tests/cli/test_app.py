"""Does ``grace app`` open the studio, with no questions, on the loopback address?"""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.long
@pytest.mark.parametrize("flags", [[], ["--no-browser"]], ids=["browser", "no browser"])
def test_the_first_start_asks_nothing_and_answers(tmp_path: Path, flags: list[str]) -> None:
    port, log = free_port(), tmp_path / "log"
    # A home without Streamlit's credentials, and a browser that does nothing.
    environment = os.environ | {"HOME": str(tmp_path), "BROWSER": "true"}
    command = [sys.executable, "-m", "grace_engine", "app", "--port", str(port), *flags]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--workspace", str(tmp_path / "workspace")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=tmp_path,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                url = f"http://127.0.0.1:{port}/_stcore/health"
                with urllib.request.urlopen(url, timeout=5) as answer:
                    assert answer.read() == b"ok"
                break
            except OSError:
                time.sleep(0.2)
        words = psutil.Process(process.pid).cmdline()
        assert "--logger.hideWelcomeMessage=true" in words, "Streamlit advertises on every page"
        # Whoever stops the command stops the server: nothing answers after it.
        process.terminate()
        process.wait(timeout=30)
        with pytest.raises(OSError, match=r"refused|reset"):
            urllib.request.urlopen(url, timeout=5)
        assert "Streamlit" not in log.read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait()


def test_a_port_that_is_none_is_refused(grace) -> None:
    status, _, err = grace("app", "--port", "99999", "--no-browser")
    assert status == 2
    assert "65535" in err
