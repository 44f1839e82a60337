"""Does an export from the Curate page go where it may, and over nothing else?"""

import json
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.errors import InputError
from grace_engine.export.formats import FORMATS
from grace_engine.records import Selection
from grace_engine.ui import curate_export
from tests.pages.looking import shown


@pytest.mark.long
@pytest.mark.parametrize("as_format", FORMATS)
def test_a_selection_is_exported_within_the_workspace(
    open_curate, own_workspace: api.Workspace, as_format: str
) -> None:
    chosen = api.curate(own_workspace, "25%")
    store.rename_selection(own_workspace, chosen.id, "../../out")  # as an older version let it be
    app = open_curate(own_workspace.root, section="Selections", selection=chosen.id)

    app.selectbox(key="export-format").set_value(as_format).run()
    app.checkbox(key="export-annotate").set_value(True).run()
    app.button(key="export-it").click().run()

    assert not app.exception
    assert not app.error
    file = own_workspace.root / "exports" / "out" / f"{as_format}-annotated.jsonl"
    assert json.loads(file.read_bytes().splitlines()[0])["grace"]
    manifest = json.loads((file.parent / "manifest.json").read_bytes())
    assert manifest["file"] == file.name
    assert "traces in" in shown(app)


def test_another_export_of_the_same_name_is_not_replaced_unasked(
    open_curate, own_workspace: api.Workspace
) -> None:
    chosen = api.curate(own_workspace, "25%", name="same")
    file = own_workspace.root / "exports" / "same" / "original.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"mine\n")
    app = open_curate(own_workspace.root, section="Selections", selection=chosen.id)

    app.button(key="export-it").click().run()
    assert not app.exception
    assert len(app.error) == 1
    assert "Tick “Replace another export”" in app.error[0].value
    assert "overwrite" not in app.error[0].value
    assert file.read_bytes() == b"mine\n"

    app.checkbox(key="export-replace").set_value(True).run()
    app.button(key="export-it").click().run()
    assert not app.error
    assert file.read_bytes() != b"mine\n"


def test_an_export_never_follows_a_link_out_of_the_workspace(
    own_workspace: api.Workspace, tmp_path: Path
) -> None:
    chosen = api.curate(own_workspace, "25%", name="trap")
    (tmp_path / "outside").mkdir()
    (own_workspace.root / "exports").symlink_to(tmp_path / "outside")

    with pytest.raises(InputError, match="leads out of the workspace"):
        curate_export.target(str(own_workspace.root), chosen, "original", annotate=False)


@pytest.mark.parametrize("name", ["..", "/etc/passwd", "a\\b\0c", "  ", "x" * 500])
def test_names_of_selections_never_become_paths(tmp_path: Path, name: str) -> None:
    chosen = Selection(
        id="s-00000000", name=name, run_id="r-0", strategy="grace", alpha=0.7, history="uniform",
        aggregate="mean", history_only=False, budget="20%", seed=0, choices=(),
    )  # fmt: skip

    path = curate_export.target(str(tmp_path), chosen, "messages", annotate=False)

    assert path.parent.parent == tmp_path.resolve() / "exports"
    assert path.name == "messages.jsonl"
