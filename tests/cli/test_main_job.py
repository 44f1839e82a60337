"""Does the shell do the whole job: ingest, score, show, curate, export and replay?"""

import json
from pathlib import Path

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest

from grace_engine import api
from grace_engine.config import IngestConfig, ScoreConfig
from tests.conftest import SAMPLE


def document(result: tuple[int, str, str]) -> dict:
    """The one JSON document of a command that succeeded."""
    status, out, err = result
    assert status == 0, err
    return json.loads(out)


def test_ingest_counts_what_came_in_and_lists_what_did_not(grace, sample_file, tmp_path) -> None:
    workspace = tmp_path / "new"
    found = document(grace("ingest", sample_file, "-w", workspace, "--json"))["files"][0]
    # Eight records of five traces; one solution of the sixth record ends without an answer.
    assert found["count"] == {
        "added": 39,
        "already_present": 0,
        "rejected": 1,
        "by_reason": {"no-answer": 1},
        "problems": 0,
        "folded": 0,
    }
    assert found["schema"] == "gsm8k-solutions"
    rejects = document(grace("rejects", "-w", workspace, "--json"))["rejects"]
    assert [(r["line"], r["variant"], r["reason"]) for r in rejects] == [
        (6, "175b_finetuning", "no-answer")
    ]
    again = document(grace("ingest", sample_file, "-w", workspace, "--json"))["files"][0]["count"]
    assert (again["added"], again["already_present"], again["rejected"]) == (0, 39, 1)
    assert len(document(grace("rejects", "-w", workspace, "--json"))["rejects"]) == 1


def test_a_file_that_cannot_be_read_fails_the_command_and_the_others_are_kept(
    grace, sample_file, tmp_path
) -> None:
    missing = tmp_path / "missing.jsonl"
    status, _, err = grace("ingest", missing, sample_file, "-w", tmp_path / "new")
    assert status == 1
    assert "does not exist" in err
    assert "39 traces added" in err


