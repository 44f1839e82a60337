"""Are the tables that README and docs show those of the results that were kept?"""

from pathlib import Path

import pytest

from grace_engine.reproduce import (
    Results,
    ResultTable,
    Subset,
    Supervision,
    read_results,
    subset_tables,
    supervision_tables,
)

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "reproductions"
TABLES = {"subset": subset_tables, "supervision": supervision_tables}
TASKS = {"subset": Subset, "supervision": Supervision}
# By reproduction: words in the titles of tables that README shows, too.
IN_README = {
    "subset": ("held-out problems solved",),
    "supervision": ("Problems solved after training", "Spearman's ρ"),
}


def kept(name: str) -> tuple[Results, tuple[ResultTable, ...]]:
    results = read_results(KEPT / f"{name}.json", name)
    return results, TABLES[name](results)


@pytest.mark.long
@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_those_of_the_kept_results(name: str) -> None:
    _, tables = kept(name)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    shown = [table for table in tables if any(words in table.title for words in IN_README[name])]
    assert shown
    assert len(shown) < len(tables)
    for table in tables:
        assert table.markdown() in page
    for table in shown:
        assert table.markdown() in readme


@pytest.mark.long
@pytest.mark.parametrize("name", TABLES)
def test_the_kept_results_are_of_what_the_command_does(name: str) -> None:
    results, _ = kept(name)
    assert results.settings == TASKS[name]().settings
    assert results.asked == tuple(TASKS[name]().cells)
