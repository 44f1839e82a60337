"""How does the shell bring traces in, and say what was left out?"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console, running
from grace_engine.cli.mapping import ask_where_no_schema_fits, shortened
from grace_engine.cli.options import (
    DEFAULT_WORKSPACE,
    BackgroundOption,
    DatasetsArgument,
    JsonOption,
    LimitOption,
    WorkspaceOption,
)
from grace_engine.config import IngestConfig
from grace_engine.store import IngestCount

# Files passed over that are named; of the others the number is said.
_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(ingest)
    app.command()(rejects)
    app.command()(problems)
    app.command()(resegment)


@console.speaks
def ingest(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Files (JSONL, JSON, CSV, Parquet, Arrow, Inspect logs; text also as .gz or "
            ".zst), folders of them, saved datasets, or quoted patterns such as 'data/*.jsonl'."
        ),
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    dataset: Annotated[
        str, typer.Option(help="Name of the dataset; when left out, that of the folder or file.")
    ] = "",
    schema: Annotated[
        str, typer.Option("--format", help="Schema of the records, or auto to find it.")
    ] = "auto",
    segmenter: Annotated[
        str,
        typer.Option(
            "--segment",
            help="auto, lines, blank-lines, markers, sentences, given or regex:PATTERN.",
        ),
    ] = "auto",
    mapping: Annotated[
        str,
        typer.Option(
            "--map",
            help="For any schema: prompt=FIELD,trace=FIELD and, after more commas, answer=FIELD, "
            "reference=FIELD, label.NAME=FIELD.",
        ),
    ] = "",
    background: BackgroundOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read files of reasoning traces into the workspace; nothing enters twice."""
    config = IngestConfig(dataset=dataset, schema=schema, segmenter=segmenter, mapping=mapping)
    opened = api.open_workspace(workspace, create=True)
    if background:
        api.require_files(files)
        running.say_started(api.start_ingest(opened, files, config), as_json=as_json)
        return
    with console.progress() as bars:
        results = api.ingest(opened, files, config, bars)
    _say_passed_over(results)
    if not as_json:
        results = ask_where_no_schema_fits(
            results, config, lambda path, mapped: api.ingest(opened, [path], mapped)[0]
        )
    for result in results:
        if result.passed_over:
            continue
        if result.count is None:
            console.fault(result.fault)
            continue
        count = result.count
        reasons = ", ".join(f"{n} {reason}" for reason, n in count.by_reason.items())
        console.note(
            f"{result.path} → {result.dataset} ({result.schema}): {count.added:,} traces added, "
            f"{count.already_present:,} there before, {_problems(count)}{count.rejected:,} rejected"
            + (f" ({reasons}; see grace rejects)." if reasons else ".")
        )
        if not count.held:
            console.fault(f"No record of {result.path} could be used.")
    if as_json:
        console.emit_json({"files": [asdict(result) for result in results]})
    if any(result.has_failed for result in results):
        raise typer.Exit(1)


def _say_passed_over(results: list[api.FileIngest]) -> None:
    """One line a reason: a folder may hold many files that are not data."""
    paths: dict[str, list[str]] = {}
    for result in results:
        if result.passed_over:
            paths.setdefault(result.passed_over, []).append(result.path)
    for reason, passed_over in paths.items():
        shown = ", ".join(passed_over[:_SHOWN])
        more = f" and {len(passed_over) - _SHOWN:,} more" if len(passed_over) > _SHOWN else ""
        console.note(f"Passed over ({reason}): {shown}{more}.")


def _problems(count: IngestCount) -> str:
    if not count.problems:
        return ""
    folded = f" ({count.folded:,} repeats folded)" if count.folded else ""
    return f"{count.problems:,} problems without a trace{folded}; see grace problems; "


@console.speaks
def resegment(
    dataset: Annotated[str, typer.Argument(help="Its name.")],
    segmenter: Annotated[str, typer.Option("--segment", help="As of grace ingest.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Cut a dataset into steps anew, from what is stored; earlier runs keep the cut they saw."""
    opened = api.open_workspace(workspace, create=False)
    with console.progress() as bars:
        found = api.resegment(opened, dataset, segmenter, bars)
    console.note(
        f"{found.dataset}: {found.n_traces:,} traces, {found.n_steps:,} steps cut by "
        f"{found.segmenter}; before, {found.n_steps_before:,} cut by {found.before}. Earlier runs "
        "keep their steps; grace score makes a run with these."
    )
    if as_json:
        console.emit_json(asdict(found))


@console.speaks
def problems(
    datasets: DatasetsArgument = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """List problems that records pose without a trace, each with how often it is posed."""
    opened = api.open_workspace(workspace, create=False)
    found = api.list_problems(opened, datasets or (), limit or None)
    if as_json:
        console.emit_json(
            {
                "problems": [
                    {
                        "id": problem.id,
                        "dataset": problem.dataset,
                        "prompt": problem.prompt,
                        "reference": problem.reference,
                        "labels": dict(problem.labels),
                        "n_records": n_records,
                    }
                    for problem, n_records in found
                ]
            }
        )
        return
    if not found:
        console.note("No record poses a problem without a trace.")
        return
    console.table(
        "Problems without a trace",
        ["problem", "dataset", "records", "prompt", "reference"],
        [(p.id, p.dataset, n, shortened(p.prompt), p.reference or "") for p, n in found],
    )


@console.speaks
def rejects(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    dataset: Annotated[str, typer.Option(help="Only of this dataset.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List what could not be used, and why: files, lines of files, and traces of scoring runs."""
    opened = api.open_workspace(workspace, create=False)
    found = api.rejects(opened, dataset or None)
    unscored = api.unscored(opened, dataset)
    if as_json:
        console.emit_json(
            {
                "rejects": [asdict(reject) for reject in found],
                "unscored": [asdict(trace) for trace in unscored],
            }
        )
        return
    if not found and not unscored:
        console.note("Nothing was rejected.")
        return
    if found:
        console.table(
            "Rejected at ingest",
            ["file", "line", "variant", "reason", "detail"],
            [(r.path, r.line or "all", r.variant, r.reason, r.detail) for r in found],
        )
    if unscored:
        console.table(
            "Not scored",
            ["run", "trace", "file", "line", "variant", "reason", "detail"],
            [(t.run, t.trace_id, t.path, t.line, t.variant, t.reason, t.detail) for t in unscored],
        )
    counts = Counter([*(r.reason for r in found), *(t.reason for t in unscored)]).most_common()
    console.note(", ".join(f"{n:,} {reason}" for reason, n in counts) + ".")
