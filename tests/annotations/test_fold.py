"""Does the fold of the log say what a plain list of actions would say?"""

from dataclasses import dataclass, field
from typing import Literal

from hypothesis import given, strategies as st

from grace_engine.records import Annotation
from grace_engine.store import Turns, fold
from grace_engine.store.annotation_fold import turns_by_author

AUTHORS, TRACES, WORDS = ("ada", "ben"), ("t1", "t2"), ("good", "wrong", "")
SPANS = ((None, None), (0, 5), (6, 9))


@dataclass
class Action:
    """What someone did, and whether it stands."""

    author: str
    kind: str
    places: list[tuple[object, ...]]
    word: str
    stands: bool = True
    can_return: bool = False
    undone_at: int = 0


@dataclass
class Model:
    """A list of actions that are marked as undone: slow, and nothing to get wrong."""

    actions: list[Action] = field(default_factory=list)
    clock: int = 0

    def do(self, author: str, kind: str, places: list[tuple[object, ...]], word: str) -> None:
        for action in self.actions:
            if action.author == author:
                action.can_return = False
        self.actions.append(Action(author, kind, places, word))

    def undo(self, author: str) -> bool:
        for action in reversed(self.actions):
            if action.author == author and action.stands:
                self.clock += 1
                action.stands, action.can_return, action.undone_at = False, True, self.clock
                return True
        return False

    def redo(self, author: str) -> bool:
        waiting = [a for a in self.actions if a.author == author and a.can_return]
        if not waiting:
            return False
        last = max(waiting, key=lambda action: action.undone_at)
        last.stands, last.can_return = True, False
        return True

    def state(self, kind: str) -> dict[tuple[object, ...], tuple[str, str]]:
        """Place → word and author."""
        found: dict[tuple[object, ...], list[tuple[str, str]]] = {}
        for action in self.actions:
            for place in action.places:
                if action.kind == kind and action.stands:
                    said = found.setdefault(place, [])
                    of_another = bool(said) and said[-1][1] != action.author
                    if action.word or not of_another:
                        said[:] = [one for one in said if one[1] != action.author]
                    else:
                        said[:] = []
                    said += [(action.word, action.author)] if action.word else []
        return {place: said[-1] for place, said in found.items() if said}


Operation = tuple[str, str, object, str]

judged = st.tuples(
    st.just("verdict"),
    st.sampled_from(AUTHORS),
    st.tuples(st.sampled_from(TRACES), st.sampled_from(SPANS)),
    st.sampled_from(WORDS),
)
overridden = st.tuples(
    st.just("override"),
    st.sampled_from(AUTHORS),
    st.lists(st.sampled_from(TRACES), min_size=1, max_size=2, unique=True),
    st.sampled_from(("keep", "drop", "")),
)
turned = st.tuples(
    st.sampled_from(("undo", "redo")), st.sampled_from(AUTHORS), st.none(), st.just("")
)
looked = st.tuples(st.just("look"), st.sampled_from(AUTHORS), st.sampled_from(TRACES), st.just(""))


def append(log: list[Annotation], kind: str, author: str, about: object, word: str) -> bool:
    """Add to the log what the store would add; False where there is nothing to undo or redo."""
    action = log[-1].action + 1 if log else 1
    target, rows = 0, [("", None, None)]
    if kind == "verdict":
        trace, (start, end) = about
        rows = [(trace, start, end)]
    elif kind == "override":
        rows = [(trace, None, None) for trace in about]
    elif kind == "look":
        rows = [(about, None, None)]
    else:
        turns = turns_by_author(log).get(author, Turns())
        actions = turns.done if kind == "undo" else turns.undone
        if not actions:
            return False
        target = actions[-1]
    for trace, start, end in rows:
        log.append(
            Annotation(
                seq=len(log) + 1,
                action=action,
                kind=kind,
                trace_id=trace,
                start=start,
                end=end,
                word=word,
                author=author,
                target=target,
            )
        )
    return True


@given(st.lists(st.one_of(judged, overridden, turned, looked), max_size=25))
def test_the_fold_says_what_a_list_of_marked_actions_says(operations: list[Operation]) -> None:
    log: list[Annotation] = []
    model = Model()
    for kind, author, about, word in operations:
        appended = append(log, kind, author, about, word)
        if kind == "undo":
            assert appended == model.undo(author)
        elif kind == "redo":
            assert appended == model.redo(author)
        elif kind == "verdict":
            trace, span = about
            model.do(author, kind, [(trace, *span)], word)
        elif kind == "override":
            model.do(author, kind, [(trace,) for trace in about], word)
        folded = fold(log)
        verdicts = {place: (e.word, e.author) for place, e in folded.verdicts.items()}
        overrides = {(trace,): (e.word, e.author) for trace, e in folded.overrides.items()}
        assert verdicts == model.state("verdict")
        assert overrides == model.state("override")
        assert folded.version == len(log)
    assert fold(log).looks == {(a, about) for kind, a, about, _ in operations if kind == "look"}


@given(
    st.lists(st.one_of(judged, overridden, turned, looked), max_size=15),
    st.sampled_from(AUTHORS),
)
def test_undoing_everything_leaves_what_others_said_and_redoing_all_restores(
    operations: list[Operation], author: Literal["ada", "ben"]
) -> None:
    log: list[Annotation] = []
    for operation in operations:
        append(log, *operation)
    before = fold(log)
    n = 0
    while append(log, "undo", author, None, ""):
        n += 1
    emptied = fold(log)
    assert all(e.author != author for e in emptied.verdicts.values())
    assert all(e.author != author for e in emptied.overrides.values())
    for _ in range(n):
        assert append(log, "redo", author, None, "")
    after = fold(log)
    assert (after.verdicts, after.overrides) == (before.verdicts, before.overrides)


def test_who_withdraws_their_own_word_leaves_what_another_said_before() -> None:
    log: list[Annotation] = []
    place = ("t1", (0, 5))
    for author, word in (("ada", "wrong"), ("ben", "good"), ("ben", "")):
        append(log, "verdict", author, place, word)
    assert [(e.word, e.author) for e in fold(log).verdicts.values()] == [("wrong", "ada")]
    append(log, "verdict", "ben", place, "")
    assert fold(log).verdicts == {}


def test_an_empty_log_says_nothing() -> None:
    folded = fold([])
    assert (folded.version, dict(folded.verdicts), dict(folded.overrides)) == (0, {}, {})
    assert folded.turns_of("ada") == Turns()
