"""Are duplicates found in a workspace, shown with their sources, and left out of a choice?"""

import json
import time
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.config import CurateConfig, IngestConfig, Weights
from grace_engine.errors import InputError, NotFoundError
from tests.conftest import SAMPLE

PATIENCE = 180.0
# Fourteen words without the answer's line are ten shingles.
WORDS = ["First", "take", "three", "apples", "then", "add", "four", "more", "to", "the", "basket"]
WORDS += ["and", "count", "them"]
PROMPT = "How many apples does the basket hold when four are added to the three in it?"


def write(path: Path, rows: list[tuple[str, str, str]], **more: list[object]) -> Path:
    """A file of prompts, traces and answers."""
    lines = [
        json.dumps(
            {"question": question, "solution": solution, "answer": answer}
            | {name: values[index] for name, values in more.items()}
        )
        for index, (question, solution, answer) in enumerate(rows)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def ingest(workspace: api.Workspace, path: Path, dataset: str) -> None:
    config = IngestConfig(dataset=dataset, mapping="prompt=question,trace=solution,answer=answer")
    (report,) = api.ingest(workspace, [path], config)
    assert report.count is not None, report.fault
    assert report.count.rejected == 0


def document(result: tuple[int, str, str]) -> dict:
    status, out, err = result
    assert status == 0, err
    return json.loads(out)


@pytest.fixture
def two_datasets(tmp_path: Path) -> api.Workspace:
    """A training set with two exact duplicates and an evaluation set with a near one of them."""
    workspace = api.open_workspace(tmp_path / "w", create=True)
    solution = " ".join(WORDS) + "\n#### 7"
    near = " ".join(WORDS).replace("First", "Now") + "\n#### 7"
    other = "A train runs at sixty miles an hour for two hours and so goes twice as far\n#### 120"
    train = [(PROMPT, solution, "7"), ("Again?", f"{solution} ", "7"), ("Far?", other, "120")]
    ingest(workspace, write(tmp_path / "train.jsonl", train), "train")
    ingest(workspace, write(tmp_path / "eval.jsonl", [(f"{PROMPT}  ", near, "7")]), "eval")
    return workspace


def test_groups_across_datasets_are_counted_and_carry_texts_and_sources(two_datasets) -> None:
    found = api.find_duplicates(two_datasets, "traces", threshold=0.7)
    assert (found.n_traces, found.n_groups, found.n_members) == (4, 1, 3)
    assert (found.n_spanning, found.n_near) == (1, 1)
    assert found.datasets == ("eval", "train")
    assert not found.is_older
    (group,) = api.duplicate_groups(two_datasets, found)
    assert (group.number, group.n_traces, group.n_different) == (1, 3, 2)
    assert group.datasets == ("eval", "train")
    first, second, third = group.members
    assert [(m.dataset, m.line, m.exact) for m in group.members] == [
        ("train", 1, True), ("train", 2, True), ("eval", 1, False),
    ]  # fmt: skip
    assert first.text.startswith("First take three apples")
    assert third.path.endswith("eval.jsonl")
    # Words of the solution, four #, and 7: 19 words, 15 shingles, of which one holds "First".
    assert (first.similarity, second.similarity) == (1.0, 1.0)
    assert third.similarity == pytest.approx(14 / 16)
    assert api.find_duplicates(two_datasets, "traces", ["train"]).n_spanning == 0


def test_prompts_are_compared_without_what_answers_them(two_datasets) -> None:
    found = api.find_duplicates(two_datasets, "prompts")
    assert (found.n_groups, found.n_members, found.n_spanning, found.n_near) == (1, 2, 1, 0)
    (group,) = api.duplicate_groups(two_datasets, found)
    assert [member.text.strip() for member in group.members] == [PROMPT, PROMPT]


def test_what_is_found_already_is_not_computed_again(
    two_datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grace_engine.api import duplicating

    found = api.find_duplicates(two_datasets, "traces", threshold=0.7)
    api.find_duplicates(two_datasets, "traces", threshold=0.9)
    assert api.duplicate_finding(two_datasets, "traces").threshold == 0.9
    monkeypatch.setattr(
        duplicating.finding_them, "find_groups", lambda *_a, **_k: pytest.fail("computed again")
    )
    assert api.find_duplicates(two_datasets, "traces", threshold=0.7) == found
    assert api.duplicate_finding(two_datasets, "traces") == found


def test_a_finding_older_than_the_data_says_so_until_it_is_made_again(
    two_datasets, tmp_path: Path
) -> None:
    found = api.find_duplicates(two_datasets, "traces")
    only_eval = api.find_duplicates(two_datasets, "traces", ["eval"])
    extra = write(tmp_path / "more.jsonl", [("New?", "One and one are two.\n#### 2", "2")])
    ingest(two_datasets, extra, "train")
    assert api.duplicate_finding(two_datasets, "traces", ["train"]).is_older
    assert not api.duplicate_finding(two_datasets, "traces", ["eval"]).is_older
    assert api.duplicate_finding(two_datasets, "traces", ["eval"]).id == only_eval.id
    again = api.find_duplicates(two_datasets, "traces")
    assert (again.is_older, again.n_traces) == (False, 5)
    assert again.id != found.id
    # It took the place of the older one.
    with two_datasets.database.unit() as connection:
        rows = connection.execute("SELECT count(*) FROM duplicate_findings").fetchall()
        lost = connection.execute(
            "SELECT count(*) FROM duplicate_members "
            "WHERE finding_id NOT IN (SELECT finding_id FROM duplicate_findings)"
        ).fetchall()
    assert (rows, lost) == ([(2,)], [(0,)])
    api.delete_dataset(two_datasets, "eval")
    finding = api.duplicate_finding(two_datasets, "traces", ["train"])
    assert finding.is_older
    (group,) = api.duplicate_groups(two_datasets, finding)
    assert (group.n_traces, len(group.members)) == (3, 2)


def test_what_cannot_be_asked_for_is_said(two_datasets, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="What to compare 'steps' is not known"):
        api.find_duplicates(two_datasets, "steps")
    with pytest.raises(InputError, match="out of range"):
        api.find_duplicates(two_datasets, "traces", threshold=2.0)
    with pytest.raises(NotFoundError, match="There is no dataset 'test'"):
        api.find_duplicates(two_datasets, "traces", ["test"])
    with pytest.raises(NotFoundError, match="no trace to compare"):
        api.find_duplicates(api.open_workspace(tmp_path / "empty", create=True))
    with pytest.raises(NotFoundError, match="grace duplicates train --of prompts"):
        api.duplicate_finding(two_datasets, "prompts", ["train"])
    with pytest.raises(InputError, match="Without duplicates of 'steps' is not known"):
        CurateConfig(without_duplicates="steps")


def test_the_shell_finds_and_shows_them(grace, two_datasets) -> None:
    root = two_datasets.root
    found = document(grace("duplicates", "-w", root, "--threshold", "0.7", "--json"))
    assert (found["of"], found["threshold"], found["n_spanning"]) == ("traces", 0.7, 1)
    (group,) = found["groups"]
    assert [member["exact"] for member in group["members"]] == [True, True, False]
    status, out, err = grace("duplicates", "train", "-w", root)
    assert status == 0
    assert "1 group of traces at 0.8 or more, 0 of them across datasets, 0 of different" in err
    assert "First take three apples" in out
    status, _, err = grace("duplicates", "-w", root, "--of", "steps")
    assert status == 1
    assert "use one of prompts, traces" in err


def test_a_search_in_the_background_ends_with_a_finding(grace, two_datasets) -> None:
    root = two_datasets.root
    job = document(
        grace(
            "duplicates", "eval", "train", "-w", root, "--of", "prompts", "--background", "--json"
        )
    )
    assert job["spec"]["kind"] == "duplicates"
    deadline = time.monotonic() + PATIENCE
    while api.get_job(two_datasets, job["id"]).is_active:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    ended = api.get_job(two_datasets, job["id"])
    assert ended.state == "finished", ended.says
    assert "1 group of duplicate prompts, 1 across datasets; 2 of 4 traces in a group" in ended.says
    assert api.duplicate_finding(two_datasets, "prompts").id == ended.status.result["finding"]


def test_the_shipped_traces_hold_one_pair_of_near_duplicates(tmp_path: Path) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    files = [SAMPLE / "gsm8k" / "model_solutions.jsonl", SAMPLE / "planted" / "traces.jsonl"]
    api.ingest(workspace, files)
    found = api.find_duplicates(workspace, "traces")
    assert (found.n_traces, found.n_groups, found.n_members, found.n_spanning) == (798, 1, 2, 0)
    (group,) = api.duplicate_groups(workspace, found)
    # "He traveled 60 …" and "Henry traveled 60 …": 27 words, 23 shingles each, one of them its own.
    assert [member.line for member in group.members] == [29, 29]
    assert group.members[1].similarity == pytest.approx(22 / 24)
    # Every record asks once and is answered up to five times; no planted problem stands twice.
    prompts = api.find_duplicates(workspace, "prompts")
    assert (prompts.n_groups, prompts.n_members, prompts.n_spanning) == (80, 398, 0)
    assert prompts.n_near == 0


# In a choice


def twins(workspace: api.Workspace) -> tuple[api.RunView, list[str]]:
    """Plant a group of three near-duplicates among the scored traces: best, third, last ranked."""
    view = api.run_view(workspace)
    order = api.live_choice(view, CurateConfig()).order
    names = [str(view.signals.trace_ids[order[place]]) for place in (0, 2, -1)]
    found = api.find_duplicates(workspace, "traces")
    with workspace.database.unit() as connection:
        connection.execute("DELETE FROM duplicate_members")
        for place, (name, alike) in enumerate(zip(names, (1.0, 0.93, 1.0), strict=True)):
            connection.execute(
                "INSERT INTO duplicate_members VALUES (?, 1, 2, ?, ?, 'solutions', ?, ?)",
                [found.id, place, name, alike, alike == 1.0],
            )
    return view, names


def test_a_choice_without_duplicates_needs_a_finding(grace, own_workspace) -> None:
    root = own_workspace.root
    status, _, err = grace("curate", "-w", root, "--without-duplicates", "traces")
    assert status == 1
    assert "Run grace duplicates solutions --of traces" in err
    with pytest.raises(InputError, match=r"api\.duplicates_in"):
        api.live_choice(api.run_view(own_workspace), CurateConfig(without_duplicates="traces"))


def test_of_each_group_the_best_is_chosen_and_the_others_say_for_whom_they_are_out(
    grace, own_workspace, tmp_path: Path
) -> None:
    root = own_workspace.root
    _, (best, third, last) = twins(own_workspace)
    plain = api.curate(own_workspace, "100%")
    flags = ["-w", root, "--without-duplicates", "traces"]
    found = document(grace("curate", *flags, "--budget", "100%", "--json"))
    assert found["selection"] != plain.id
    assert (found["without_duplicates"], found["duplicates_threshold"]) == ("traces", 0.8)
    assert found["duplicates_older"] is False
    assert (found["n_selected"], found["n_traces"]) == (37, 39)
    reasons = {c["trace_id"]: c["reason"] for c in found["choices"] if not c["selected"]}
    assert reasons == {
        third: f"rank 3, near-duplicate of {best[:8]} (0.93), which ranks before it",
        last: f"rank 39, exact duplicate of {best[:8]}, which ranks before it",
    }
    # ⌈20% of 39⌉ are 8 all the same: the ninth takes the place of the third.
    assert document(grace("curate", *flags, "--json"))["n_selected"] == 8
    why = document(grace("why", third, *flags, "--json"))
    assert why["reason"] == reasons[third]
    assert (why["selected"], why["needed_budget"]) == (False, None)
    assert len(document(grace("curve", *flags, "--json"))["budgets"]) == 17

    # Branching takes the setting over, the manifest holds it, and replay needs no finding.
    chosen = api.get_selection(own_workspace, found["selection"])
    assert api.config_of(chosen).without_duplicates == "traces"
    branch = api.curate(
        own_workspace, "100%", without_duplicates="traces", parent=chosen.id, name="branch"
    )
    assert {c.trace_id for c in branch.choices if not c.selected} == {third, last}
    target = tmp_path / "out.jsonl"
    api.export(own_workspace, chosen.id, target, as_format="messages")
    manifest = json.loads((tmp_path / "manifest.json").read_bytes())
    assert manifest["selection"]["without_duplicates"] == "traces"
    before = target.read_bytes()
    target.unlink()
    with own_workspace.database.unit() as connection:
        connection.execute("DELETE FROM duplicate_findings")
    api.replay(tmp_path / "manifest.json", workspace=own_workspace)
    assert target.read_bytes() == before


def test_a_flip_of_a_duplicate_is_where_it_overtakes_the_other(own_workspace) -> None:
    view, (best, third, _) = twins(own_workspace)
    config = CurateConfig(budget="100%", without_duplicates="traces")
    known = api.duplicates_in(own_workspace, view, config)
    found = api.why(view, config, None, third, known)
    assert not found.selected
    assert found.flip_alpha is not None
    moved = api.run_view(own_workspace, weights=Weights(alpha=found.flip_alpha))
    taken = api.live_choice(moved, config, None, known)
    ids = taken.trace_ids.tolist()
    assert taken.selected[ids.index(third)]
    assert taken.stand_in[ids.index(best)] == ids.index(third)


def test_a_choice_by_an_older_finding_says_so(grace, own_workspace, tmp_path: Path) -> None:
    twins(own_workspace)
    extra = tmp_path / "more.jsonl"
    extra.write_text('{"question": "2 + 2?", "answer": "Two and two are four.\\n#### 4"}\n')
    (report,) = api.ingest(own_workspace, [extra], IngestConfig(dataset="solutions"))
    assert report.count is not None
    assert report.count.added == 1
    flags = ["-w", own_workspace.root, "--without-duplicates", "traces"]
    _, _, err = grace("curate", *flags)
    assert "grace duplicates --of traces looks again" in err
    assert document(grace("curate", *flags, "--json"))["duplicates_older"] is True
