"""Does the journal tell of what came to be, and of nothing else?"""

from collections.abc import Callable

import pytest

from grace_engine.records import Trace
from grace_engine.store import Source, Workspace, add_traces, journal

MakeTrace = Callable[..., Trace]


def sources(workspace: Workspace) -> set[str]:
    found = journal.read_journal(workspace)
    return {row["path"] for row in found.contents["sources"].values()} if found else set()


def test_a_source_whose_intake_fails_is_in_the_journal_only_where_it_was_there_before(
    workspace: Workspace, source: Source, make_trace: MakeTrace, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = journal.keep

    def fail(*arguments: object) -> None:
        keep(*arguments)  # the line stands there before the commit, which fails
        if arguments[2] == "sources":
            raise OSError("the disk is full")

    with monkeypatch.context() as failing:
        failing.setattr(journal, "keep", fail)
        with pytest.raises(Exception, match="disk is full"):
            add_traces(workspace, "sums", source, [make_trace(1)])
        assert sources(workspace) == set()

    add_traces(workspace, "sums", source, [make_trace(1)])
    assert sources(workspace) == {source.path}

    monkeypatch.setattr(journal, "keep", fail)
    with pytest.raises(Exception, match="disk is full"):
        add_traces(workspace, "sums", source, [make_trace(1), make_trace(2)])
    assert sources(workspace) == {source.path}
