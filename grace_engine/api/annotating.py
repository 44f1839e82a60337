"""What do curators say of steps and traces, and how is it said, taken back and read?

Everything that is said is an entry of a log that only grows; the current state is that log without
what was undone. Of several verdicts on one step, or overrides of one trace, the last stands,
whoever it is from; who withdraws their own leaves what others said there before; each author
undoes and redoes only their own actions.
"""

import getpass
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from grace_engine import store
from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import Annotation
from grace_engine.store import Workspace

VERDICTS = ("good", "wrong", "irrelevant", "redundant")
"""Words that the studio offers; any other is as good."""

MAX_WORD, MAX_NOTE = 64, 2000
"""Characters of a verdict's word or an author's name, and of a note."""

_AUTHOR = "GRACE_AUTHOR"
_CONTROLS = {"Cc", "Cs", "Zl", "Zp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """What curators say of the traces that the workspace holds.

    Attributes:
        verdicts: By trace and step (from 1, as steps are cut now; None for the trace).
        overrides: By trace; the word is ``keep`` or ``drop``.
        looked: Traces that ``author`` looked at.
        version: Place of the last entry of the log that this was made from; 0 without one.
        author: Whose looks and turns these are.
        can_undo: Whether the author has an action to undo.
        can_redo: Whether the author has an action to redo.
        n_unplaced: Verdicts that are not among these since no step has their text any more: steps
            were cut anew.
        n_gone: Verdicts and overrides that are not among these since the workspace no longer holds
            their traces; they return with them.
    """

    verdicts: Mapping[str, Mapping[int | None, Annotation]]
    overrides: Mapping[str, Annotation]
    looked: frozenset[str]
    version: int
    author: str
    can_undo: bool
    can_redo: bool
    n_unplaced: int = 0
    n_gone: int = 0

    @property
    def n_verdicts(self) -> int:
        """Verdicts that show."""
        return sum(map(len, self.verdicts.values()))


def mark(
    workspace: Workspace,
    trace_id: str,
    word: str,
    *,
    step: int | None = None,
    note: str = "",
    author: str = "",
    run: str | None = None,
) -> int:
    """Put a verdict on a step, in the place of the one that it has; the number of the action.

    Args:
        workspace: Where the trace is.
        trace_id: Its id, or a unique beginning of it.
        word: One of ``VERDICTS``, or any other up to 64 characters; "" withdraws the verdict.
        step: Counted from 1; None for the trace as a whole.
        note: Up to 2,000 characters.
        author: Who says so; "" for ``$GRACE_AUTHOR`` or the system's name of the user.
        run: Steps are counted as this run saw them; without one, as they are cut now.

    Raises:
        NotFoundError: No such trace, or no verdict to withdraw.
        InputError: The trace has no such step, a note without a word, or a text that cannot be
            stored.
    """
    if word and not word.strip():
        raise InputError("A verdict needs a word that can be seen, such as good or wrong.")
    word, note, author = _line("word", word), _note(note), author_or_user(author)
    if note and not word:
        raise InputError("A note needs a verdict: give a word with it, such as good or wrong.")
    if not word:
        trace_id = _require_verdict(workspace, trace_id, step, run)
    return store.add_verdict(
        workspace, trace_id, step=step, word=word, note=note, author=author, run=run
    )


def override(
    workspace: Workspace,
    trace_ids: Sequence[str],
    keep: bool | None,
    *,
    reason: str = "",
    author: str = "",
) -> int:
    """Keep traces or problems in every selection, or out of it, in one action; its number.

    Args:
        workspace: Where they are.
        trace_ids: Their ids, or unique beginnings of them.
        keep: True keeps, False drops, None withdraws.
        reason: Up to 2,000 characters.
        author: Who says so; "" for ``$GRACE_AUTHOR`` or the system's name of the user.

    Raises:
        NotFoundError: No such trace, or none of them has an override to withdraw.
        InputError: No trace is named, or a reason that cannot be stored.
    """
    if isinstance(trace_ids, str) or not len(trace_ids):
        raise InputError("No trace is named: name the traces to keep, drop or withdraw by id.")
    ids, reason, author = list(trace_ids), _note(reason), author_or_user(author)
    if keep is None:
        ids = _overridden(workspace, ids)
    word = "" if keep is None else "keep" if keep else "drop"
    return store.add_overrides(workspace, ids, word=word, note=reason, author=author)


def look(workspace: Workspace, trace_id: str, *, author: str = "") -> None:
    """Remember that the author looked at a trace; a second look changes nothing.

    Raises:
        NotFoundError: No such trace.
    """
    store.add_look(workspace, trace_id, author=author_or_user(author))


def undo(workspace: Workspace, *, author: str = "") -> str | None:
    """Take back the author's last action that stands; a sentence on it, None where there is none.

    The sentence quotes what the curator wrote: treat it as text, never as markup.
    """
    return _turn(workspace, "undo", author)


def redo(workspace: Workspace, *, author: str = "") -> str | None:
    """Do again what the author undid last, unless they did something new since; as ``undo``."""
    return _turn(workspace, "redo", author)


def annotations(
    workspace: Workspace, *, author: str = "", until: int | None = None, run: str | None = None
) -> Annotations:
    """What stands now, or stood when the log ended with entry ``until``.

    Args:
        workspace: The workspace.
        author: Whose looks and turns to tell; "" for ``$GRACE_AUTHOR`` or the system's user, and
            no one's where neither is known.
        until: Place of the last entry to read; None for all of the log.
        run: Steps are those that this run saw; without one, those of now.
    """
    author = _known_author(author)
    log = store.annotation_log(workspace, until, run)
    folded = store.fold(log.entries)
    verdicts: dict[str, dict[int | None, Annotation]] = {}
    n_unplaced = n_gone = 0
    numbers = {
        trace: {span: number for number, span in enumerate(spans, start=1)}
        for trace, spans in log.spans.items()
    }
    for (trace, start, end), entry in folded.verdicts.items():
        if trace not in log.present:
            n_gone += 1
            continue
        step = None
        if start is not None and end is not None:
            step = numbers[trace].get((start, end))
            if step is None:
                n_unplaced += 1
                continue
        placed = entry if entry.step == step else replace(entry, step=step)
        verdicts.setdefault(trace, {})[step] = placed
    overrides = {t: entry for t, entry in folded.overrides.items() if t in log.present}
    turns = folded.turns_of(author)
    return Annotations(
        verdicts=verdicts,
        overrides=overrides,
        looked=frozenset(t for who, t in folded.looks if who == author and t in log.present),
        version=folded.version,
        author=author,
        can_undo=bool(turns.done),
        can_redo=bool(turns.undone),
        n_unplaced=n_unplaced,
        n_gone=n_gone + len(folded.overrides) - len(overrides),
    )


def annotation_log(
    workspace: Workspace, trace_id: str = "", *, action: int = 0
) -> list[Annotation]:
    """Every entry of the log, or those of one trace or action, in the order of their making.

    Entries stay when their trace goes, so its whole id still finds them.

    Raises:
        NotFoundError: No such trace.
    """
    found = store.log_entries(workspace, trace_id=trace_id, action=action)
    if found or not trace_id:
        return found
    whole = store.get_trace(workspace, trace_id).id
    return store.log_entries(workspace, trace_id=whole, action=action)


def author_or_user(author: str = "") -> str:
    """The name that entries are signed with: as given, ``$GRACE_AUTHOR``, or the system's user.

    Raises:
        InputError: No name is known, or it cannot be stored.
    """
    named = _known_author(author)
    if not named:
        raise InputError(
            f"The system knows no name of yours to sign with: set ${_AUTHOR}, or name an author."
        )
    return _line("author's name", named)


def _known_author(author: str) -> str:
    """As given, ``$GRACE_AUTHOR``, or the system's user; "" where none is known."""
    named = author.strip() or os.environ.get(_AUTHOR, "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user id without a name, as containers have
        return ""


def _turn(workspace: Workspace, kind: Literal["undo", "redo"], author: str) -> str | None:
    taken = store.take_turn(workspace, kind, author=author_or_user(author))
    if taken is None:
        return None
    done = f"{'Undone' if kind == 'undo' else 'Done again'}: {_saying(*taken)}."
    return done + _standing_after(workspace, *taken)


def _standing_after(workspace: Workspace, first: Annotation, n_entries: int) -> str:
    """What stands after an action was undone or redone, where it is what something else said."""
    folded = store.fold(store.annotation_log(workspace).entries)
    others = []
    for entry in store.log_entries(workspace, action=first.action):
        is_verdict, place = entry.kind == "verdict", (entry.trace_id, entry.start, entry.end)
        now = folded.verdicts.get(place) if is_verdict else folded.overrides.get(entry.trace_id)
        if now is not None and now.action != first.action:
            others.append(now)
    if not others or (n_entries > 1 and not first.word):
        return ""
    if n_entries > 1:
        return f" Of these, {len(others):,} are still kept or dropped, as was said before or since."
    return f" “{others[0].word}” by {others[0].author} stands there now."


def _saying(first: Annotation, n_entries: int) -> str:
    """An action in words: ``“wrong” on step 3 of trace 8f2a…``, ``drop of 120 traces``."""
    where = f"trace {first.trace_id}" if n_entries == 1 else f"{n_entries:,} traces"
    if first.kind == "override":
        return f"{first.word or 'withdrawn override'} of {where}"
    where = where if first.step is None else f"step {first.step} of {where}"
    return f"{f'“{first.word}”' if first.word else 'withdrawn verdict'} on {where}"


def _require_verdict(workspace: Workspace, trace: str, step: int | None, run: str | None) -> str:
    """The trace's id; ``NotFoundError`` where there is nothing to withdraw."""
    found = store.get_trace(workspace, trace).id
    if step not in annotations(workspace, run=run).verdicts.get(found, {}):
        where = "" if step is None else f"step {step} of "
        raise NotFoundError(f"There is no verdict on {where}trace {found} to withdraw.")
    return found


def _overridden(workspace: Workspace, ids: Sequence[str]) -> list[str]:
    """Those of the traces that have an override."""
    known = annotations(workspace).overrides
    whole = []
    for name in ids:
        begun = [one for one in known if name and one.startswith(name)]
        whole.append(begun[0] if len(begun) == 1 else store.get_trace(workspace, name).id)
    found = [name for name in whole if name in known]
    if not found:
        raise NotFoundError(
            f"None of the {len(ids):,} named traces (first: {whole[0]}) has an override to "
            "withdraw."
        )
    return found


def _line(what: str, text: str) -> str:
    """Text on one line of at most 64 characters."""
    return _storable(what, text.strip(), MAX_WORD, frozenset())


def _note(text: str) -> str:
    """Text of at most 2,000 characters; line breaks may stand in it."""
    kept = text.strip().replace("\r\n", "\n")
    return _storable("note", kept, MAX_NOTE, frozenset("\n\t"))


def _storable(what: str, text: str, limit: int, allowed: frozenset[str]) -> str:
    if len(text) > limit:
        raise InputError(f"The {what} has {len(text):,} characters; there is room for {limit:,}.")
    for place, character in enumerate(text, start=1):
        if unicodedata.category(character) in _CONTROLS and character not in allowed:
            raise InputError(
                f"Character {place} of the {what} is a control character "
                f"(U+{ord(character):04X}): take it out."
            )
    return text
