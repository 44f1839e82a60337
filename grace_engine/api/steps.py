"""What are the numbers of every step and answer of a run, a row each?"""

import json
from pathlib import Path

import pyarrow as pa

from grace_engine import store
from grace_engine.api.views import STEP_SIGNALS, RunView, aimed_at, run_view
from grace_engine.config import Weights
from grace_engine.errors import InputError, ResourceError
from grace_engine.export import table_ending, table_writer
from grace_engine.records import Trace
from grace_engine.store import Workspace

_SCHEMA = pa.schema(
    {
        "trace_id": pa.string(),
        "kind": pa.string(),
        "step": pa.int32(),
        "text": pa.string(),
        "start": pa.int32(),
        "end": pa.int32(),
        **{name: pa.float64() for name in STEP_SIGNALS},
        "n_tokens": pa.int32(),
        "step_label": pa.string(),
        "labels": pa.string(),
    }
)


def export_steps(
    workspace: Workspace,
    to: Path | str,
    *,
    run: str = "latest",
    weights: Weights | None = None,
    overwrite: bool = False,
) -> int:
    """Write a table with a row for each step and answer of every scored trace.

    The file's ending says how: ``.parquet``, ``.csv`` (text that a spreadsheet would run stands
    behind an apostrophe) or ``.jsonl``.

    Columns: trace_id, kind (``step`` or ``answer``), step (from 1; null for the answer), text,
    start, end (characters of the full text; null for a reference that stands in the answer's
    place), alignment, consistency, score, nll and fresh_loss (nats a token), norm, n_tokens,
    step_label, labels (the trace's, as JSON). A number that does not exist, such as the consistency
    of step 1 or all but loss and tokens of an answer, is null. The tokens of a trace's rows are
    those that a budget counts.

    Returns:
        The number of steps.

    Raises:
        NotFoundError: No such run.
        InputError: Another file stands there, the folder is missing, or the ending is another.
        ResourceError: The disk is full.
    """
    path = Path(to)
    if not path.parent.is_dir() or path.is_dir():
        raise InputError(f"{path} cannot be written: name a file in a folder that exists.")
    ending = table_ending(path)
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists. Name another file, or say --overwrite to replace it.")
    view = run_view(workspace, run, weights)
    part = path.with_name(f".{path.name}.part")
    rows = 0
    try:
        with table_writer(part, ending, _SCHEMA) as write:
            ids = view.signals.trace_ids.tolist()
            places = {name: place for place, name in enumerate(ids)}
            for traces in store.iter_traces(workspace, view.run.datasets, ids, run=view.run.id):
                table = [row for trace in traces for row in _rows(trace, view, places[trace.id])]
                write(table)
                rows += sum(row["kind"] == "step" for row in table)
        part.replace(path)
    except OSError as error:
        raise ResourceError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return rows


def _rows(trace: Trace, view: RunView, place: int) -> list[dict[str, object]]:
    labels = json.dumps(dict(trace.labels), ensure_ascii=False, sort_keys=True)
    steps: list[dict[str, object]] = [
        {
            "trace_id": trace.id,
            "kind": "step",
            "step": number,
            "text": trace.full_text[step.start : step.end],
            "start": step.start,
            "end": step.end,
            **own,
            "step_label": None if step.label is None else str(step.label),
            "labels": labels,
        }
        for number, (step, own) in enumerate(
            zip(trace.steps, view.numbers_at(place), strict=True), start=1
        )
    ]
    return [*steps, _answer(trace, view, place) | {"labels": labels}]


def _answer(trace: Trace, view: RunView, place: int) -> dict[str, object]:
    """The row of the answer that was aimed at: loss and tokens alone."""
    text = aimed_at(trace, view.run)
    own = text == trace.answer.text
    return {
        "trace_id": trace.id,
        "kind": "answer",
        "text": text,
        "start": trace.answer.start if own else None,
        "end": trace.answer.end if own else None,
        "nll": float(view.signals.answer_nll[place]),
        "n_tokens": int(view.signals.answer_tokens[place]),
    }
