"""How does the shell show traces, steps and their signals?"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from grace_engine import api
from grace_engine.cli import console
from grace_engine.cli.options import (
    DEFAULT_WORKSPACE,
    AggregateOption,
    AlphaOption,
    HistoryOnlyOption,
    HistoryOption,
    JsonOption,
    JudgeOption,
    OverwriteOption,
    RunOption,
    WorkspaceOption,
    weights_from,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(traces)
    app.command()(show)
    app.command("export-steps")(export_steps)


@console.speaks
def traces(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    run: RunOption = "latest",
    alpha: AlphaOption = 0.7,
    history: HistoryOption = "uniform",
    aggregate: AggregateOption = "mean",
    history_only: HistoryOnlyOption = False,
    judge: JudgeOption = "most-read",
    limit: Annotated[int, typer.Option(min=0, help="Rows of the table; 0 for all.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List a run's traces with their values and labels, the highest value first."""
    weights = weights_from(alpha, history, aggregate, history_only)
    opened = api.open_workspace(workspace, create=False)
    view = api.run_view(opened, run, weights)
    judged = api.step_judge(opened, view, judge)
    order = np.lexsort((view.signals.trace_ids.astype(str), -view.values))
    listed = view.traces.iloc[order]
    labels = [name for name in listed.columns if name.startswith("label.")]
    rows = [
        _row(record, value, labels)
        for record, value in zip(
            listed.to_dict("records"), view.values[order].tolist(), strict=True
        )
    ]
    if judged is not None:
        for row, mean, worst in zip(rows, *judged.of_traces(view.signals, order), strict=True):
            row["judge"] = {"id": judged.judge.id, "mean": mean, "worst": worst}
    if as_json:
        console.emit_json(
            {"run": view.run.id, "weights": api.weights_json(weights), "traces": rows}
        )
        return
    if not rows:
        console.note(f"Run {view.run.id} has scored no trace yet. Run grace score.")
        return
    shown = rows[:limit] if limit else rows
    console.table(
        f"Run {view.run.id}: {len(rows):,} traces",
        [
            "trace", "value", "steps", "tokens", *(["judge", "worst"] if judged else []), "from",
            "labels",
        ],
        [
            (
                row["trace_id"],
                row["value"],
                row["n_steps"],
                row["n_tokens"],
                *([row["judge"]["mean"], row["judge"]["worst"]] if judged else []),
                f"{row['dataset']}, line {row['line']} {row['variant']}",
                ", ".join(f"{name}={value}" for name, value in row["labels"].items()),
            )
            for row in shown
        ],
    )  # fmt: skip
    if judged is not None:
        console.note(
            "judge: mean and lowest share of a step's labels that are positive, labels by "
            f"{judged.said(view.signals)}."
        )
    if len(shown) < len(rows):
        console.note(f"{len(rows) - len(shown):,} more: --limit 0 shows all.")


def _row(record: Mapping[Any, Any], value: float, labels: list[str]) -> dict[str, Any]:
    kept = {name: record[name] for name in ("trace_id", "dataset", "variant", "line", "n_steps")}
    found = {name.removeprefix("label."): record[name] for name in labels}
    return {
        **kept,
        "n_tokens": int(record["n_tokens"]),
        "value": None if np.isnan(value) else value,
        "answer_check": record["answer_check"],
        "labels": {k: v for k, v in found.items() if v is not None and v == v},
    }


@console.speaks
def show(
    trace: Annotated[str, typer.Argument(help="Trace id, or a unique beginning of one.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    run: RunOption = "latest",
    alpha: AlphaOption = 0.7,
    history: HistoryOption = "uniform",
    aggregate: AggregateOption = "mean",
    history_only: HistoryOnlyOption = False,
    judge: JudgeOption = "most-read",
    as_json: JsonOption = False,
) -> None:
    """Show one trace: its steps with alignment, consistency, score and loss."""
    weights = weights_from(alpha, history, aggregate, history_only)
    opened = api.open_workspace(workspace, create=False)
    view = api.trace_view(opened, trace, run, weights)
    document = view.as_json()
    judged = {one.step: one for one in api.judged_on(opened, view.trace.id, judge, view.run.id)}
    for number, step in enumerate(document["steps"], start=1):
        if number in judged:
            step["judge"] = asdict(judged[number]) | {"score": judged[number].score}
    if as_json:
        console.emit_json(document)
        return
    labels = ", ".join(f"{name}={value}" for name, value in view.trace.labels.items())
    discount = view.run.entropy_discount
    console.pairs(
        {
            "trace": f"{view.trace.id} ({view.trace.dataset} {view.trace.variant})".strip(),
            "source": f"{view.trace.record.path}, line {view.trace.record.line}",
            "run": f"{view.run.id}: {view.run.proxy} of {view.run.model}"
            + (f", entropy discount {discount:g}" if discount else ""),
            "value": document["value"],
            "labels": labels or None,
            "answer": view.trace.answer.text,
            "reference": view.trace.reference,
            "aimed at": f"{view.answer} (--target {view.run.target})",
        }
    )
    console.table("Prompt", [""], [(view.trace.prompt,)])
    console.table(
        "Steps",
        [
            "#", "text", "alignment", "consistency", "score", "nats/token", "tokens",
            *(["judge"] if judged else []),
        ],
        [
            (
                index + 1,
                view.trace.full_text[step.start : step.end],
                document["alignment"][index],
                document["consistency"][index],
                document["score"][index],
                document["nll"][index],
                document["n_tokens"][index],
                *([api.judge_text(judged.get(index + 1))] if judged else []),
            )
            for index, step in enumerate(view.trace.steps)
        ],
    )  # fmt: skip
    for number, one in judged.items():
        for name in one.negative:
            console.note(f"Step {number}, not {api.ADJECTIVES[name]}: {one.reasons.get(name, '')}")


@console.speaks
def export_steps(
    to: Annotated[Path, typer.Option("--to", help="File to write: .parquet, .csv or .jsonl.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    run: RunOption = "latest",
    alpha: AlphaOption = 0.7,
    history: HistoryOption = "uniform",
    aggregate: AggregateOption = "mean",
    history_only: HistoryOnlyOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a table with a row for each step and answer: text, spans, signals, labels."""
    rows = api.export_steps(
        api.open_workspace(workspace, create=False),
        to,
        run=run,
        weights=weights_from(alpha, history, aggregate, history_only),
        overwrite=overwrite,
    )
    console.note(f"{rows:,} steps → {to}")
    if as_json:
        console.emit_json({"path": str(to), "n_steps": rows})
