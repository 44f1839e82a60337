"""What does ``grace correlate`` find in tables that a person wrote, and what does it refuse?"""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from grace_engine.cli import correlating
from grace_engine.errors import InputError, ReadError
from grace_engine.evidence import Evidence, correlate, read_evidence
from grace_engine.evidence.correlating import Correlation

CSV = """dataset,model,length,flow,result.accuracy
a,small,10,.9,.1
b,small,20,.8,.2
c,small,30,.9,.3
d,small,40,,.4
a,large,10,.9,.8
b,large,20,.8,.7
c,large,30,.9,.6
d,large,40,,.9
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(CSV)
    return path


def test_a_table_of_two_models_gives_a_correlation_of_each(table: Path) -> None:
    found = {(c.model, c.metric): c for c in correlate(read_evidence(table)).cells}
    small, large = found["small", "length"], found["large", "length"]
    assert (small.n, small.rho, small.p) == (4, 1.0, 2 / 24)
    # Ranks of the large model's results 3, 2, 1, 4: Σd² = 4 + 0 + 4 + 0, ρ = 1 − 48/60 = .2.
    assert large.rho == pytest.approx(0.2)
    # Without d its ranks are 3, 2, 1 (ρ = −1); without a 2, 1, 3 (.5); b: 2, 1, 3; c: 2, 1, 3.
    assert (large.low, large.high, large.leans_on) == (-1.0, 0.5, "d")


def test_a_missing_number_leaves_its_dataset_out_of_that_cell(table: Path) -> None:
    (cell,) = [
        c for c in correlate(read_evidence(table)).cells if (c.model, c.metric) == ("small", "flow")
    ]
    assert (cell.n, cell.low) == (3, None)
    assert cell.rho == pytest.approx(0.0)  # ranks 2.5, 1, 2.5 beside 1, 2, 3


def test_a_metric_that_is_the_same_everywhere_has_no_correlation() -> None:
    evidence = Evidence(
        datasets=("a", "b", "c"),
        metrics={"same": [1.0, 1.0, 1.0], "up": [1.0, 2.0, 3.0]},
        results={"m": {"r": [1.0, 2.0, 3.0], "none": [math.nan] * 3}},
    )
    found = correlate(evidence)
    assert [(c.metric, c.result, c.rho) for c in found.cells] == [
        ("same", "r", None),
        ("same", "none", None),
        ("up", "r", 1.0),
        ("up", "none", None),
    ]
    assert [(mean.metric, mean.rho, mean.n) for mean in found.averages] == [
        ("same", None, 0),
        ("up", 1.0, 1),
    ]


def test_json_and_csv_say_the_same(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "mine.json"
    document = {
        "datasets": ["a", "b", "c", "d"],
        "metrics": {"length": [10, 20, 30, 40], "flow": [0.9, 0.8, 0.9, None]},
        "results": {
            "small": {"accuracy": [0.1, 0.2, 0.3, 0.4]},
            "large": {"accuracy": [0.8, 0.7, 0.6, 0.9]},
        },
    }
    other.write_text(json.dumps(document))
    assert correlate(read_evidence(other)) == correlate(read_evidence(table))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.csv", "name,y\na,1\n", "no column 'dataset'"),
        ("x.csv", "dataset,y\na,1\nb,2\nc,3\n", "which columns are results"),
        ("x.csv", "dataset,y,result.r\na,1,2\nb,zwei,2\nc,1,2\n", "line 3, column y: 'zwei'"),
        ("x.csv", "dataset,y,result.r\na,1,2\na,1,2\n", "line 3 names 'a'"),
        ("x.csv", "dataset,model,y,result.r\na,s,1,2\na,l,2,2\n", "another y"),
        ("x.csv", "dataset,y,result.r\na,1,2\nb,1,2\n", "needs 3 datasets"),
        ("x.csv", "dataset,result.r\na,1\nb,1\nc,2\n", "at least one metric"),
        ("x.json", "[]", "does not hold datasets"),
        ("x.json", '{"datasets": ["a"], "metrics": {"m": [1, 2]}, "results": {}}', "not as long"),
        ("x.txt", "dataset", "neither .csv nor .json"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises((ReadError, InputError), match=says.replace("[", r"\[")):
        correlate(read_evidence(path))


def test_the_shell_says_how_many_cells_of_the_paper_come_out_again(grace) -> None:
    status, out, err = grace("correlate", "--paper", "--json")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert (document["n_printed"], document["differing"]) == (180, [])
    status, out, err = grace("correlate", "--paper")
    assert "180 of 180 printed correlations" in " ".join(err.split())
    assert "no p can be below 0.0833" in " ".join(err.split())


def test_the_shell_reads_a_file_and_shows_the_spread(grace, table: Path) -> None:
    status, out, _ = grace("correlate", table, "--long", "--markdown")
    assert status == 0
    assert "| length | accuracy | 4 | +0.20 | .917 | −1.00 to +0.50 | d |" in out
    status, _, err = grace("correlate")
    assert (status, err.count("error:")) == (1, 1)
    status, _, err = grace("correlate", table, "--results", "missing")
    assert "no column 'missing'" in err


def test_a_small_p_is_said_to_be_small_and_minus_is_one_sign() -> None:
    known = Correlation(
        metric="m", model="x", result="r", n=9, rho=-0.98, p=1 / 362880, is_exact=True,
        smallest_p=0.0, low=None, high=None, leans_on="",
    )  # fmt: skip
    assert correlating._cell(known) == "−0.98 (<.001)"
    assert correlating._cell(replace(known, p=0.0833)) == "−0.98 (.083)"
    assert correlating._cell(replace(known, is_exact=False)) == "−0.98 (≈<.001)"


def test_where_no_column_names_a_model_no_table_has_its_title(grace, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("dataset,length,result.r\na,1,2\nb,2,3\nc,3,1\n")
    status, out, _ = grace("correlate", path)
    assert status == 0
    assert "length" in out
    assert "model" not in out
    assert "**" not in grace("correlate", path, "--markdown")[1]
    path.write_text("dataset,length,result.r\na,1,2\na,1,3\n")
    with pytest.raises(ReadError, match="line 3 names 'a' again"):
        read_evidence(path)