def test_scoring_again_finds_everything_cached_and_loads_no_weights(
    grace, own_workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grace_engine.scoring import run

    monkeypatch.setattr(run, "load_model", lambda *_a, **_k: pytest.fail("weights were loaded"))
    model = api.get_run(own_workspace).model
    found = document(grace("score", "-w", own_workspace.root, "--model", model, "--json"))
    assert found["plan"]["n_cached"] == 39
    assert found["plan"]["n_pending"] == 0
    assert found["report"]["run"]["n_scored"] == 39


def test_a_dry_run_says_what_it_would_do_and_does_nothing(grace, sample_file, tmp_path) -> None:
    grace("ingest", sample_file, "-w", tmp_path / "new")
    found = document(grace("score", "-w", tmp_path / "new", "--dry-run", "--json"))
    assert found["plan"]["n_pending"] == 39
    assert found["plan"]["estimate"]["basis"].startswith("estimate: ")
    assert api.list_runs(api.open_workspace(tmp_path / "new", create=False)) == []


def test_show_gives_spans_that_read_back_and_signals_of_its_own_gram(
    grace, scored_workspace
) -> None:
    root = scored_workspace.root
    listed = document(grace("traces", "-w", root, "--json"))["traces"]
    assert len(listed) == 39
    values = [row["value"] for row in listed]
    assert values == sorted(values, reverse=True)
    row = next(row for row in listed if row["n_steps"] >= 3)
    found = document(grace("show", row["trace_id"], "-w", root, "--json"))
    assert found["value"] == pytest.approx(row["value"], abs=1e-12)
    source, rendered = found["source_text"], found["text"]
    for part in [*found["steps"], found["answer"]]:
        own = source[part["start"] : part["end"]]
        assert own == rendered[part["rendered_start"] : part["rendered_end"]]
        assert own.strip() == own != ""
        assert part["token_start"] < part["token_end"]
    gram = np.array(found["gram"])
    k = len(found["steps"])
    assert gram.shape == (k + 1, k + 1)
    expected = gram[:k, k] / np.sqrt(np.diag(gram)[:k] * gram[k, k])
    np.testing.assert_allclose(found["alignment"], expected, atol=1e-12)
    past = gram[2, :2].sum() / np.sqrt(gram[2, 2] * gram[:2, :2].sum())
    assert found["consistency"][0] is None
    assert found["consistency"][2] == pytest.approx(past, abs=1e-9)
    score = 0.7 * expected[2] + 0.3 * past
    assert found["score"][2] == pytest.approx(score, abs=1e-9)
    assert found["score"][0] == pytest.approx(expected[0], abs=1e-12)


def test_show_for_people_prints_the_text_of_every_step(grace, scored_workspace) -> None:
    trace = api.run_view(scored_workspace).signals.trace_ids[0]
    status, out, _ = grace("show", trace[:10], "-w", scored_workspace.root)
    assert status == 0
    assert trace in out
    assert "alignment" in out


def test_every_trace_has_a_reason_to_be_in_or_out(grace, own_workspace) -> None:
    found = document(grace("curate", "-w", own_workspace.root, "--budget", "20%", "--json"))
    assert found["n_selected"] == 8  # ⌈0.2 · 39⌉
    assert [c["rank"] for c in found["choices"]] == list(range(1, 40))
    assert all(c["selected"] == (c["rank"] <= 8) and c["reason"] for c in found["choices"])
    again = document(grace("curate", "-w", own_workspace.root, "--budget", "20%", "--json"))
    assert again["selection"] == found["selection"]


@pytest.mark.parametrize("strategy", ["grace", "random", "longest", "stepmax", "perplexity"])
def test_every_strategy_keeps_a_token_budget(grace, own_workspace, strategy: str) -> None:
    found = document(
        grace("curate", "-w", own_workspace.root, "--budget", "1ktok", "--strategy", strategy,
              "--json")
    )  # fmt: skip
    assert 0 < found["tokens_selected"] <= 1000


@pytest.mark.parametrize("as_format", ["messages", "prompt-completion", "sharegpt", "alpaca"])
def test_exports_hold_prompt_and_full_text_of_the_chosen_in_rank_order(
    grace, own_workspace, tmp_path, as_format: str
) -> None:
    chosen = api.curate(own_workspace, "5")
    out = tmp_path / "out.jsonl"
    document(grace("export", chosen.id, "--to", out, "--as", as_format, "-w", own_workspace.root,
                   "--json"))  # fmt: skip
    lines = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    read = {
        "messages": lambda r: (r["messages"][0]["content"], r["messages"][1]["content"]),
        "prompt-completion": lambda r: (r["prompt"].removesuffix("\n"), r["completion"]),
        "sharegpt": lambda r: tuple(turn["value"] for turn in r["conversations"]),
        "alpaca": lambda r: (r["instruction"], r["output"]),
    }[as_format]
    traces = [api.trace_view(own_workspace, c.trace_id).trace for c in chosen.choices[:5]]
    assert [read(line) for line in lines] == [(t.prompt, t.full_text) for t in traces]


def test_original_lines_are_the_source_byte_for_byte_each_once(
    grace, own_workspace, sample_file: Path, tmp_path
) -> None:
    api.curate(own_workspace, "100%")
    out = tmp_path / "out.jsonl"
    status, _, err = grace("export", "latest", "--to", out, "-w", own_workspace.root)
    assert status == 0
    source = sample_file.read_bytes().splitlines()
    assert sorted(out.read_bytes().splitlines()) == sorted(source)
    assert "39 traces in 8 lines" in err


def test_a_record_brings_its_other_traces_along_and_the_export_says_how_many(
    grace, own_workspace, tmp_path
) -> None:
    api.curate(own_workspace, "1")
    _, _, err = grace("export", "latest", "--to", tmp_path / "o.jsonl", "-w", own_workspace.root)
    assert "4 traces that were not chosen" in err or "3 traces that were not chosen" in err


@pytest.mark.parametrize("as_format", ["original", "messages"])
@pytest.mark.parametrize("annotate", [False, True])
def test_replay_writes_the_same_bytes_from_the_workspace(
    grace, own_workspace, tmp_path, as_format: str, annotate: bool
) -> None:
    api.curate(own_workspace, "30%")
    out, again = tmp_path / "out.jsonl", tmp_path / "again.jsonl"
    flags = ["--annotate"] if annotate else []
    grace("export", "latest", "--to", out, "--as", as_format, *flags, "-w", own_workspace.root)
    found = document(grace("replay", tmp_path / "manifest.json", "--to", again, "-w",
                           own_workspace.root, "--json"))  # fmt: skip
    assert found["source"] == "workspace"
    assert again.read_bytes() == out.read_bytes()
    if annotate:
        line = orjson.loads(out.read_bytes().splitlines()[0])["grace"]
        note = line if as_format == "messages" else next(iter(line.values()))
        assert note["rank"] >= 1
        assert note["steps"][0]["alignment"] == pytest.approx(note["steps"][0]["score"])


def test_replay_writes_the_same_bytes_from_the_sources(grace, own_workspace, tmp_path) -> None:
    api.curate(own_workspace, "30%")
    out = tmp_path / "out.jsonl"
    grace("export", "latest", "--to", out, "--as", "messages", "-w", own_workspace.root)
    before = out.read_bytes()
    out.unlink()
    found = document(grace("replay", tmp_path / "manifest.json", "-w", tmp_path / "nowhere",
                           "--json"))  # fmt: skip
    assert found["source"] == "sources"
    assert out.read_bytes() == before


def test_an_annotated_export_cannot_be_replayed_without_its_workspace(
    grace, own_workspace, tmp_path
) -> None:
    api.curate(own_workspace, "30%")
    out = tmp_path / "out.jsonl"
    grace("export", "latest", "--to", out, "--annotate", "-w", own_workspace.root)
    status, _, err = grace("replay", tmp_path / "manifest.json", "-w", tmp_path / "nowhere")
    assert status == 1
    assert "name it with --workspace" in err


def test_an_export_never_overwrites_another_file_unasked(grace, own_workspace, tmp_path) -> None:
    api.curate(own_workspace, "3")
    out = tmp_path / "mine.jsonl"
    out.write_text("precious\n")
    status, _, err = grace("export", "latest", "--to", out, "-w", own_workspace.root)
    assert status == 1
    assert "--overwrite" in err
    assert out.read_text() == "precious\n"
    assert list(tmp_path.glob(".*.part")) == []


def test_exports_in_one_folder_keep_a_manifest_each(grace, own_workspace, tmp_path) -> None:
    written = ("a.jsonl", "b.jsonl", "b.txt", "b.jsonl", "a.jsonl")
    for name in written:
        api.curate(own_workspace, "3")
        grace("export", "latest", "--to", tmp_path / name, "-w", own_workspace.root)
    found = {path.name: json.loads(path.read_bytes())["file"] for path in tmp_path.glob("*.json")}
    assert found == {
        "manifest.json": "a.jsonl",
        "b.manifest.json": "b.jsonl",
        "b.txt.manifest.json": "b.txt",
    }


def test_steps_become_a_parquet_file_with_a_row_a_step(grace, scored_workspace, tmp_path) -> None:
    out = tmp_path / "steps.parquet"
    found = document(grace("export-steps", "--to", out, "-w", scored_workspace.root, "--json"))
    table = pq.read_table(out).to_pandas()
    view = api.run_view(scored_workspace)
    steps, answers = table[table["kind"] == "step"], table[table["kind"] == "answer"]
    assert len(steps) == found["n_steps"] == len(view.scores)
    assert len(answers) == len(view.values) == len(table) - len(steps)
    assert list(table.columns) == [
        "trace_id", "kind", "step", "text", "start", "end", "alignment", "consistency", "score",
        "nll", "fresh_loss", "norm", "n_tokens", "step_label", "labels",
    ]  # fmt: skip
    assert steps.groupby("trace_id")["step"].min().eq(1).all()
    assert steps["consistency"].isna().equals(steps["step"] == 1)
    assert answers["step"].isna().all()
    tokens = table.groupby("trace_id")["n_tokens"].sum()
    assert tokens.to_dict() == dict(
        zip(view.traces["trace_id"], view.traces["n_tokens"], strict=True)
    )
    trace = api.trace_view(scored_workspace, answers["trace_id"].iloc[0])
    assert answers["text"].iloc[0] == trace.answer
    assert answers["nll"].iloc[0] == trace.signals.answer_nll[0]
    assert json.loads(table["labels"][0])["is_correct"] in (True, False)


def test_the_workspace_lists_deletes_and_compacts(grace, own_workspace) -> None:
    root = own_workspace.root
    api.curate(own_workspace, "3", name="mine")
    found = document(grace("workspace", "-w", root, "--json"))
    assert [d["n_traces"] for d in found["datasets"]] == [39]
    assert [s["name"] for s in found["selections"]] == ["mine"]
    run = found["runs"][0]["id"]
    assert found["run_bytes"][run] > 0
    status, out, _ = grace("workspace", "-w", root)
    assert status == 0
    assert "mine" in out
    assert document(grace("workspace", "delete-run", run, "-w", root, "--json"))
    assert document(grace("workspace", "delete-dataset", "solutions", "-w", root, "--json"))
    after = document(grace("workspace", "compact", "-w", root, "--json"))
    assert after["bytes_after"] <= after["bytes_before"]
    found = document(grace("workspace", "-w", root, "--json"))
    assert (found["datasets"], found["runs"]) == ([], [])


def test_traces_of_a_run_that_scored_nothing_say_so(grace, tmp_path, sample_file) -> None:
    workspace = api.open_workspace(tmp_path / "w", create=True)
    api.ingest(workspace, [sample_file], IngestConfig(dataset="solutions"))
    run = api.score(workspace, ScoreConfig(model=str(SAMPLE / "tiny-reasoner"), max_length=1)).run
    status, out, err = grace("traces", "-w", workspace.root)
    assert (status, out) == (0, "")
    assert f"Run {run.id} has scored no trace yet. Run grace score." in err
    assert document(grace("traces", "-w", workspace.root, "--json"))["traces"] == []


def test_a_fault_is_one_sentence_and_one_json_document(grace, tmp_path) -> None:
    for command in (["traces"], ["score"], ["curate"], ["workspace"], ["rejects"]):
        status, out, err = grace(*command, "-w", tmp_path / "nowhere", "--json")
        assert status == 1
        assert json.loads(out)["error"]["kind"] == "NotFoundError"
        assert "There is no workspace" in err
        assert "Traceback" not in err


def test_flags_out_of_range_are_refused_with_what_is_allowed(grace, scored_workspace) -> None:
    root = scored_workspace.root
    for flags, said in (
        (["curate", "--budget", "lots"], "20%"),
        (["curate", "--alpha", "2"], "from 0 to 1"),
        (["curate", "--history", "past"], "window:W"),
        (["curate", "--aggregate", "median"], "length-weighted"),
        (["curate", "--strategy", "best"], "perplexity"),
        (["score", "--proxy", "adam"], "lm_head"),
        (["score", "--parameters", "x"], "--proxy exact"),
        (["score", "--entropy-discount", "-1"], "positive number"),
        (["score", "--entropy-discount", "nan"], "positive number"),
        (["score", "--dataset", "other"], "solutions"),
        (["score", "--model", "./nowhere"], "not a folder here"),
        (["show", "zzz"], "zzz"),
        (["traces", "--run", "r-none"], "r-none"),
    ):
        status, _, err = grace(*flags, "-w", root)
        assert status == 1, flags
        assert said in err


def test_what_scoring_could_not_use_is_listed_with_file_line_and_reason(
    grace, sample_file: Path, tmp_path
) -> None:
    root = tmp_path / "new"
    grace("ingest", sample_file, "-w", root)
    status, _, _ = grace("score", "-w", root, "--max-length", "150")
    assert status == 0
    found = document(grace("rejects", "-w", root, "--json"))
    assert [r["reason"] for r in found["rejects"]] == ["no-answer"]
    assert {t["reason"] for t in found["unscored"]} == {"too-long"}
    assert all(t["path"] == str(sample_file) and t["line"] >= 1 for t in found["unscored"])
    _, out, _ = grace("rejects", "-w", root)
    assert "Not scored" in out


def test_a_run_that_failed_does_not_hide_the_one_that_scored(grace, own_workspace) -> None:
    root, before = own_workspace.root, api.get_run(own_workspace).id
    status, _, err = grace("score", "-w", root, "--proxy", "exact", "--parameters", "nothing.*")
    assert status == 1
    assert "nothing.*" in err
    assert [run.id for run in api.list_runs(own_workspace)] == [before]
    status, _, _ = grace("score", "-w", root, "--max-length", "3")
    assert status == 0
    assert len(api.list_runs(own_workspace)) == 2
    assert api.get_run(own_workspace).id == before


def test_a_reference_target_is_shown_as_such_and_exports_say_what_they_keep(
    grace, own_workspace, tmp_path
) -> None:
    root = own_workspace.root
    grace("score", "-w", root, "--target", "reference")
    listed = document(grace("traces", "-w", root, "--json"))["traces"]
    wrong = next(t for t in listed if t["labels"]["is_correct"] is False)
    found = document(grace("show", wrong["trace_id"], "-w", root, "--json"))
    answer = found["answer"]
    aimed = found["text"][answer["rendered_start"] : answer["rendered_end"]]
    assert answer["text"] == aimed == found["reference"]
    assert (answer["start"], answer["end"]) == (None, None)
    api.curate(own_workspace, "100%")
    _, _, err = grace("export", "latest", "--to", tmp_path / "o.jsonl", "-w", root)
    assert "exported with their own, other answer" in err


@pytest.mark.long
def test_an_entropy_discount_is_stored_with_the_run_and_told_wherever_its_proxy_is(
    grace, own_workspace, tmp_path
) -> None:
    root, paper = own_workspace.root, api.get_run(own_workspace).id
    status, out, err = grace("score", "-w", root, "--entropy-discount", "10", "--json")
    assert (status, json.loads(out)["report"]["run"]["entropy_discount"]) == (0, 10.0)
    assert "entropy discount 10)" in err
    listed = document(grace("workspace", "-w", root, "--json"))["runs"]
    assert [run["entropy_discount"] for run in listed] == [10.0, 0.0]
    discounted = listed[0]["id"]
    assert "upstream, c=10" in grace("workspace", "-w", root)[1]
    trace = api.run_view(own_workspace).signals.trace_ids[0]
    found = {
        run: document(grace("show", trace, "-w", root, "--run", run, "--json"))
        for run in (paper, discounted)
    }
    assert found[paper]["entropy_discount"] == 0.0
    assert found[discounted]["entropy_discount"] == 10.0
    assert found[paper]["gram"] != found[discounted]["gram"]
    assert found[paper]["nll"] == pytest.approx(found[discounted]["nll"], rel=1e-5)
    assert ", entropy discount 10" in grace("show", trace, "-w", root)[1]
    assert "discount" not in grace("show", trace, "-w", root, "--run", paper)[1]
    for run, annotated in ((discounted, 10.0), (paper, None)):
        api.curate(own_workspace, "3", run=run)
        to = tmp_path / run / "out.jsonl"
        to.parent.mkdir()
        grace("export", "latest", "--to", to, "--as", "messages", "--annotate", "-w", root)
        manifest = json.loads((to.parent / "manifest.json").read_bytes())
        assert manifest["run"]["entropy_discount"] == (annotated or 0.0)
        assert orjson.loads(to.read_bytes().splitlines()[0])["grace"].get("entropy_discount") == (
            annotated
        )
        again = to.with_name("again.jsonl")
        document(grace("replay", to.parent / "manifest.json", "--to", again, "-w", root, "--json"))
        assert again.read_bytes() == to.read_bytes()


def test_a_mapping_that_no_record_fits_fails_the_command(grace, tmp_path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"q": "1+1?", "t": "One and one. The answer is 2."}\n')
    status, _, err = grace("ingest", path, "-w", tmp_path / "w", "--map", "prompt=q,trace=nope")
    assert status == 1
    assert "No record of" in err


def test_replay_finds_sources_from_any_folder(
    grace, own_workspace, tmp_path, monkeypatch: pytest.MonkeyPatch, sample_file: Path
) -> None:
    monkeypatch.chdir(sample_file.parent)
    root = tmp_path / "relative"
    grace("ingest", sample_file.name, "-w", root)
    grace("score", "-w", root)
    grace("curate", "-w", root, "--budget", "3")
    grace("export", "latest", "--to", tmp_path / "o.jsonl", "--as", "messages", "-w", root)
    monkeypatch.chdir("/")
    again = tmp_path / "again.jsonl"
    found = document(
        grace("replay", tmp_path / "manifest.json", "--to", again, "-w", tmp_path / "no", "--json")
    )
    assert found["source"] == "sources"
    assert again.read_bytes() == (tmp_path / "o.jsonl").read_bytes()
