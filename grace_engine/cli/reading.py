"""How does the shell bring traces in, and say what was left out?"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.config import IngestConfig


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(ingest)
    app.command()(rejects)


@console.speaks
def ingest(
    files: Annotated[list[Path], typer.Argument(help="JSONL or Parquet files.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    dataset: Annotated[
        str, typer.Option(help="Name of the dataset; each file's own name when left out.")
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
    as_json: JsonOption = False,
) -> None:
    """Read files of reasoning traces into the workspace; nothing enters twice."""
    config = IngestConfig(dataset=dataset, schema=schema, segmenter=segmenter, mapping=mapping)
    opened = api.open_workspace(workspace, create=True)
    with console.progress() as bars:
        results = api.ingest(opened, files, config, bars)
    for result in results:
        if result.count is None:
            console.fault(result.fault)
            continue
        count = result.count
        reasons = ", ".join(f"{n} {reason}" for reason, n in count.by_reason.items())
        console.note(
            f"{result.path} → {result.dataset} ({result.schema}): {count.added:,} traces added, "
            f"{count.already_present:,} there before, {count.rejected:,} rejected"
            + (f" ({reasons}; see grace rejects)." if reasons else ".")
        )
        if not count.held:
            console.fault(f"No record of {result.path} could be used.")
    if as_json:
        console.emit_json({"files": [asdict(result) for result in results]})
    if any(result.count is None or not result.count.held for result in results):
        raise typer.Exit(1)


@console.speaks
def rejects(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    dataset: Annotated[str, typer.Option(help="Only of this dataset.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List what could not be used, with file, line and reason: at ingest, and by scoring runs."""
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
            [(r.path, r.line, r.variant, r.reason, r.detail) for r in found],
        )
    if unscored:
        console.table(
            "Not scored",
            ["run", "trace", "file", "line", "variant", "reason", "detail"],
            [(t.run, t.trace_id, t.path, t.line, t.variant, t.reason, t.detail) for t in unscored],
        )
    counts = Counter([*(r.reason for r in found), *(t.reason for t in unscored)]).most_common()
    console.note(", ".join(f"{n:,} {reason}" for reason, n in counts) + ".")
