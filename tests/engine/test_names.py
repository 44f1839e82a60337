"""Is a name that is no name refused in one sentence, wherever one is given?"""

from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.config import IngestConfig
from grace_engine.errors import InputError

BAD = ["../../x", "a/b", "a\\b", "..", ".", "  ", "a\nb", "a\0b", "a\x1bb", "a\u2028b", "x" * 201]
GOOD = ["sums", "Sums 2 (fine)", "é問題", "a.b-c_d", "<b>x", "x" * 200]


@pytest.mark.parametrize("name", BAD)
def test_a_dataset_cannot_be_named_so(name: str) -> None:
    with pytest.raises(InputError, match=r"(?i)dataset") as refused:
        IngestConfig(dataset=name)
    assert "\n" not in str(refused.value)


def test_a_selection_cannot_be_named_so(own_workspace: api.Workspace) -> None:
    chosen = api.curate(own_workspace, "20%", name="fine")
    for name in BAD:
        if name.strip():  # a choice without a name has its id
            with pytest.raises(InputError, match="Selection name"):
                api.curate(own_workspace, "30%", name=name)
        for wanted in (name, ""):
            with pytest.raises(InputError, match=r"(?i)selection"):
                api.rename_selection(own_workspace, chosen.id, wanted)
    assert [each.name for each in api.list_selections(own_workspace)] == ["fine"]


@pytest.mark.parametrize("name", GOOD)
def test_other_names_are_kept_as_they_are(name: str) -> None:
    assert IngestConfig(dataset=name).dataset == name


def test_a_file_whose_own_name_is_none_is_refused_and_another_can_be_given(
    tmp_path: Path, grace, sample_file: Path
) -> None:
    path = tmp_path / "a\x07b.jsonl"
    path.write_bytes(sample_file.read_bytes())
    status, _, err = grace("ingest", path, "-w", tmp_path / "w")
    assert (status, err.count("error:")) == (1, 1)
    assert "cannot be used: leave out slashes" in " ".join(err.split())
    assert grace("ingest", path, "--dataset", "mine", "-w", tmp_path / "w")[0] == 0
    for refused in ("../../x", " "):
        status, _, err = grace("ingest", path, "--dataset", refused, "-w", tmp_path / "w")
        assert (status, err.count("error:")) == (1, 1)
