"""Does a CSV file hold the numbers, and nothing that a spreadsheet runs?"""

import csv
import io

import pandas as pd

from grace_engine.ui.tables import csv_of, with_minus


def test_text_that_a_spreadsheet_would_run_is_quoted() -> None:
    hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "plain", 'a "b", c', None]
    frame = pd.DataFrame({"=name": hostile, "value": [-0.5, *range(7)]})

    header, *rows = csv.reader(io.StringIO(csv_of(frame).decode()))

    assert header == ["'=name", "value"]
    assert [row[0] for row in rows] == [
        *("'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "plain", 'a "b", c', "")
    ]
    assert [float(row[1]) for row in rows] == [-0.5, *range(7)]


def test_negative_numbers_carry_the_minus_of_the_charts_and_stay_numbers() -> None:
    frame = pd.DataFrame({"margin": [-0.12345, 0.5, None], "name": ["a-b", "c", "d"]})

    drawn = with_minus(frame, {"margin": "+.4f"})

    lines = drawn.hide(axis="index").to_string().splitlines()
    assert lines[1:] == ["\u22120.1235 a-b", "+0.5000 c", "– d"]
    assert drawn.data["margin"].tolist()[:2] == [-0.12345, 0.5]
