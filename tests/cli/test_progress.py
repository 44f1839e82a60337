"""Do bars count what was done before but not in the rate, and how long do commands wait?"""

from pathlib import Path

import pytest
from rich.text import Text

from grace_engine.cli import console
from grace_engine.cli.console import ShellProgress
from grace_engine.store import patience


def drawn(progress: ShellProgress) -> list[str]:
    """What the columns of the last bar say."""
    task = progress._bars.tasks[-1]
    cells = [column(task) for column in progress._bars.columns if not isinstance(column, str)]
    return [str(cell) for cell in cells if isinstance(cell, (str, Text))]


def test_a_resumed_phase_counts_what_was_done_and_rates_what_is_new() -> None:
    progress = ShellProgress()
    progress.begin("Scoring", 100, "traces", done=70)
    assert any("70/100" in cell for cell in drawn(progress))
    assert not any("traces a second" in cell for cell in drawn(progress))

    progress._bars.tasks[-1].start_time -= 10.0
    progress.advance(20)

    (rate,) = [cell for cell in drawn(progress) if "traces a second" in cell]
    assert 1.9 < float(rate.split()[0]) <= 2.0
    assert any("90/100" in cell for cell in drawn(progress))


def test_a_slow_phase_says_how_long_a_unit_takes() -> None:
    progress = ShellProgress()
    progress.begin("Training", 9, "steps")
    progress._bars.tasks[-1].start_time -= 60.0
    progress.advance(2)
    assert any("30 s a step" in cell for cell in drawn(progress))


def test_a_phase_that_counts_nothing_shows_no_count() -> None:
    progress = ShellProgress()
    progress.begin("Reading what can be read", 0, "tables")
    assert not any("0/?" in cell for cell in drawn(progress))


def test_a_command_tells_of_its_waiting_and_one_with_bars_waits_long(tmp_path: Path) -> None:
    waits = []

    @console.speaks
    def command() -> None:
        waits.append(patience.Wait(tmp_path, 30.0).seconds)
        with console.progress():
            waits.append(patience.Wait(tmp_path, 30.0).seconds)

    command()

    assert waits == pytest.approx([30.0, patience.LONG_SECONDS])
    assert patience._of_process is None
