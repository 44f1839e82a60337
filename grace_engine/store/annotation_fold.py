"""What do curators say now, given the log of everything they ever said?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from grace_engine.records import Annotation

Place: TypeAlias = tuple[str, int | None, int | None]
"""Trace, first character of a step, one past its last; None twice for the trace itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Which actions of one author can be taken back, and which can be done again.

    Attributes:
        done: Actions that stand, oldest first; ``undo`` takes the last.
        undone: Actions taken back since the author's last new one, in that order; ``redo`` takes
            the last.
    """

    done: tuple[int, ...] = ()
    undone: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What stands after a log: of several entries on one place the last that is not taken back.

    Attributes:
        verdicts: By trace and characters.
        overrides: By trace.
        looks: Author and trace.
        turns: By author; who never judged or overrode is missing.
        version: Place of the last entry; 0 for an empty log.
    """

    verdicts: Mapping[Place, Annotation]
    overrides: Mapping[str, Annotation]
    looks: frozenset[tuple[str, str]]
    turns: Mapping[str, Turns]
    version: int

    def turns_of(self, author: str) -> Turns:
        """What this author can take back and do again."""
        return self.turns.get(author, Turns())


def fold(log: Iterable[Annotation]) -> Folded:
    """Replay a log, in order of ``seq``, without the actions that are undone at its end.

    Who withdraws what they said themselves takes back no more than that: what others said there
    before stands again. Who withdraws what another author said last withdraws all of it.
    """
    entries = list(log)
    turns = turns_by_author(entries)
    standing = {action for own in turns.values() for action in own.done}
    verdicts: dict[Place, dict[str, Annotation]] = {}
    overrides: dict[str, dict[str, Annotation]] = {}
    for entry in entries:
        if entry.action not in standing:
            continue
        if entry.kind == "verdict":
            place = (entry.trace_id, entry.start, entry.end)
            _say(verdicts.setdefault(place, {}), entry)
        else:
            _say(overrides.setdefault(entry.trace_id, {}), entry)
    return Folded(
        verdicts={place: _last(said) for place, said in verdicts.items() if said},
        overrides={trace: _last(said) for trace, said in overrides.items() if said},
        looks=frozenset((e.author, e.trace_id) for e in entries if e.kind == "look"),
        turns=turns,
        version=entries[-1].seq if entries else 0,
    )


def _say(said: dict[str, Annotation], entry: Annotation) -> None:
    """Add an entry to what authors said of one place, the latest last."""
    if not entry.word and said and _last(said).author != entry.author:
        said.clear()
    said.pop(entry.author, None)
    if entry.word:
        said[entry.author] = entry


def _last(said: dict[str, Annotation]) -> Annotation:
    return next(reversed(said.values()))


def turns_by_author(log: Iterable[Annotation]) -> dict[str, Turns]:
    """The actions of each author that stand, and those that can be done again.

    A new action forgets what could be done again; it stays undone. Looks are no actions here.
    """
    done: dict[str, dict[int, None]] = {}
    undone: dict[str, dict[int, None]] = {}
    for entry in log:
        if entry.kind == "look":
            continue
        own_done = done.setdefault(entry.author, {})
        own_undone = undone.setdefault(entry.author, {})
        if entry.kind == "undo":
            del own_done[entry.target]
            own_undone[entry.target] = None
        elif entry.kind == "redo":
            del own_undone[entry.target]
            own_done[entry.target] = None
        elif entry.action not in own_done:
            own_done[entry.action] = None
            own_undone.clear()
    return {
        author: Turns(done=tuple(own), undone=tuple(undone[author])) for author, own in done.items()
    }
