"""How are metrics and results of datasets read from a table that a person wrote?"""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grace_engine.errors import InputError, ReadError
from grace_engine.evidence.correlating import Evidence

DATASET, MODEL, RESULT = "dataset", "model", "result."
_UNNAMED = ""  # a model that no column names


def read_evidence(path: Path, results: Sequence[str] = ()) -> Evidence:
    """Read a CSV or JSON file.

    CSV: a row a dataset (and model), a column ``dataset``, optionally ``model``; columns that begin
    with ``result.``, or that ``results`` names, are results, and the others are metrics. An empty
    cell is a missing number; a model that is not named is "". JSON: ``datasets`` (names),
    ``metrics`` (lists by name) and ``results`` (lists by model and name), null for a missing
    number.

    Raises:
        ReadError: The file cannot be read, or is not of that form.
        InputError: It holds nothing to correlate.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise ReadError(f"{path} cannot be read as text: {fault}.") from fault
    if path.suffix.lower() == ".json":
        return _from_json(path, text)
    if path.suffix.lower() != ".csv":
        raise ReadError(f"{path} is neither .csv nor .json: give metrics and results as one.")
    return _from_csv(path, text, results)


def _from_json(path: Path, text: str) -> Evidence:
    try:
        document = json.loads(text)
        names = tuple(str(name) for name in document["datasets"])
        metrics = {name: _column(values) for name, values in document["metrics"].items()}
        results = {
            model: {name: _column(values) for name, values in columns.items()}
            for model, columns in document["results"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ReadError(
            f"{path} does not hold datasets, metrics (lists by name) and results (lists by model "
            f"and name): {type(fault).__name__} {fault}."
        ) from fault
    columns = [*metrics.values(), *(c for group in results.values() for c in group.values())]
    if any(len(column) != len(names) for column in columns):
        raise ReadError(f"{path} has a list that is not as long as its {len(names)} datasets.")
    return Evidence(datasets=names, metrics=metrics, results=results)


def _from_csv(path: Path, text: str, wanted: Sequence[str]) -> Evidence:
    rows = list(csv.DictReader(text.splitlines()))
    header = list(rows[0]) if rows else []
    if DATASET not in header:
        raise ReadError(f"{path} has no column {DATASET!r} with rows below it: name the datasets.")
    missing = [name for name in wanted if name not in header]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}; it has {', '.join(header)}.")
    results = [name for name in header if name in wanted or name.startswith(RESULT)]
    metrics = [name for name in header if name not in (*results, DATASET, MODEL)]
    if not results:
        raise InputError(
            f"{path} does not say which columns are results: name them with --results, or begin "
            f"their names with {RESULT!r}."
        )
    names = tuple(dict.fromkeys(row[DATASET] for row in rows))
    models = dict.fromkeys(row.get(MODEL) or _UNNAMED for row in rows)
    found: dict[str, dict[str, list[float]]] = {
        model: {name.removeprefix(RESULT): [math.nan] * len(names) for name in results}
        for model in models
    }
    measured = {name: [math.nan] * len(names) for name in metrics}
    seen: set[tuple[str, str]] = set()
    for number, row in enumerate(rows, start=2):
        place, model = names.index(row[DATASET]), row.get(MODEL) or _UNNAMED
        if (row[DATASET], model) in seen:
            whose = f" for {model}" if model else ""
            raise ReadError(f"{path} line {number} names {row[DATASET]!r}{whose} again.")
        seen.add((row[DATASET], model))
        for name in results:
            found[model][name.removeprefix(RESULT)][place] = _number(row[name], path, number, name)
        for name in metrics:
            value = _number(row[name], path, number, name)
            known = measured[name][place]
            if not math.isnan(value):
                if not math.isnan(known) and known != value:
                    raise ReadError(
                        f"{path} line {number} gives {row[DATASET]!r} another {name} than a line "
                        "before: a metric belongs to the dataset, whatever model is trained."
                    )
                measured[name][place] = value
    return Evidence(datasets=names, metrics=measured, results=found)


def _column(values: Sequence[Any]) -> list[float]:
    return [math.nan if value is None else float(value) for value in values]


def _number(text: str | None, path: Path, line: int, column: str) -> float:
    if text is None or not text.strip():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise ReadError(f"{path} line {line}, column {column}: {text!r} is not a number.")
    return value
