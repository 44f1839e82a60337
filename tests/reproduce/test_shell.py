"""Does ``grace reproduce subset`` run from nothing to a table, and not again?"""

import json
from pathlib import Path

import pytest

SMALL = (
    *("--traces", 40, "--problems", 2, "--budgets", 20, "--seeds", 1),
    *("--arms", "untrained,clean", "--processes", 1),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reproduced") / "workspace"


@pytest.mark.slow
def test_a_small_one_runs_from_nothing_to_tables_and_never_again(
    grace, root: Path, tmp_path: Path
) -> None:
    status, out, err = grace("reproduce", "subset", "-w", root, *SMALL, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert list(found["found"]) == ["untrained", "random--clean--20--0", "systematic--clean--20--0"]
    assert found["missing"] == []
    for cell in found["found"].values():
        assert set(cell["right"]) <= {"0", "1"}
        assert len(cell["right"]) == sum(cell["by_outcome"].values()) == 2
    assert found["found"]["untrained"]["n_steps"] == 0
    assert found["found"]["random--clean--20--0"]["n_steps"] > 0
    titles = [table["title"] for table in found["tables"]]
    assert sum("pool random: 40 traces".lower() in title.lower() for title in titles) == 2

    files = sorted(root.glob("reproductions/subset/*/cells/*.json"))
    before = [file.stat().st_mtime_ns for file in files]
    status, out, _ = grace("reproduce", "subset", "-w", root, *SMALL, "--json")
    assert status == 0
    assert json.loads(out) == found
    assert [file.stat().st_mtime_ns for file in files] == before

    kept, table = tmp_path / "kept.json", tmp_path / "table.md"
    only = ("reproduce", "subset", "-w", root, *SMALL, "--only-report")
    assert grace(*only, "--to", kept)[0] == 0
    assert grace(*only, "--to", table)[0] == 0
    again = tmp_path / "again.md"
    status, _, err = grace("reproduce", "subset", "--from", kept, "--to", again)
    assert status == 0, err
    assert again.read_text() == table.read_text()
    assert table.read_text().count("| flawless traces alone (an oracle) |") == 4


def test_only_a_report_computes_nothing_and_says_what_is_missing(grace, tmp_path: Path) -> None:
    status, out, err = grace(
        "reproduce", "subset", "-w", tmp_path / "w", *SMALL, "--only-report", "--json"
    )
    assert status == 0
    assert len(json.loads(out)["missing"]) == 3
    assert "0 of 3 cells are finished" in err
    assert not (tmp_path / "w").exists()


def test_what_cannot_be_asked_is_one_sentence(grace, tmp_path: Path) -> None:
    for more, said in (
        (("--to", "table.txt"), "use .md or .json"),
        (("--budgets", "ten"), "Budgets 'ten' are not known"),
        (("--arms", "best"), "Arm 'best' is not known"),
        (("--from", tmp_path / "none.json"), "There is no file"),
    ):
        status, _, err = grace("reproduce", "subset", "-w", tmp_path / "w", *more)
        assert status == 1
        assert err.startswith("error: ")
        assert said in err
