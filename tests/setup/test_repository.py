"""Does the repository keep the promises that its set-up makes to a newcomer?"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[0-9][A-Za-z0-9.]*)")
# A CUDA build of torch brings these along; the lock serves both builds.
OF_CUDA = re.compile(r"nvidia-|cuda-|triton$")
# In parts, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:" + "|".join(["work", "home", "root"]) + r")/")
REGISTRY_HOST = re.compile(
    "|".join(["py" + r"pi\.org", "python" + r"hosted\.", "ana" + r"conda\.", "npm" + r"js\."])
)
COMMANDS = ("make run", "make demo", "make test")


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    matches = [PINNED.fullmatch(line) for line in lines]
    return {canonicalize_name(match["name"]): match["version"] for match in matches if match}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Files that a clone would hold."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout: there is no list of tracked files")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def declared(*tables: str) -> list[Requirement]:
    """Requirements of pyproject.toml: ``runtime``, ``extras``, ``development``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = {
        "runtime": project["project"]["dependencies"],
        "extras": [*chain(*project["project"].get("optional-dependencies", {}).values())],
        "development": project["dependency-groups"]["dev"],
    }
    every = [Requirement(text) for table in tables for text in found[table]]
    return [requirement for requirement in every if requirement.name != project["project"]["name"]]


def test_the_lock_holds_exact_versions_and_nothing_else() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    assert [line for line in lines if OF_CUDA.match(line.lower())] == []
    assert len(set(lines)) == len(lines), "a line stands twice"


def test_every_declared_dependency_is_pinned_to_a_version_that_it_allows(
    pins: dict[str, str],
) -> None:
    for requirement in declared("runtime", "extras", "development"):
        version = pins.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not in requirements.lock: run make lock"
        assert requirement.specifier.contains(version), f"{requirement} does not allow {version}"


def test_whatever_a_pinned_package_asks_for_is_pinned_too(pins: dict[str, str]) -> None:
    missing = set()
    for name in pins:
        try:
            wanted = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # pinned for another platform or Python
        for requirement in map(Requirement, wanted):
            asked = canonicalize_name(requirement.name)
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if applies and asked not in pins and not OF_CUDA.match(asked):
                missing.add(f"{asked} (for {name})")
    assert missing == set()


def test_every_dependency_has_a_line_that_says_why() -> None:
    contributing = ROOT / "CONTRIBUTING.md"
    assert contributing.is_file(), "CONTRIBUTING.md is missing: it gives each dependency a line"
    rows = re.findall(r"^\| *`?([\w.-]+)`? *\| *\S.*\|$", contributing.read_text(), re.MULTILINE)
    told = {canonicalize_name(name) for name in rows}
    names = {canonicalize_name(r.name) for r in declared("runtime", "extras", "development")}
    assert names - told == set(), "these have no line in CONTRIBUTING.md"


def test_the_readme_opens_with_the_three_commands() -> None:
    opening = (ROOT / "README.md").read_text().splitlines()[:12]
    starts = [
        next((at for at, line in enumerate(opening) if line.startswith(command)), None)
        for command in COMMANDS
    ]
    assert None not in starts, f"{COMMANDS} do not all stand in the README's first lines"
    assert starts == sorted(starts)


def test_the_makefile_has_the_promised_targets_and_ci_runs_make_test() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {"run", "demo", "test", "test-long", "lint", "bench", "lock", "wheel"} <= targets
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-2:] == ["make test", "make test-long"]


def test_no_file_names_a_developers_machine_or_a_package_registry(tracked: list[Path]) -> None:
    found = []
    for path in tracked:
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
            if MACHINE_PATH.search(line) or REGISTRY_HOST.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_the_floors_hold() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_licence_is_apache_2() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]
