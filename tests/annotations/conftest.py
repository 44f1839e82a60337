"""Two processes that say things of one workspace at once."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from grace_engine import api


@pytest.fixture
def run_twice(own_workspace: api.Workspace) -> Callable[[str], None]:
    """Run code in two processes side by side, with the workspace and a name as arguments."""

    def run(code: str) -> None:
        started = [
            subprocess.Popen([sys.executable, "-c", code, str(own_workspace.root), name])
            for name in ("first", "second")
        ]
        assert [process.wait(timeout=60) for process in started] == [0, 0]

    return run
