"""Does a reproduction by several processes end as a whole, and go on from there?"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grace_engine.progress import Silent
from grace_engine.reproduce import results, run
from tests.conftest import SAMPLE
from tests.reproduce.counting import Counting

PATIENCE = 120.0
WAITING = """
import signal, sys
from pathlib import Path
from grace_engine.progress import Silent
from grace_engine.reproduce import run
from tests.reproduce.counting import Counting
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job of a shell may not heed it
    task = Counting(Path(sys.argv[1]), waits_at="bb")
    try:
        run(task, Path(sys.argv[2]), Silent(), processes=2)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def until(happened: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not happened() and time.monotonic() < end:
        time.sleep(0.1)
    return happened()


def is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_no_process_stays_and_the_cell_under_way_begins_anew(
    tmp_path: Path, by: signal.Signals
) -> None:
    script, log, root = tmp_path / "waiting.py", tmp_path / "log.txt", tmp_path / "root"
    script.write_text(WAITING)
    process = subprocess.Popen(
        [sys.executable, str(script), str(log), str(root)],
        cwd=SAMPLE.parent,
        env=os.environ | {"PYTHONPATH": str(SAMPLE.parent)},
        start_new_session=True,
    )
    others = Counting(log)
    assert until(lambda: results(others, root).missing == ("bb",))
    assert until((tmp_path / "log.begun").exists)
    if by == signal.SIGINT:
        os.killpg(process.pid, by)  # as a terminal does
    else:
        process.send_signal(by)
    assert process.wait(PATIENCE) == (130 if by == signal.SIGINT else -by)
    assert until(lambda: is_gone(process.pid))
    assert results(others, root).missing == ("bb",)
    assert not run(others, root, Silent()).missing
    assert sorted(others.done()) == sorted(others.cells)
