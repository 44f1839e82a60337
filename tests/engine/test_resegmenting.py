"""Is a dataset cut anew from what is stored, while its runs keep what they saw?"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from grace_engine import api, store
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.errors import InputError, NotFoundError

CONFIG = ScoreConfig(model=str(Path(__file__).resolve().parents[2] / "sample_data/tiny-reasoner"))
DATA = "solutions"
Grace = Callable[..., tuple[int, str, str]]


def steps_now(workspace: api.Workspace) -> dict[str, list[str]]:
    return {
        trace.id: [trace.full_text[step.start : step.end] for step in trace.steps]
        for batch in store.iter_traces(workspace)
        for trace in batch
    }


def test_steps_are_those_of_an_ingest_with_that_segmenter(
    own_workspace: api.Workspace, sample_file: Path, tmp_path: Path
) -> None:
    before = sum(map(len, steps_now(own_workspace).values()))
    found = api.resegment(own_workspace, DATA, "sentences")
    fresh = api.open_workspace(tmp_path / "fresh", create=True)
    api.ingest(fresh, [sample_file], IngestConfig(dataset=DATA, segmenter="sentences"))
    assert steps_now(own_workspace) == steps_now(fresh)
    n_steps = sum(map(len, steps_now(fresh).values()))
    assert (found.before, found.segmenter) == ("auto", "sentences")
    assert (found.n_traces, found.n_steps, found.n_steps_before) == (39, n_steps, before)
    assert n_steps != before


def test_an_earlier_run_keeps_its_steps_numbers_and_exports(
    own_workspace: api.Workspace, tmp_path: Path
) -> None:
    run = api.get_run(own_workspace).id
    before = api.run_view(own_workspace, run)
    trace = str(before.traces["trace_id"][0])
    shown = api.trace_view(own_workspace, trace, run).as_json()
    api.mark(own_workspace, trace, "wrong", step=2)
    chosen = api.curate(own_workspace, "30%", name="mine")
    exported = api.export(
        own_workspace, chosen.id, tmp_path / "a.jsonl", as_format="messages", annotate=True
    )

    api.resegment(own_workspace, DATA, "regex:[.,]")

    after = api.run_view(own_workspace, run)
    np.testing.assert_array_equal(after.values, before.values)
    assert after.traces["n_steps"].tolist() == before.traces["n_steps"].tolist()
    assert api.trace_view(own_workspace, trace, run).as_json() == shown
    assert set(api.annotations(own_workspace, run=run).verdicts[trace]) == {2}
    assert api.annotations(own_workspace).n_unplaced == 1  # no such step now
    again = api.export(
        own_workspace, chosen.id, tmp_path / "b.jsonl", as_format="messages", annotate=True
    )
    assert again.sha256 == exported.sha256
    replayed = api.replay(exported.manifest, workspace=own_workspace, to=tmp_path / "c.jsonl")
    assert replayed.sha256 == exported.sha256


def test_a_verdict_counts_steps_as_the_run_in_view_saw_them(own_workspace: api.Workspace) -> None:
    run = api.get_run(own_workspace).id
    trace = str(api.run_view(own_workspace, run).traces["trace_id"][0])
    span = store.get_trace(own_workspace, trace).steps[1]
    api.resegment(own_workspace, DATA, "regex:[.,]")
    api.mark(own_workspace, trace, "wrong", step=2, run=run)
    (entry,) = api.annotation_log(own_workspace, trace)
    assert (entry.start, entry.end) == (span.start, span.end)


def test_the_next_run_is_another_and_sees_the_new_steps(own_workspace: api.Workspace) -> None:
    old = api.get_run(own_workspace)
    api.resegment(own_workspace, DATA, "sentences")
    new = api.score(own_workspace, CONFIG).run
    assert (old.segmenters, new.segmenters) == (("auto",), ("sentences",))
    assert new.id != old.id
    steps = {name: len(texts) for name, texts in steps_now(own_workspace).items()}
    view = api.run_view(own_workspace, new.id)
    assert dict(zip(view.traces["trace_id"], view.traces["n_steps"], strict=True)) == steps


def test_going_back_gives_the_first_steps_and_run_again(own_workspace: api.Workspace) -> None:
    first, run = steps_now(own_workspace), api.get_run(own_workspace).id
    api.resegment(own_workspace, DATA, "lines")
    api.resegment(own_workspace, DATA, "auto")
    assert steps_now(own_workspace) == first
    report = api.score(own_workspace, CONFIG)
    assert (report.run.id, report.n_scored) == (run, 0)


def test_a_segmenter_that_fails_on_a_trace_changes_nothing(own_workspace: api.Workspace) -> None:
    before = steps_now(own_workspace)
    with pytest.raises(InputError, match=r"39 traces of 'solutions' cannot be cut by 'given'"):
        api.resegment(own_workspace, DATA, "given")
    with pytest.raises(InputError, match="not known"):
        api.resegment(own_workspace, DATA, "nonsense")
    with pytest.raises(NotFoundError, match="There is no dataset 'other'"):
        api.resegment(own_workspace, "other", "lines")
    assert steps_now(own_workspace) == before
    assert [info.segmenter for info in api.datasets(own_workspace)] == ["auto"]


def test_a_mapped_file_is_cut_anew_by_its_mapping(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"ask": "2+2?", "why": "Two.\\nAnd two. So four.", "result": "4"}\n')
    workspace = api.open_workspace(tmp_path / "workspace", create=True)
    mapping = "prompt=ask,trace=why,answer=result"
    api.ingest(workspace, [path], IngestConfig(mapping=mapping))
    path.unlink()
    api.resegment(workspace, "mine", "sentences")
    assert list(steps_now(workspace).values()) == [["Two.", "And two.", "So four."]]


def test_the_shell_says_how_many_steps_there_were_and_are(
    own_workspace: api.Workspace, grace: Grace
) -> None:
    status, out, _ = grace(
        "resegment", DATA, "--segment", "lines", "-w", own_workspace.root, "--json"
    )
    found = json.loads(out)
    assert (status, found["before"], found["segmenter"]) == (0, "auto", "lines")
    assert found["n_steps"] == sum(map(len, steps_now(own_workspace).values()))
    status, _, err = grace("resegment", DATA, "--segment", "given", "-w", own_workspace.root)
    assert (status, "nothing was changed" in err) == (1, True)
