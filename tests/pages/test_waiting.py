"""Does a page that cannot read the workspace at once say whom it waits for, and when that ends?"""

import subprocess
import sys
import threading

import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.store import database, patience
from grace_engine.ui import waiting
from tests.pages.conftest import OpenPage

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.readline()
"""


def test_the_wait_is_told_on_the_page_and_kept_by_no_cache(
    own_workspace: api.Workspace,
    open_app: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = own_workspace.database.path
    told: list[str] = []
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    monkeypatch.setattr(patience, "TOLD_SECONDS", 0.1)
    monkeypatch.setattr(database, "_OPEN_SECONDS", 0.1)
    free = threading.Event()
    monkeypatch.setattr(
        waiting, "as_markdown", lambda said: (told.append(said), free.set(), said)[2]
    )
    release = threading.Thread(target=lambda: (free.wait(60), holder.communicate("\n")))
    release.start()

    app = open_app(own_workspace.root)
    release.join()

    assert not app.exception
    assert told[0].startswith("Waiting since ")
    assert f"for process {holder.pid} (" in told[0]
    assert [said[:33] for said in told[1:]] == ["The workspace is free again after"]
    assert [each.value for each in app.toast] == [told[1]]
    again = app.run()
    assert not again.exception
    assert not again.toast


def test_a_page_that_waited_in_vain_waits_no_longer() -> None:
    def page() -> None:
        from grace_engine.errors import StoreBusyError
        from grace_engine.store import patience
        from grace_engine.ui import waiting

        with waiting.told():
            patience._of_thread.get().waits("Waiting since 12:00:00 for process 7.")
            raise StoreBusyError("It did not come free.")

    app = AppTest.from_function(page).run()

    assert [each.value for each in app.toast] == ["The page waits no longer\\."]
    assert len(app.exception) == 1
