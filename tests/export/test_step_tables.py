"""Are the steps of a run the same table in every form, and found in time that grows with them?"""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from grace_engine import api
from grace_engine.api.views import nullable
from grace_engine.export import table_writer


def test_the_ending_says_how_steps_are_written(
    grace, scored_workspace: api.Workspace, tmp_path: Path
) -> None:
    def written(name: str) -> list[dict]:
        to = tmp_path / name
        assert grace("export-steps", "--to", to, "-w", scored_workspace.root)[0] == 0
        if to.suffix == ".csv":
            with to.open(newline="") as file:
                rows = list(csv.DictReader(file))
            return [{name: cell or None for name, cell in row.items()} for row in rows]
        if to.suffix == ".jsonl":
            return [json.loads(line) for line in to.read_text().splitlines()]
        return pq.read_table(to).to_pandas().to_dict("records")

    expected = pd.DataFrame(written("steps.parquet"))
    for name in ("steps.csv", "steps.jsonl"):
        found = pd.DataFrame(written(name)).astype(expected.dtypes)
        found["text"] = found["text"].str.removeprefix("'")
        found["step_label"] = found["step_label"].where(found["step_label"].notna(), None)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    for name in ("steps", "steps.xlsx", "steps.json"):
        status, _, err = grace("export-steps", "--to", tmp_path / name, "-w", scored_workspace.root)
        assert (status, (tmp_path / name).exists()) == (1, False)
        assert "ends with .parquet, .csv, .jsonl." in " ".join(err.split())


def test_a_cell_that_begins_with_an_equals_sign_is_no_formula(tmp_path: Path) -> None:
    schema = pa.schema({"step": pa.int32(), "text": pa.string(), "nll": pa.float64()})
    texts = ["=1+1", "-5 is less", "@x", "7=7", 'a "b", c\nd']
    with table_writer(tmp_path / "x", ".csv", schema) as write:
        write([{"step": n, "text": text, "nll": -0.5} for n, text in enumerate(texts)])
        write([{"step": None, "text": "+1"}])
    with (tmp_path / "x").open(newline="") as file:
        found = list(csv.reader(file))
    assert [row[1] for row in found[1:]] == [
        "'=1+1", "'-5 is less", "'@x", "7=7", 'a "b", c\nd', "'+1",
    ]  # fmt: skip
    assert found[1] == ["0", "'=1+1", "-0.5"]
    assert found[6] == ["", "'+1", ""]


def test_the_numbers_of_a_trace_are_found_without_reading_those_of_all(
    scored_workspace: api.Workspace,
) -> None:
    view = api.run_view(scored_workspace)
    read: list[int] = []

    class Counted(np.ndarray):
        def astype(self, *_: object, **__: object) -> np.ndarray:  # a copy of all ids
            read.append(len(self))
            return super().astype(*_, **__)

    signals = replace(view.signals, trace_ids=view.signals.trace_ids.view(Counted))
    counted = replace(view, signals=signals)
    for place, name in enumerate(view.signals.trace_ids.tolist()):
        assert counted.numbers_of(name) == counted.numbers_at(place)
        where = view.signals.steps_of(place)
        scores = [each["score"] for each in counted.numbers_at(place)]
        assert scores == nullable(view.scores[where])
    assert read == []
