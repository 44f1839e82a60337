"""Do tables say what the cells say?"""

from dataclasses import replace
from typing import Any

from grace_engine.reproduce import Results, subset_tables
from grace_engine.reproduce.subset_arms import Cell


def cell(name: str, right: str, clean: int = 0, bad: int = 0) -> dict[str, Any]:
    this = Cell.of(name)
    return {
        "pool": this.pool,
        "arm": this.arm,
        "percent": this.percent,
        "seed": this.seed,
        "right": right,
    } | (
        {
            "n_traces": clean + bad,
            "n_tokens": 100 * (clean + bad),
            "n_steps": 3,
            "kinds": {"clean": clean, "carried_on": bad},
        }
        if this.pool
        else {}
    )


FOUND = {
    "untrained": cell("untrained", "1000"),
    "random--random--20--0": cell("random--random--20--0", "1100", 4, 6),
    "random--random--20--1": cell("random--random--20--1", "1100", 2, 8),
    "random--clean--20--0": cell("random--clean--20--0", "1111", 10),
    "random--full--100--0": cell("random--full--100--0", "1111", 40, 60),
}
RESULTS = Results(
    name="subset",
    settings={"pool": {"n_traces": 100, "bad_share": 0.6}, "n_problems": 4},
    asked=tuple(FOUND),
    found=FOUND,
)


def test_rows_hold_shares_means_and_differences() -> None:
    solved, taken = subset_tables(RESULTS)
    rows = {row[0]: row[1:] for row in solved.rows}
    assert list(rows) == [
        "nothing (the model before)",
        "random",
        "flawless traces alone (an oracle)",
        "the full pool",
    ]
    # Four of ten and two of ten flawless; both seeds solve two of four problems.
    assert rows["random"][0] == "0.30"
    assert rows["random"][1].startswith("50.0% (")
    assert rows["random"][2] == "–"
    assert rows["nothing (the model before)"][0] == "–"
    assert rows["nothing (the model before)"][2].startswith("-25.0% (")
    assert rows["flawless traces alone (an oracle)"][:2] == ("1.00", "100.0% (100.0% to 100.0%)")
    assert rows["flawless traces alone (an oracle)"][2].startswith("+50.0% (")
    assert rows["the full pool"][0] == "0.40"
    assert taken.rows[0] == ("random", "20%", "10", "1,000", "3", "carried on 7", "50.0%, 50.0%")
    assert "2 seeds." in solved.title
    assert "cells" not in solved.title


def test_an_unfinished_table_says_how_many_cells_it_is_made_of() -> None:
    left = {name: found for name, found in FOUND.items() if "clean" not in name}
    solved = subset_tables(replace(RESULTS, found=left))[0]
    assert "So far 4 of 5 cells." in solved.title
    assert "flawless traces alone (an oracle)" not in {row[0] for row in solved.rows}


def test_markdown_has_a_line_a_row() -> None:
    text = subset_tables(RESULTS)[0].markdown().splitlines()
    assert text[0].startswith("**Pool random: 100 traces, 60% with a planted fault; 4 problems")
    assert text[2].startswith("| trained on | 20%: flawless |")
    assert len([line for line in text if line.startswith("| ")]) == 2 + 4


def test_nothing_finished_makes_no_table() -> None:
    assert subset_tables(replace(RESULTS, found={})) == ()
