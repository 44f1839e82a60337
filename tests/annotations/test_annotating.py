"""Do verdicts and overrides enter the log, stand, and come off again as curators mean them to?"""

from collections.abc import Callable
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.config import IngestConfig
from grace_engine.errors import InputError, NotFoundError


@pytest.fixture(autouse=True)
def _ada(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRACE_AUTHOR", "ada")


@pytest.fixture
def ids(own_workspace: api.Workspace) -> list[str]:
    return store.trace_ids(own_workspace)


def test_a_verdict_stands_on_its_step_with_word_note_author_and_time(own_workspace, ids) -> None:
    api.mark(own_workspace, ids[0], "wrong", step=2, note="7 · 8 is 56,\r\nnot 54")
    api.mark(own_workspace, ids[0], "too long")
    said = api.annotations(own_workspace)
    on_step, on_trace = said.verdicts[ids[0]][2], said.verdicts[ids[0]][None]
    assert (on_step.word, on_step.note) == ("wrong", "7 · 8 is 56,\nnot 54")
    assert (on_step.author, on_step.step) == ("ada", 2)
    assert on_step.created_at.endswith("+00:00")
    trace = store.get_trace(own_workspace, ids[0])
    assert (on_step.start, on_step.end) == (trace.steps[1].start, trace.steps[1].end)
    assert (on_trace.word, on_trace.start, on_trace.step) == ("too long", None, None)
    assert (said.n_verdicts, said.version) == (2, 2)


def test_a_later_verdict_takes_the_place_of_the_earlier_whoever_it_is_from(
    own_workspace, ids
) -> None:
    api.mark(own_workspace, ids[0], "wrong", step=1)
    api.mark(own_workspace, ids[0], "good", step=1, author="ben")
    assert api.annotations(own_workspace).verdicts[ids[0]][1].word == "good"
    assert api.undo(own_workspace) == (
        f"Undone: “wrong” on step 1 of trace {ids[0]}. “good” by ben stands there now."
    )
    assert api.annotations(own_workspace).verdicts[ids[0]][1].author == "ben"
    api.undo(own_workspace, author="ben")
    assert api.annotations(own_workspace).verdicts == {}


def test_many_traces_are_overridden_in_one_action_and_undone_together(own_workspace, ids) -> None:
    action = api.override(own_workspace, [*ids, ids[0]], False, reason="doubtful source")
    said = api.annotations(own_workspace)
    assert set(said.overrides) == set(ids)
    assert {(e.action, e.word, e.note) for e in said.overrides.values()} == {
        (action, "drop", "doubtful source")
    }
    assert [e.seq for e in api.annotation_log(own_workspace)] == list(range(1, len(ids) + 1))
    assert api.undo(own_workspace) == f"Undone: drop of {len(ids)} traces."
    assert api.annotations(own_workspace).overrides == {}
    assert api.redo(own_workspace) == f"Done again: drop of {len(ids)} traces."
    assert set(api.annotations(own_workspace).overrides) == set(ids)


def test_undo_says_where_a_trace_stays_dropped(own_workspace, ids) -> None:
    api.override(own_workspace, ids[:3], False)
    api.override(own_workspace, ids[:2], False, author="ben")
    assert api.undo(own_workspace, author="ben") == (
        "Undone: drop of 2 traces. Of these, 2 are still kept or dropped, as was said before or "
        "since."
    )


def test_what_is_withdrawn_is_gone_and_comes_back_with_undo(own_workspace, ids) -> None:
    api.override(own_workspace, ids[:2], True)
    api.override(own_workspace, ids[:3], None)
    assert api.annotations(own_workspace).overrides == {}
    assert api.undo(own_workspace) == "Undone: withdrawn override of 2 traces."
    assert set(api.annotations(own_workspace).overrides) == set(ids[:2])
    api.mark(own_workspace, ids[0], "good", step=1)
    api.mark(own_workspace, ids[0], "", step=1)
    assert api.annotations(own_workspace).verdicts == {}
    with pytest.raises(InputError, match="A note needs a verdict"):
        api.mark(own_workspace, ids[0], "", step=1, note="why")
    with pytest.raises(NotFoundError, match="no verdict on step 1"):
        api.mark(own_workspace, ids[0], "", step=1)
    with pytest.raises(NotFoundError, match="None of the 1 named traces"):
        api.override(own_workspace, [ids[5]], None)


def test_each_author_undoes_and_redoes_only_their_own(own_workspace, ids) -> None:
    api.mark(own_workspace, ids[0], "good", step=1)
    api.mark(own_workspace, ids[1], "wrong", author="ben")
    assert api.annotations(own_workspace, author="cleo").can_undo is False
    assert api.undo(own_workspace, author="cleo") is None
    assert ids[0] in (api.undo(own_workspace) or "")
    assert (api.annotations(own_workspace).can_undo, api.annotations(own_workspace).can_redo) == (
        False, True,
    )  # fmt: skip
    api.mark(own_workspace, ids[2], "good", author="ben")
    assert api.annotations(own_workspace).can_redo, "what ben does is nothing to ada's redo"
    api.mark(own_workspace, ids[2], "good")
    assert api.redo(own_workspace) is None, "a new action clears it"
    assert len(api.annotation_log(own_workspace)) == 5, "the log only grows"


def test_a_look_is_remembered_once_for_each_author_and_is_not_undone(own_workspace, ids) -> None:
    api.mark(own_workspace, ids[0], "good", step=1)
    api.undo(own_workspace)
    for _ in range(2):
        api.look(own_workspace, ids[0])
        api.look(own_workspace, ids[1], author="ben")
    said = api.annotations(own_workspace)
    assert said.looked == {ids[0]}
    assert api.annotations(own_workspace, author="ben").looked == {ids[1]}
    assert [e.kind for e in api.annotation_log(own_workspace)] == [
        "verdict",
        "undo",
        "look",
        "look",
    ]
    assert api.undo(own_workspace) is None
    assert api.redo(own_workspace) is not None


def test_what_does_not_exist_is_named_and_nothing_is_added(own_workspace, ids) -> None:
    n_steps = len(store.get_trace(own_workspace, ids[0]).steps)
    for step in (0, -1, n_steps + 1):
        with pytest.raises(InputError, match=f"has {n_steps} steps.*no step {step}"):
            api.mark(own_workspace, ids[0], "good", step=step)
    with pytest.raises(NotFoundError, match="no trace 'zzz'"):
        api.mark(own_workspace, "zzz", "good")
    with pytest.raises(NotFoundError, match="no trace 'zzz'"):
        api.override(own_workspace, [ids[0], "zzz"], True)
    with pytest.raises(NotFoundError, match="no trace 'zzz'"):
        api.look(own_workspace, "zzz")
    with pytest.raises(NotFoundError, match="no trace ''"):
        api.override(own_workspace, [""], True)
    with pytest.raises(InputError, match="No trace is named"):
        api.override(own_workspace, [], True)
    with pytest.raises(InputError, match="No trace is named"):
        api.override(own_workspace, ids[0], True)
    with pytest.raises(NotFoundError, match="no trace 'zzz'"):
        api.annotation_log(own_workspace, "zzz")
    assert api.annotation_log(own_workspace) == []


def test_a_unique_beginning_of_an_id_is_enough(own_workspace, ids) -> None:
    api.mark(own_workspace, ids[3][:9], "good")
    api.override(own_workspace, [ids[4][:9], ids[5]], False)
    said = api.annotations(own_workspace)
    assert (set(said.verdicts), set(said.overrides)) == ({ids[3]}, {ids[4], ids[5]})
    assert len(api.annotation_log(own_workspace, ids[3][:9])) == 1


@pytest.mark.parametrize(
    ("word", "note", "said"),
    [
        ("x" * 65, "", "word has 65 characters; there is room for 64"),
        ("good", "x" * 2001, "note has 2,001 characters; there is room for 2,000"),
        ("go\x1bod", "", r"Character 3 of the word is a control character \(U\+001B\)"),
        ("two\nlines", "", r"U\+000A"),
        ("good", "a\x00b", r"U\+0000"),
        ("good", "\ud800", r"U\+D800"),
        ("  ", "", "needs a word"),
    ],
)
def test_what_cannot_be_shown_is_refused(own_workspace, ids, word, note, said) -> None:
    with pytest.raises(InputError, match=said):
        api.mark(own_workspace, ids[0], word, note=note)
    assert api.annotation_version(own_workspace) == 0


def test_markup_sql_and_any_script_are_kept_as_they_are(own_workspace, ids) -> None:
    word, note = "'); DROP TABLE annotations; --", "<script>alert(1)</script> :red[x] $y$ \u202eabc"
    api.mark(own_workspace, ids[0], word, note=note, author="جدة")
    entry = api.annotations(own_workspace).verdicts[ids[0]][None]
    assert (entry.word, entry.note, entry.author) == (word, note, "جدة")


def test_an_author_is_named_by_argument_environment_or_system(
    own_workspace, ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api.author_or_user("ben") == "ben"
    assert api.author_or_user() == "ada"
    monkeypatch.delenv("GRACE_AUTHOR")
    monkeypatch.setattr("getpass.getuser", lambda: "system-user")
    assert api.author_or_user() == "system-user"

    def unknown() -> str:
        raise OSError("no such user")

    monkeypatch.setattr("getpass.getuser", unknown)
    with pytest.raises(InputError, match=r"set \$GRACE_AUTHOR"):
        api.mark(own_workspace, ids[0], "good")
    assert api.annotations(own_workspace).author == "", "reading needs no name"


def test_the_state_of_an_earlier_moment_can_be_read(own_workspace, ids) -> None:
    api.mark(own_workspace, ids[0], "good", step=1)
    api.mark(own_workspace, ids[0], "wrong", step=1)
    api.undo(own_workspace)
    moments = [api.annotations(own_workspace, until=n).verdicts.get(ids[0], {}) for n in range(4)]
    words = [{step: entry.word for step, entry in own.items()} for own in moments]
    assert words == [{}, {1: "good"}, {1: "wrong"}, {1: "good"}]
    assert [api.annotations(own_workspace, until=n).version for n in (0, 2, 9)] == [0, 2, 3]


def test_verdicts_and_overrides_of_a_deleted_dataset_stay_in_the_log_and_return_with_it(
    own_workspace, ids, sample_file: Path
) -> None:
    api.mark(own_workspace, ids[0], "good", step=1)
    api.override(own_workspace, ids[:2], True)
    api.look(own_workspace, ids[0])
    before = api.annotations(own_workspace)
    api.delete_dataset(own_workspace, "solutions")
    said = api.annotations(own_workspace)
    assert (said.verdicts, said.overrides, said.looked, said.n_gone) == ({}, {}, frozenset(), 3)
    assert len(api.annotation_log(own_workspace, ids[0])) == 3
    assert api.usage(own_workspace).annotations == {"look": 1, "override": 2, "verdict": 1}
    api.compact(own_workspace)
    api.ingest(own_workspace, [sample_file], IngestConfig(dataset="solutions"))
    assert api.annotations(own_workspace) == before


def test_a_verdict_stays_with_its_text_when_steps_are_cut_anew(
    own_workspace, sample_file: Path
) -> None:
    def again(segmenter: str) -> None:
        api.delete_dataset(own_workspace, "solutions")
        api.ingest(
            own_workspace, [sample_file], IngestConfig(dataset="solutions", segmenter=segmenter)
        )

    def spans() -> dict[str, list[tuple[int, int]]]:
        return {
            t.id: [(s.start, s.end) for s in t.steps]
            for batch in store.iter_traces(own_workspace)
            for t in batch
        }

    fine = "sentences"
    again(fine)
    before = spans()
    again("lines")
    after = spans()
    kept = next(
        (name, k, after[name].index(span))
        for name in before
        for k, span in enumerate(before[name])
        if span in after[name] and after[name].index(span) != k
    )
    lost = next(
        (name, k)
        for name in before
        for k, span in enumerate(before[name])
        if span not in after[name]
    )
    again(fine)
    api.mark(own_workspace, kept[0], "good", step=kept[1] + 1)
    api.mark(own_workspace, lost[0], "wrong", step=lost[1] + 1)
    then = api.annotations(own_workspace)
    again("lines")
    said = api.annotations(own_workspace)
    assert {t: set(steps) for t, steps in said.verdicts.items()} == {kept[0]: {kept[2] + 1}}
    assert said.verdicts[kept[0]][kept[2] + 1].step == kept[2] + 1
    assert (said.n_verdicts, said.n_unplaced, said.n_gone) == (1, 1, 0)
    again(fine)
    assert api.annotations(own_workspace) == then


def test_a_workspace_from_before_there_was_a_log_gets_an_empty_one(
    own_workspace: api.Workspace, aged: Callable[[api.Workspace, int], None]
) -> None:
    old = own_workspace
    aged(old, 2)
    assert api.annotations(old).version == 0
    assert (old.root / "grace.duckdb.v2.bak").exists()
    api.mark(old, store.trace_ids(old)[0], "good")
    assert api.annotation_version(old) == 1


def test_two_processes_that_write_at_once_leave_no_gap_and_no_double(
    own_workspace, ids, run_twice: Callable[[str], None]
) -> None:
    run_twice(
        "import sys\nfrom grace_engine import api\n"
        "w = api.open_workspace(sys.argv[1], create=False)\n"
        f"for n in range(6): api.mark(w, {ids[0]!r}, f'word {{n}}', step=1, author=sys.argv[2])\n"
    )
    log = api.annotation_log(own_workspace)
    assert [e.seq for e in log] == [e.action for e in log] == list(range(1, 13))
    assert {e.author for e in log} == {"first", "second"}
