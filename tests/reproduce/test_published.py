"""Are the tables that README and docs show those of the results that were kept?"""

from pathlib import Path

from grace_engine.reproduce import Subset, read_results, subset_tables

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "reproductions" / "subset.json"


def test_the_tables_are_those_of_the_kept_results() -> None:
    solved, taken = [], []
    for table in subset_tables(read_results(KEPT, "subset")):
        (solved if "held-out problems solved" in table.title else taken).append(table.markdown())
    assert solved
    assert taken
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    for text in solved:
        assert text in readme
    for text in solved + taken:
        assert text in page


def test_the_kept_results_are_of_what_the_command_does() -> None:
    kept = read_results(KEPT, "subset")
    assert kept.settings == Subset().settings
    assert kept.asked == tuple(Subset().cells)
