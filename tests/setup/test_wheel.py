"""Does a built wheel, installed in an empty environment, open the studio in an empty folder?

The wheel is built from a copy of the tree and installed by pip with the versions of the lock as
constraints, torch and all; pip's own settings (``PIP_FIND_LINKS``) are inherited. That takes half a
minute on two cores. Where pip reaches no index, what needs the installation is skipped.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.setup.installed import (
    ROOT,
    Environment,
    UnreachableError,
    build_wheel,
    install,
    opened_studio,
)

pytestmark = pytest.mark.wheel

MOST_BYTES = 15_000_000
OPEN_FIRST_PAGE = """
from streamlit.testing.v1 import AppTest
from grace_engine import api
page = AppTest.from_file(str(api.app_script()), default_timeout=120).run()
assert not page.exception, page.exception
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    folder = tmp_path_factory.mktemp("environment") / "venv"
    try:
        yield install(wheel, folder)
    except UnreachableError as error:
        pytest.skip(f"pip cannot fetch packages here: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # two gigabytes that pytest would keep


def test_the_wheel_carries_the_app_and_its_pages_as_they_are_in_the_tree(
    files: dict[str, bytes],
) -> None:
    pages = sorted((ROOT / "pages").glob("*.py"))
    assert pages
    for path in (ROOT / "app.py", *pages, ROOT / ".streamlit" / "config.toml"):
        name = f"grace_engine/_app/{path.relative_to(ROOT).as_posix()}"
        assert files[name] == path.read_bytes(), name


def test_the_wheel_carries_the_sample_with_its_licence_and_the_model(
    files: dict[str, bytes],
) -> None:
    for name in (
        "gsm8k/LICENSE",
        "gsm8k/model_solutions.jsonl",
        "tiny-reasoner/model.safetensors",
        "tiny-reasoner/tokenizer.json",
    ):
        assert files[f"grace_engine/_sample/{name}"], name


def test_the_wheel_carries_what_reproductions_are_made_of(files: dict[str, bytes]) -> None:
    for path in sorted((ROOT / "grace_engine" / "generator").glob("*.py")):
        assert files[path.relative_to(ROOT).as_posix()] == path.read_bytes()
    assert files["grace_engine/_sample/tiny-reasoner-early/model.safetensors"]


def test_nothing_lands_beside_the_package(files: dict[str, bytes]) -> None:
    tops = {name.split("/")[0] for name in files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"grace_engine"}
    assert len(tops) == 2


def test_training_data_tests_and_leftovers_stay_out(wheel: Path, files: dict[str, bytes]) -> None:
    unwanted = [
        name
        for name in files
        if name.startswith(("sample_data", "tests", "grace_engine/_sample/gsm8k/train"))
        or name.endswith((".gz", ".pyc", ".duckdb", "train_model.py"))
        or "test" in name
    ]
    assert not unwanted
    assert wheel.stat().st_size < MOST_BYTES


@pytest.mark.slow
def test_the_sample_is_scored_and_listed_without_a_checkout(
    environment: Environment, tmp_path: Path
) -> None:
    where = environment.run(
        "python", "-c", "import grace_engine; print(grace_engine.__file__)", cwd=tmp_path
    )
    assert Path(where.stdout.strip()).is_relative_to(environment.folder), where.stderr
    scored = environment.run("grace", "sample", "--json", "--workspace", "new", cwd=tmp_path)
    assert scored.returncode == 0, scored.stderr
    listed = environment.run("grace", "traces", "--json", "--workspace", "new", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert json.loads(scored.stdout)["n_scored"] > 100
    assert json.loads(listed.stdout)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.slow
def test_the_first_page_needs_no_package_that_the_wheel_does_not_ask_for(
    environment: Environment, tmp_path: Path
) -> None:
    opened = environment.run("python", "-c", OPEN_FIRST_PAGE, cwd=tmp_path)
    assert opened.returncode == 0, opened.stderr


@pytest.mark.slow
def test_grace_app_opens_the_studio_in_an_empty_folder_on_the_loopback_address_only(
    environment: Environment, tmp_path: Path
) -> None:
    folder, log = tmp_path / "empty", tmp_path / "log.txt"
    folder.mkdir()
    with opened_studio(environment, "new", folder, log) as studio:
        status, page = studio.get("/")
        assert status == 200
        assert "<html" in page
        assert studio.listening_addresses() == {("127.0.0.1", studio.port)}
    assert not studio.process.is_running()
    assert {path.name for path in folder.iterdir()} <= {"new"}
