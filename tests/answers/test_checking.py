"""Are answers checked once, stored, listed, and set beside what the data says of them?"""

import json
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.config import IngestConfig
from grace_engine.errors import InputError, NotFoundError
from grace_engine.figures import frames
from grace_engine.progress import Silent
from grace_engine.records import AnswerCheck, AnswerPair
from grace_engine.store import CheckedTrace
from grace_engine.ui import filtering
from tests.conftest import SAMPLE

ANSWERS = [(r"\frac{1}{2}", "0.5"), ("3", "4"), ("?!", "3"), ("9^{9^{9^9}}", "1"), ("5", "none")]


@pytest.fixture
def workspace(tmp_path: Path) -> api.Workspace:
    """One trace of each outcome, and one without a reference."""
    rows = [
        {"q": f"Question {i}", "t": f"Think.\nThink {i}.", "a": answer, "r": reference}
        for i, (answer, reference) in enumerate(ANSWERS)
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    opened = api.open_workspace(tmp_path / "workspace", create=True)
    mapping = "prompt=q,trace=t,answer=a,reference=r"
    api.ingest(opened, [file], IngestConfig(dataset="five", mapping=mapping))
    with opened.database.unit() as connection:
        connection.execute("UPDATE traces SET reference = NULL WHERE reference = 'none'")
    return opened


def outcomes(workspace: api.Workspace) -> dict[str, int]:
    return dict(store.answer_checks(workspace)["outcome"].value_counts())


@pytest.mark.long
def test_each_outcome_is_stored_and_counted_and_nothing_is_checked_twice(workspace) -> None:
    report = api.check_answers(workspace, timeout=1)

    assert (report.n_traces, report.n_with_reference, report.n_checked) == (5, 4, 4)
    assert report.checked_now == {"right": 1, "wrong": 1, "not parsed": 1, "timed out": 1}
    found = store.answer_checks(workspace).set_index("outcome")
    assert found.loc["not parsed", ["side", "detail"]].tolist() == [
        "answer",
        "math-verify finds nothing in it",
    ]
    second = api.check_answers(workspace, timeout=1)
    assert second.n_checked == 0
    assert second.by_outcome == report.checked_now
    assert api.check_answers(workspace, timeout=1, again=True).n_checked == 4
    # What timed out is worth another look when it gets more time.
    assert api.check_answers(workspace, timeout=1.5).checked_now["timed out"] == 1


def test_a_changed_answer_or_reference_is_checked_anew(workspace) -> None:
    api.check_answers(workspace, timeout=1)
    with workspace.database.unit() as connection:
        connection.execute("UPDATE traces SET reference = '3' WHERE reference = '4'")
        connection.execute("UPDATE traces SET answer = '4' WHERE answer = '?!'")
    assert outcomes(workspace) == {"right": 1, "timed out": 1}

    assert api.check_answers(workspace, timeout=1).n_checked == 2
    assert outcomes(workspace) == {"right": 2, "timed out": 1, "wrong": 1}


def test_an_interrupted_check_keeps_what_is_done(workspace) -> None:
    class Stops(Silent):
        def advance(self, amount: int, *, tokens: int = 0) -> None:
            raise KeyboardInterrupt

    class StopsLater(Stops):
        left = 3

        def advance(self, amount: int, *, tokens: int = 0) -> None:
            self.left -= 1
            if not self.left:
                super().advance(amount)

    with pytest.raises(KeyboardInterrupt):
        api.check_answers(workspace, progress=StopsLater())
    assert outcomes(workspace) == {"right": 1, "wrong": 1}
    assert api.check_answers(workspace, timeout=1).n_checked == 2


def test_checks_go_with_their_dataset(workspace) -> None:
    api.check_answers(workspace, timeout=1)
    api.delete_dataset(workspace, "five")
    with workspace.database.unit() as connection:
        assert connection.execute("SELECT count(*) FROM answer_checks").fetchall() == [(0,)]


def test_a_dataset_or_a_time_that_is_none_is_refused(workspace) -> None:
    with pytest.raises(NotFoundError, match="other"):
        api.check_answers(workspace, ["other"])
    with pytest.raises(InputError, match="more than 0"):
        api.check_answers(workspace, timeout=0)


def test_the_check_agrees_with_the_labels_of_all_shipped_traces(tmp_path: Path) -> None:
    """GSM8K model solutions and traces with planted errors: 798 labelled by others."""
    opened = api.open_workspace(tmp_path / "workspace", create=True)
    files = [SAMPLE / "gsm8k" / "model_solutions.jsonl", SAMPLE / "planted" / "traces.jsonl"]
    api.ingest(opened, files)
    api.check_answers(opened)
    checks = store.answer_checks(opened).set_index("trace_id")["outcome"]
    labelled = store.labels_of(opened).set_index("id")
    pairs = [(labels["is_correct"], checks[name]) for name, labels in labelled["labels"].items()]
    assert pairs.count((True, "right")) == 194 + 297
    assert pairs.count((False, "wrong")) == 204 + 103
    assert len(pairs) == 798


def test_the_check_speaks_where_the_data_is_silent_and_contradictions_are_found(
    own_workspace: api.Workspace,
) -> None:
    with own_workspace.database.unit() as connection:
        rows = connection.execute(
            "SELECT trace_id, labels FROM traces ORDER BY position"
        ).fetchall()
        silent, contrary = rows[0], rows[1]
        connection.execute("UPDATE traces SET labels = '{}' WHERE trace_id = ?", [silent[0]])
        turned = {"is_correct": not json.loads(contrary[1])["is_correct"]}
        connection.execute(
            "UPDATE traces SET labels = ? WHERE trace_id = ?", [json.dumps(turned), contrary[0]]
        )
    before = frames.facts(api.run_view(own_workspace)).set_index("trace_id")
    assert before["answer_check"].tolist() == [None] * 39
    assert before.loc[silent[0], "correct"] is None
    assert not filtering.disagreements(before).any()

    api.check_answers(own_workspace)

    rows = frames.facts(api.run_view(own_workspace))
    after = rows.set_index("trace_id")
    assert after.loc[silent[0], "correct"] is json.loads(silent[1])["is_correct"]
    assert after.loc[contrary[0], "correct"] is turned["is_correct"]
    assert rows["trace_id"][filtering.disagreements(rows)].tolist() == [contrary[0]]
    for address, n in [
        ({"odd": ["disagree"]}, 1),
        ({"check": ["right"]}, int((rows["answer_check"] == "right").sum())),
        ({"check": ["none"]}, 0),
    ]:
        assert filtering.mask(rows, filtering.read(address)).sum() == n
    assert 0 < (rows["answer_check"] == "right").sum() < 39


def test_a_trace_that_was_not_parsed_stays_unknown(own_workspace: api.Workspace) -> None:
    trace = next(iter(store.iter_traces(own_workspace)))[0]
    with own_workspace.database.unit() as connection:
        connection.execute("UPDATE traces SET labels = '{}' WHERE trace_id = ?", [trace.id])
    pair = AnswerPair(answer=trace.answer.text, reference=trace.reference or "")
    check = AnswerCheck(outcome="not parsed", side="answer", detail="by hand")
    store.add_checks(
        own_workspace, [CheckedTrace(trace_id=trace.id, pair=pair, check=check)], seconds=5
    )
    rows = frames.facts(api.run_view(own_workspace)).set_index("trace_id")
    assert rows.loc[trace.id, ["answer_check", "correct"]].tolist() == ["not parsed", None]


def test_the_shell_checks_and_says_what_came_out(workspace, grace) -> None:
    status, out, _ = grace("check", "--timeout", 1, "--json", "-w", workspace.root)
    assert status == 0
    said = json.loads(out)
    assert said["datasets"]["five"]["by_outcome"] == said["checked_now"]
    status, out, err = grace("check", "five", "-w", workspace.root, "--timeout", 1)
    assert status == 0
    assert "with a reference" in out
    assert "0 answers checked" in err
    assert "listed" not in said
    status, _, err = grace("check", "--timeout", 0, "--background", "-w", workspace.root)
    assert status == 1
    assert "more than 0" in err


@pytest.mark.long
def test_the_shell_lists_the_traces_that_came_out_in_some_way(workspace, grace) -> None:
    def listed(*outcomes: str) -> list[tuple[str, str, str, str]]:
        flags = [flag for outcome in outcomes for flag in ("--list", outcome)]
        root = ("-w", workspace.root, "--timeout", 1)
        status, out, _ = grace("check", "five", *flags, "--json", *root)
        assert status == 0
        return [
            (each["outcome"], each["answer"], each["reference"], each["side"])
            for each in json.loads(out)["listed"]
        ]

    wrong, unread = ("wrong", "3", "4", ""), ("not parsed", "?!", "3", "answer")
    assert listed("wrong") == [wrong]
    assert listed("not-parsed", "wrong") == [wrong, unread]
    assert listed("not parsed") == [unread]
    assert [outcome for outcome, *_ in listed("timed-out", "right")] == ["right", "timed out"]

    status, out, _ = grace("check", "--list", "wrong", "-w", workspace.root, "--timeout", 1)
    assert status == 0
    assert "five, line 2" in " ".join(out.split())
    status, out, err = grace("check", "--list", "odd", "-w", workspace.root)
    assert status == 1
    assert "Outcome 'odd' is not known" in err
    status, _, err = grace("check", "--list", "wrong", "--background", "-w", workspace.root)
    assert status == 1
    assert "leave out --list or --background" in " ".join(err.split())
