"""How does the shell say what a dataset or a selection is worth before training on it?"""

from pathlib import Path
from typing import Annotated

import typer

from grace_engine import api
from grace_engine.cli import console, running
from grace_engine.cli.options import (
    DEFAULT_WORKSPACE,
    BackgroundOption,
    JsonOption,
    JudgeOption,
    OverwriteOption,
    WorkspaceOption,
)
from grace_engine.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


@console.speaks
def report(
    what: Annotated[str, typer.Argument(help="A dataset, or a selection's id or name.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    against: Annotated[
        list[str] | None,
        typer.Option(help="Another dataset or selection beside it; may be given again."),
    ] = None,
    target_size: Annotated[
        str, typer.Option(help="Size of the model to be trained: 8B, 0.6B, 600M.")
    ] = "",
    to: Annotated[
        Path | None, typer.Option(help="File to write: .html (one page), .md or .json.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(help="Causal LM of tokens, perplexity and, without --embeddings, meaning."),
    ] = "",
    embeddings: Annotated[
        str, typer.Option(help="A sentence-transformers model (folder or hub id) for meaning.")
    ] = "",
    parser: Annotated[
        str, typer.Option(help="A spaCy pipeline for syntactic depth, or auto for one a language.")
    ] = "",
    run: Annotated[
        str, typer.Option(help="Scoring run whose signals are shown. Default: the latest.")
    ] = "latest",
    judge: JudgeOption = "most-read",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    background: BackgroundOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """What a dataset is like in numbers, beside others, and what that may mean for a model."""
    from grace_engine.api.scoring import default_model
    from grace_engine.report import as_document
    from grace_engine.supervision import MeasureConfig

    opened = api.open_workspace(workspace, create=False)
    config = MeasureConfig(
        model=model or str(default_model()), embeddings=embeddings, parser=parser, device=device
    )
    if background:
        if to is None:
            raise InputError("A report in the background needs a file: add --to report.html.")
        job = api.start_report(
            opened,
            (what, *(against or ())),
            config,
            target_size=target_size,
            run=run,
            judge=judge,
            to=to,
            overwrite=overwrite,
        )
        running.say_started(job, as_json=as_json)
        return
    with console.progress() as bars:
        found = api.dataset_report(
            opened,
            what,
            against=against or (),
            target_size=target_size,
            config=config,
            run=run,
            judge=judge,
            progress=bars,
        )
    if to is not None:
        console.note(f"Wrote {api.write_report(found, to, overwrite=overwrite)}.")
    if as_json:
        console.emit_json(as_document(found))
    elif to is None:
        _say(found)


def _say(found: "api.DatasetReport") -> None:
    from grace_engine.report.judge_tables import HEAD, judged_rows, judged_sentences
    from grace_engine.report.tables import FACTS, difference_text, spread_rows
    from grace_engine.report.wording import (
        INTERVALS,
        N_TRACES,
        advice_sentences,
        evidence_sentences,
        languages_note,
        missing_text,
        opening,
        refused_text,
        shared_text,
        summary,
    )

    names = [subject.name for subject in found.subjects]
    console.note(opening(found))
    for said in summary(found):
        console.note(said)
    console.table(
        "",
        ["", *names],
        [(label, *(fact(s) for s in found.subjects)) for label, fact in FACTS.items()],
    )
    console.table(
        "Mean (95% interval); 5th to 95th percentile",
        ["metric", *names],
        spread_rows(found),
    )
    for note in filter(None, (INTERVALS, N_TRACES, languages_note(found), refused_text(found))):
        console.note(note)
    if len(names) > 1:
        console.table(
            f"{names[0]} less",
            ["metric", *names[1:]],
            [
                (c.title, *(difference_text(found.differences[c.name].get(n)) for n in names[1:]))
                for c in found.columns
            ],
        )
    if shared := shared_text(found):
        console.note(shared)
    if found.judged:
        console.table("Positive labels of a judge model (95% interval)", HEAD, judged_rows(found))
        for sentence in judged_sentences(found):
            console.note(sentence)
    for advice in found.advice:
        for sentence in advice_sentences(advice):
            console.note(sentence)
    for sentence in evidence_sentences(found.advice[0]) if found.advice else ():
        console.note(sentence)
    for warning in found.advice[0].warnings if found.advice else ():
        console.note(warning)
    for column in found.columns:
        if missing := missing_text(found, column):
            console.note(f"{column.title}: {missing}")
    for title, why in found.absent.items():
        console.note(f"{title}: not measured, {why}")
