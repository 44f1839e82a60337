"""Small disks of their own for the tests, where this machine lets us have them."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system in memory."""

    root: Path

    def remount(self, option: str) -> None:
        """Change it while it holds files: ``ro``, ``rw``, ``size=20m``."""
        _run("mount", "-o", f"remount,{option}", str(self.root))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture
def make_disk(tmp_path: Path) -> Iterator[Callable[[str], Disk]]:
    """Mount a disk of a size; where that needs rights that are missing, skip and say so."""
    made: list[Path] = []

    def make(size: str) -> Disk:
        root = tmp_path / f"disk {len(made)}"
        root.mkdir()
        try:
            _run("mount", "-t", "tmpfs", "-o", f"size={size}", "grace-test", str(root))
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or error
            pytest.skip(f"no small disk: mounting one needs rights that are missing ({said})")
        made.append(root)
        return Disk(root)

    yield make
    for root in made:
        _run("umount", str(root))
