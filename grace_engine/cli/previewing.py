"""How does the shell show what a file would become, before anything is stored?"""

from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.mapping import fields_table, shortened
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.config import IngestConfig
from grace_engine.records import Trace


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(preview)


@console.speaks
def preview(
    file: Annotated[
        Path, typer.Argument(help="A file, folder or quoted pattern, as of grace ingest.")
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    dataset: Annotated[str, typer.Option(help="Name of the dataset.")] = "",
    schema: Annotated[
        str, typer.Option("--format", help="Schema of the records, or auto to find it.")
    ] = "auto",
    segmenter: Annotated[str, typer.Option("--segment", help="As of grace ingest.")] = "auto",
    mapping: Annotated[str, typer.Option("--map", help="As of grace ingest.")] = "",
    beside: Annotated[
        str, typer.Option(help="A second segmenter, whose cuts are shown, too.")
    ] = "",
    limit: Annotated[int, typer.Option(min=0, help="Traces to show.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show the first traces of a file as ingest would cut them; nothing is stored."""
    del workspace  # as every command takes it, so that a line of ingest previews as it stands
    config = IngestConfig(dataset=dataset, schema=schema, segmenter=segmenter, mapping=mapping)
    found = api.preview(file, config, limit)
    others = api.cut_beside(found, file, config, beside) if beside else ()
    if as_json:
        both = [api.trace_json(other) if other else None for other in others]
        more = {"beside": {"segmenter": beside, "traces": both}} if beside else {}
        console.emit_json(found.as_json() | more)
        return
    if found.schema:
        for trace, other in zip_longest(found.traces, others):
            title = f"line {trace.record.line} {trace.variant}".rstrip()
            rows = _steps_of(trace)
            rows.append(("answer", shortened(trace.answer.text)))
            console.out.print()
            console.table("", [title, "text"], [("prompt", shortened(trace.prompt)), *rows])
            if beside:
                console.table("", [f"cut by {beside}", "text"], _steps_of(other))
    else:
        fields_table(found)
    for group in found.rejects:
        example = group.example
        console.note(
            f"{group.count:,} would be rejected: {group.reason} (line {example.line}: "
            f"{example.detail})"
        )
    problems = f" and {found.n_problems:,} problems without a trace" if found.n_problems else ""
    which = "All" if found.is_whole else "The first"
    console.note(
        f"{which} {found.n_records:,} records of {found.path} ({console.size(found.size)}): "
        f"{found.n_traces:,} traces{problems} for dataset {found.dataset} "
        f"({found.schema or 'no format'}, cut by {found.segmenter}), {found.n_rejected:,} "
        "rejected. Nothing was stored."
    )
    if found.n_files > 1 or found.passed_over:
        console.note(
            f"It is the first of {found.n_files:,} files; {len(found.passed_over):,} others are "
            "passed over."
        )
    if not found.schema and found.guess:
        console.note(f"A guess: --map {found.guess}")


def _steps_of(trace: Trace | None) -> list[tuple[object, str]]:
    """A row a step; of a trace that the segmenter rejects, a row that says so."""
    if trace is None:
        return [("none", "This segmenter rejects the trace.")]
    return [
        (number, shortened(trace.full_text[step.start : step.end]))
        for number, step in enumerate(trace.steps, start=1)
    ]
