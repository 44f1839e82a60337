"""Are verdicts labels that signals are held against?"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from grace_engine import api, store
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.errors import NotFoundError

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"


@pytest.fixture(autouse=True)
def _ada(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRACE_AUTHOR", "ada")


@pytest.fixture
def judged(own_workspace: api.Workspace) -> tuple[api.Workspace, list[str]]:
    """Traces of at least three steps, without step labels; one judged step by step, one whole."""
    view = api.run_view(own_workspace)
    names = view.signals.trace_ids[view.signals.n_steps >= 3].tolist()
    api.mark(own_workspace, names[0], "wrong", step=2)
    api.mark(own_workspace, names[0], "good", step=1)
    api.mark(own_workspace, names[1], "good", step=3)
    api.mark(own_workspace, names[1], "hard to follow")
    api.mark(own_workspace, names[2], "good")
    return own_workspace, names


def test_verdicts_alone_are_labels_of_steps_and_of_traces(judged) -> None:
    workspace, _ = judged
    (found,) = api.evaluate(workspace, labels=["verdicts"], resamples=5)
    assert (found.n_verdicts, found.n_labelled_steps) == (5, 3)
    assert {d.kind for d in found.steps} == {"wrong"}
    counted = {(d.where, d.n_bad, d.n_good) for d in found.steps if d.signal == "loss"}
    assert counted == {("within", 1, 1), ("across", 1, 2)}
    kinds = {(d.kind, d.n_bad, d.n_good) for d in found.traces if d.signal == "loss"}
    assert ("hard to follow", 1, 1) in kinds


def test_by_default_verdicts_stand_beside_what_the_data_says(judged) -> None:
    workspace, _ = judged
    (found,) = api.evaluate(workspace, resamples=5)
    labels = {p.label for p in found.purity}
    assert {"is_correct", "verdict"} <= labels
    assert found.n_verdicts == 5


def test_the_datas_step_labels_alone_leave_verdicts_out(judged) -> None:
    workspace, _ = judged
    with pytest.raises(NotFoundError, match="names an error"):
        api.evaluate(workspace, labels=["steps"])
    (found,) = api.evaluate(workspace, labels=["is_correct"], resamples=5)
    assert (found.n_verdicts, found.n_labelled_steps) == (0, 0)


def test_a_verdict_takes_the_place_of_the_datas_label_of_its_step(
    own_workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = api.run_view(own_workspace)
    name, n_steps = str(view.signals.trace_ids[0]), int(view.signals.n_steps[0])
    given = {name: ["bad"] * n_steps}
    monkeypatch.setattr(store, "step_labels", lambda *_: given)
    api.mark(own_workspace, name, "good", step=1)
    kinds = api.step_kinds(own_workspace, view)
    assert kinds[:n_steps].tolist() == ["clean"] + ["bad"] * (n_steps - 1)
    assert given == {name: ["bad"] * n_steps}, "what the data says is not changed"
    for labels in (["verdicts", "steps"], ["steps", "verdicts"]):
        (found,) = api.evaluate(own_workspace, labels=labels, resamples=5)
        assert (found.n_labelled_steps, found.n_verdicts) == (n_steps, 1)


def test_the_kinds_that_a_heatmap_shows_hold_verdicts(judged) -> None:
    workspace, names = judged
    view = api.run_view(workspace)
    kinds = api.step_kinds(workspace, view)
    assert Counter(kinds.tolist()) == {"": len(kinds) - 3, "clean": 2, "wrong": 1}
    index = int(np.flatnonzero(view.signals.trace_ids == names[0])[0])
    first = int(view.signals.offsets[index])
    assert kinds[first : first + 2].tolist() == ["clean", "wrong"]
    said = api.annotations(workspace)
    assert api.step_kinds(workspace, view, said).tolist() == kinds.tolist()


def test_verdicts_on_traces_that_the_run_did_not_score_are_no_labels(judged) -> None:
    workspace, _ = judged
    api.score(workspace, ScoreConfig(model=str(SAMPLE / "tiny-reasoner"), max_length=200))
    scored = set(api.run_view(workspace).signals.trace_ids.tolist())
    outside = next(name for name in store.trace_ids(workspace) if name not in scored)
    api.mark(workspace, outside, "wrong", step=1)
    api.mark(workspace, min(scored), "wrong", step=1)
    (found,) = api.evaluate(workspace, labels=["verdicts"], resamples=5)
    said = api.annotations(workspace)
    assert found.n_verdicts == sum(
        len(own) for name, own in said.verdicts.items() if name in scored
    )
    assert 0 < found.n_verdicts < said.n_verdicts


def test_the_shell_says_how_many_verdicts_were_used(judged, grace) -> None:
    workspace, _ = judged
    command = ("evaluate", "-w", workspace.root, "--resamples", "5")
    _, _, err = grace(*command)
    assert "Of the labels of solutions, 5 are verdicts of curators" in err
    _, out, _ = grace(*command, "--labels", "verdicts", "--json")
    assert json.loads(out)["evaluations"][0]["n_verdicts"] == 5
    status, _, err = grace(*command, "--labels", "colour")
    assert status == 1
    assert "steps, verdicts, " in err


def test_what_was_labelled_is_counted_by_word_and_author(own_workspace) -> None:
    names = api.run_view(own_workspace).signals.trace_ids.tolist()
    api.mark(own_workspace, names[0], "good", step=1)
    api.mark(own_workspace, names[0], "wrong", step=2)
    api.mark(own_workspace, names[1], "good", step=1, author="ben")
    (found,) = api.evaluate(own_workspace, labels=["verdicts"], resamples=5)
    assert found.verdicts == {"good": 2, "wrong": 1}
    assert found.authors == {"ada": 2, "ben": 1}
    assert (found.n_labelled_steps, found.n_traces_with_steps) == (3, 2)
    assert found.n_labelled_traces == {"steps": 2}
    assert found.untold == ()


def test_a_word_without_anything_good_beside_it_is_named_with_the_reason(own_workspace) -> None:
    names = api.run_view(own_workspace).signals.trace_ids.tolist()
    api.mark(own_workspace, names[0], "irrelevant", step=1)
    api.mark(own_workspace, names[0], "good", step=2)
    for name, word in ((names[1], "wrong"), (names[2], "off \u202etopic")):
        api.mark(own_workspace, name, word, step=1)
    (found,) = api.evaluate(own_workspace, labels=["verdicts"], resamples=5)
    assert {d.kind for d in found.steps} == {"irrelevant"}
    assert {(one.kind, one.where, one.n_bad) for one in found.untold} == {
        ("off \u202etopic", "steps", 1), ("wrong", "steps", 1), ("a bad step", "trace", 3)
    }  # fmt: skip
    assert {(rank.kind, rank.n_traces) for rank in found.ranks} == {("irrelevant", 1)}
    assert (found.purity, found.by_label) == ((), {}), "a share of good traces where none is good"
    api.mark(own_workspace, names[3], "good", step=1)
    (found,) = api.evaluate(own_workspace, labels=["verdicts"], resamples=5)
    assert {(one.kind, one.where) for one in found.untold} == {
        ("off \u202etopic", "within"), ("wrong", "within")
    }  # fmt: skip
    assert {d.kind for d in found.steps if d.where == "across"} >= {"wrong", "irrelevant"}


def test_the_shell_says_what_was_labelled_and_what_could_not_be_told(own_workspace, grace) -> None:
    names = api.run_view(own_workspace).signals.trace_ids.tolist()
    api.mark(own_workspace, names[0], "irrelevant", step=1)
    api.mark(own_workspace, names[0], "good", step=2)
    api.mark(own_workspace, names[1], "off \u202etopic", step=1, author="ben")
    command = ("evaluate", "-w", own_workspace.root, "--resamples", "5", "--labels", "verdicts")
    _, out, err = grace(*command)
    assert f"3 labelled steps of 2 traces, of {len(names)} of solutions" in " ".join(out.split())
    assert "1 irrelevant, 1 good, 1 off [U+202E]topic; 2 by ada, 1 by ben" in err
    assert "solutions: “off [U+202E]topic” (1 step) is not evaluated: no step is" in err
    assert "\u202e" not in out + err
    assert "Share of good traces" not in out
    assert "A bad trace told" not in out, "a table without a row"


def test_the_table_of_annotations_shows_marks_that_turn_text_by_name(own_workspace, grace) -> None:
    name = str(api.run_view(own_workspace).signals.trace_ids[0])
    api.mark(own_workspace, name, "abc \u202egnp.exe", step=1, note="\u202enote")
    for more in ((), ("--log",)):
        _, out, _ = grace("annotations", "-w", own_workspace.root, *more)
        assert "\u202e" not in out
        assert "abc [U+202E]gnp.exe" in out


def test_a_dataset_of_good_verdicts_alone_is_named(tmp_path: Path) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    for name in ("a", "b"):
        lines = [
            {"q": f"{i}{name}?", "t": f"One and {i}. So it is. The answer is {i}."} for i in (1, 2)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
        api.ingest(
            workspace, [tmp_path / f"{name}.jsonl"], IngestConfig(mapping="prompt=q,trace=t")
        )
    api.score(workspace, ScoreConfig(model=str(SAMPLE / "tiny-reasoner")))
    view = api.run_view(workspace)
    first = {row.dataset: trace for trace, row in view.traces.set_index("trace_id").iterrows()}
    for name in ("a", "b"):
        api.mark(workspace, first[name], "good", step=1)
    api.mark(workspace, first["a"], "wrong", step=2)
    (found,) = api.evaluate(workspace, labels=["verdicts"], resamples=0)
    assert found.dataset == "a"
    assert found.notes == ("b is not evaluated: of its 1 verdict none names an error.",)
