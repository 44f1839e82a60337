"""Does a CSV file hold the numbers, and nothing that a spreadsheet runs?"""

import csv
import io

import pandas as pd

from grace_engine.quantities import percent
from grace_engine.ui import charts
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


def test_shares_are_rounded_alike_in_a_sentence_and_in_a_table() -> None:
    shares = [9 / 80, 17 / 80, 29 / 400, 0.0, 1.0, 1 / 3]
    assert [percent(share) for share in shares] == [
        *("11.3%", "21.3%", "7.3%", "0.0%", "100.0%", "33.3%")
    ]
    assert percent(float("nan")) == "–"

    drawn = with_minus(pd.DataFrame({"chosen": shares}), {"chosen": percent})

    lines = drawn.hide(axis="index").to_string().split()
    assert lines[1:] == [percent(share) for share in shares]


def test_a_saved_chart_is_named_by_what_it_shows() -> None:
    options = [
        charts.saving(key, pixels=pixels)["toImageButtonOptions"]
        for key, pixels in (("bias-chart", True), ("matrix", False))
    ]
    assert options == [
        {"format": "png", "scale": 2, "filename": "grace-bias"},
        {"format": "svg", "filename": "grace-matrix"},
    ]
