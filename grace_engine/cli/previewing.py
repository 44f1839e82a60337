"""How does the shell show what a file would become, before anything is stored?"""

from pathlib import Path
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from grace_engine.config import IngestConfig

_EXCERPT = 100


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(preview)


@console.speaks
def preview(
    file: Annotated[Path, typer.Argument(help="A JSONL or Parquet file.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    dataset: Annotated[str, typer.Option(help="Name of the dataset.")] = "",
    schema: Annotated[
        str, typer.Option("--format", help="Schema of the records, or auto to find it.")
    ] = "auto",
    segmenter: Annotated[str, typer.Option("--segment", help="As of grace ingest.")] = "auto",
    mapping: Annotated[str, typer.Option("--map", help="As of grace ingest.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Traces to show.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Show the first traces of a file as ingest would cut them; nothing is stored."""
    del workspace  # as every command takes it, so that a line of ingest previews as it stands
    config = IngestConfig(dataset=dataset, schema=schema, segmenter=segmenter, mapping=mapping)
    found = api.preview(file, config, limit)
    if as_json:
        console.emit_json(found.as_json())
        return
    if found.schema:
        for trace in found.traces:
            text = trace.full_text
            title = f"line {trace.record.line} {trace.variant}".rstrip()
            rows: list[tuple[object, str]] = [
                (number, _short(text[step.start : step.end]))
                for number, step in enumerate(trace.steps, start=1)
            ]
            rows.append(("answer", _short(trace.answer.text)))
            console.out.print()
            console.table("", [title, "text"], [("prompt", _short(trace.prompt)), *rows])
    else:
        console.table(
            "No known format fits. The fields",
            ["field", "is", "in", "such as"],
            [
                (f.path, f.kind, f"{f.share:.0%}", _short(f.samples[0]) if f.samples else "")
                for f in found.fields
            ],
        )
    for group in found.rejects:
        example = group.example
        console.note(
            f"{group.count:,} would be rejected: {group.reason} (line {example.line}: "
            f"{example.detail})"
        )
    which = "All" if found.is_whole else "The first"
    console.note(
        f"{which} {found.n_records:,} records of {found.path} ({console.size(found.size)}): "
        f"{found.n_traces:,} traces for dataset {found.dataset} "
        f"({found.schema or 'no format'}, cut by {found.segmenter}), {found.n_rejected:,} "
        "rejected. Nothing was stored."
    )
    if not found.schema and found.guess:
        console.note(f"A guess: --map {found.guess}")


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _EXCERPT else flat[: _EXCERPT - 1] + "…"
