"""A reproduction whose cells take no time and write down that they were done."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grace_engine.progress import Progress


class Counting:
    """Cells that find the length of their name; ``log`` gets a line for each that is begun.

    Args:
        log: The file.
        cells: Names.
        base: Is added to what is found.
        ends_at: At this cell the process ends at once, as if it were killed.
        raises_at: At this cell someone presses Ctrl-C.
    """

    name = "counting"
    device = "cpu"

    def __init__(
        self,
        log: Path,
        cells: Sequence[str] = ("a", "bb", "ccc", "dddd"),
        *,
        base: int = 0,
        ends_at: str = "",
        raises_at: str = "",
    ) -> None:
        self.log, self.cells, self.base = log, tuple(cells), base
        self.settings: Mapping[str, Any] = {"base": base}
        self.ends_at, self.raises_at = ends_at, raises_at

    def prepare(self, folder: Path, progress: Progress) -> None:
        (folder / "prepared").touch()

    def carry_out(self, cell: str, scratch: Path) -> Mapping[str, Any]:
        assert (scratch.parents[1] / "prepared").exists()
        assert not list(scratch.iterdir())
        (scratch / "half").touch()
        if cell == self.ends_at:
            os._exit(9)
        if cell == self.raises_at:
            raise KeyboardInterrupt
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{cell}\n")
        return {"length": len(cell) + self.base, "process": os.getpid()}

    def done(self) -> list[str]:
        """The cells that were carried out to their end, in order."""
        return self.log.read_text(encoding="utf-8").split() if self.log.exists() else []
