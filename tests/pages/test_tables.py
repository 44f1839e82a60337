"""Does a CSV file hold the numbers, and nothing that a spreadsheet runs?"""

import csv
import io

import pandas as pd

from grace_engine.ui.tables import csv_of


def test_text_that_a_spreadsheet_would_run_is_quoted() -> None:
    hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "plain", 'a "b", c', None]
    frame = pd.DataFrame({"=name": hostile, "value": [-0.5, *range(7)]})

    header, *rows = csv.reader(io.StringIO(csv_of(frame).decode()))

    assert header == ["'=name", "value"]
    assert [row[0] for row in rows] == [
        *("'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "plain", 'a "b", c', "")
    ]
    assert [float(row[1]) for row in rows] == [-0.5, *range(7)]
