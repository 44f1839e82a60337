"""What does a page show, and where does it stand? Read from Streamlit's AppTest."""

import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

from grace_engine import api

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
"""What Chromium is started with."""

PATIENCE = 180.0


def numbers(app: AppTest) -> dict[str, str]:
    """The metrics of a page by label."""
    return {metric.label: metric.value for metric in app.metric}


def address(app: AppTest) -> dict[str, str]:
    """The link of the state that is shown."""
    return {
        name: value if isinstance(value, str) else value[-1]
        for name, value in app.query_params.items()
    }


def shown(app: AppTest) -> str:
    """Everything that a page shows as text or HTML."""
    kinds = (
        app.text, app.markdown, app.caption, app.info, app.success, app.error, app.warning,
        app.html,
    )  # fmt: skip
    return "\n".join(str(each.value) for kind in kinds for each in kind)


def button(app: AppTest, begins: str):
    """The first button whose label begins so."""
    return next(each for each in app.button if each.label.startswith(begins))


def wait_for_the_end(workspace: Path) -> api.Workspace:
    """The workspace, once no background run goes on in it."""
    opened = api.open_workspace(workspace, create=False)
    deadline = time.monotonic() + PATIENCE
    while any(job.is_active for job in api.list_jobs(opened)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return opened
