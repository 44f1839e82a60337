"""How does the shell speak: tables and sentences for people, one JSON document for programs?

Results go to standard output; progress, notes and errors to standard error. With ``--json`` the
standard output holds exactly one JSON document, an ``error`` object where the command failed.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress as Bars,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from grace_engine.errors import GraceError
from grace_engine.marks import marks_named
from grace_engine.quantities import duration as duration, pace, size as size

P = ParamSpec("P")
T = TypeVar("T")

# Tables that go into a pipe or a file are not squeezed to the width of a terminal.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False, soft_wrap=True)
INTERRUPTED = 130


def emit_json(document: object) -> None:
    """Write the command's one JSON document to standard output."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    sys.stdout.write(orjson.dumps(document, option=options).decode() + "\n")


def note(message: str) -> None:
    """A sentence to standard error; trace text in it is never markup."""
    err.print(Text(marks_named(message)))


def fault(message: str) -> None:
    """A user's fault to standard error."""
    err.print(Text.assemble(("error:", "bold red"), f" {marks_named(message)}"))


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    markdown: bool = False,
) -> None:
    """A table to standard output; numbers to the right. Only texts with spaces are wrapped."""
    if markdown:
        lines = [
            columns,
            ["---"] * len(columns),
            *([_cell(value) for value in row] for row in rows),
        ]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        head = f"**{title}**\n\n" if title else ""
        sys.stdout.write(marks_named(f"{head}{text}\n\n"))
        return
    drawn = Table(
        title=Text(marks_named(title)) if title else None, title_justify="left", header_style="bold"
    )
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], (int, float)) for row in rows)
        wraps = any(" " in _cell(row[index]) for row in rows)
        drawn.add_column(
            Text(marks_named(column)),
            justify="right" if numeric else "left",
            overflow="fold" if wraps else "ellipsis",
            no_wrap=not wraps,
        )
    for row in rows:
        drawn.add_row(*(Text(_cell(value)) for value in row))
    out.print(drawn)


def pairs(values: Mapping[str, object]) -> None:
    """Names and values, a line each, to standard output."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        out.print(Text.assemble((name.ljust(width), "bold"), f"  {_cell(value)}"))


def speaks(command: Callable[P, T]) -> Callable[P, T]:
    """A command whose user faults are printed as sentences, without a traceback."""

    @wraps(command)
    def spoken(*args: P.args, **kwargs: P.kwargs) -> T:
        from grace_engine.store import patient  # takes its time, which --help has no use for

        try:
            with patient(note):
                return command(*args, **kwargs)
        except GraceError as error:
            fault(str(error))
            if kwargs.get("as_json"):
                emit_json({"error": {"kind": type(error).__name__, "message": str(error)}})
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            note("Stopped. What was finished is kept; the same command goes on from there.")
            if kwargs.get("as_json"):
                emit_json({"error": {"kind": "Interrupted", "message": "stopped by the user"}})
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            sys.stderr.close()  # whoever read our output has gone; there is no one to tell
            raise SystemExit(1) from None

    return spoken


class _DoneColumn(MofNCompleteColumn):
    """Units that are done, of all; nothing where none is counted."""

    def render(self, task: Task) -> Text:
        if task.total is None and not task.completed:
            return Text()
        return super().render(task)


class _RateColumn(TextColumn):
    """Units and tokens per second of a phase, and units that failed."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Any:
        elapsed = task.elapsed or 0.0
        done = task.completed - task.fields["before"]
        if not done or elapsed <= 0:
            return ""
        rate = pace(done / elapsed, task.fields["unit"])
        tokens = task.fields["tokens"]
        failed = f"  {task.fields['failed']:,} failed" if task.fields["failed"] else ""
        return rate + (f"  {tokens / elapsed:,.0f} tokens/s" if tokens else "") + failed


class _LeftColumn(TimeRemainingColumn):
    """Remaining time, where the number of units is known."""

    def render(self, task: Task) -> Any:
        if task.total is None or task.finished:
            return ""
        return super().render(task).append(" left")


class ShellProgress:
    """Bars on standard error; plain lines every few seconds where it is no terminal."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            _DoneColumn(),
            _RateColumn(),
            _LeftColumn(),
            console=err,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._end()
        self._bars.stop()

    def _end(self) -> None:
        """Stop the current bar's clock, so that its rate stays that of its own time."""
        if self._task is not None:
            self._bars.stop_task(self._task)

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        """Start a bar; the one before it has ended."""
        self._end()
        self._task = self._bars.add_task(
            what, total=total or None, completed=done, before=done, unit=unit, tokens=0, failed=0
        )

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        """Move the current bar."""
        if self._task is not None:
            tokens += self._current("tokens")
            self._bars.update(self._task, advance=amount, tokens=tokens)

    def fail(self, _reason: str, amount: int = 1) -> None:
        """Count units that failed; the command's last line names the reasons."""
        if self._task is not None:
            self._bars.update(self._task, failed=self._current("failed") + amount)

    def _current(self, name: str) -> int:
        task = next(t for t in self._bars.tasks if t.id == self._task)
        return int(task.fields[name])

    def say(self, message: str) -> None:
        """A line above the bars."""
        self._bars.console.print(Text(message))


@contextmanager
def progress() -> Iterator[ShellProgress]:
    """Bars for the length of a command, whose work waits long for a busy workspace."""
    from grace_engine.store import LONG_SECONDS, patient

    with ShellProgress() as bars, patient(bars.say, seconds=LONG_SECONDS):
        yield bars


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else marks_named(str(value))
