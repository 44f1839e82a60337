"""Does ``grace preview`` show the cuts of a second segmenter beside those of the first?"""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grace_engine.cli import app


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    row = {"question": "Half of 36?", "answer": "It is half.\nSo $x\n= 18$. Fine.\n#### 18"}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return path


def test_both_cuts_are_shown(traces: Path) -> None:
    shown = CliRunner().invoke(app, ["preview", str(traces), "--beside", "lines"])
    assert shown.exit_code == 0
    assert "cut by lines" in shown.output
    assert "= 18$. Fine." in shown.output


def test_the_json_holds_both_cuts_of_each_trace(traces: Path) -> None:
    found = json.loads(
        CliRunner().invoke(app, ["preview", str(traces), "--beside", "lines", "--json"]).stdout
    )
    assert [step["text"] for step in found["traces"][0]["steps"]] == [
        "It is half.",
        "So $x\n= 18$. Fine.",
    ]
    (other,) = found["beside"]["traces"]
    assert [step["text"] for step in other["steps"]] == ["It is half.", "So $x", "= 18$. Fine."]
    assert found["beside"]["segmenter"] == "lines"


def test_a_trace_that_the_other_segmenter_rejects_is_null(traces: Path) -> None:
    found = json.loads(
        CliRunner().invoke(app, ["preview", str(traces), "--beside", "given", "--json"]).stdout
    )
    assert found["beside"]["traces"] == [None]
    shown = CliRunner().invoke(app, ["preview", str(traces), "--beside", "given"])
    assert "rejects the trace" in shown.output
