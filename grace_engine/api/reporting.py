"""What is a dataset or a selection worth before anyone trains on it?"""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import orjson
import pandas as pd

from grace_engine import evidence, report, store
from grace_engine.api.advised import advised
from grace_engine.api.judged import judged_subjects
from grace_engine.api.measuring import Measurement, measure
from grace_engine.api.selected import name_of, selection_beside
from grace_engine.api.views import RunView, run_view
from grace_engine.errors import InputError
from grace_engine.export import publish
from grace_engine.figures.frames import correctness, facts
from grace_engine.progress import Progress
from grace_engine.quantities import counted
from grace_engine.records import JUDGE_METRICS
from grace_engine.report import Column, DatasetReport, Subject
from grace_engine.store import Workspace
from grace_engine.supervision import METRICS, MeasureConfig

__all__ = ["FORMATS", "DatasetReport", "dataset_report", "report_bytes", "write_report"]

FORMATS = (".html", ".json", ".md")

_STEPS = Column(
    name="n_steps",
    title="Steps",
    how="Steps as the dataset is cut into them now.",
    bounds=(0.0, None),
)
_SIGNALS = {
    "value": ("GRACE value", "The trace's value by the default weights (α = 0.7, mean of steps)."),
    "alignment": ("GRACE alignment", "Mean over steps of the cosine with the answer's gradient."),
    "consistency": (
        "GRACE consistency",
        "Mean over steps of the cosine with the gradients of the steps before.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A dataset or selection by name: its traces, and the run that chose or scored them."""

    name: str
    kind: str
    detail: str
    ids: list[str]
    refused: Mapping[str, int]
    run: str
    chosen_by: str = ""


def dataset_report(
    workspace: Workspace,
    what: str,
    *,
    against: Sequence[str] = (),
    target_size: str = "",
    config: MeasureConfig | None = None,
    run: str = "latest",
    judge: str = store.MOST_READ,
    progress: Progress | None = None,
) -> DatasetReport:
    """Measure a dataset or selection, and others beside it; what is stored is not measured again.

    Args:
        workspace: Where they are.
        what: Name of a dataset, or id or name of a selection; a dataset comes first.
        against: Others.
        target_size: Size of the model to be trained, such as ``8B``; "" for no advice.
        config: Models that measure; the shipped one where None.
        run: Whose GRACE signals are shown of datasets; a selection's are those of its own run.
        judge: Whose labels are shown: its id, ``latest``, or ``most-read``, the one that has read
            most of these traces, and of several the one that was asked last.
        progress: Told how far it is.

    Raises:
        NotFoundError: No such dataset, selection or judge.
        InputError: One is named twice or holds nothing, or the size is none.
        ModelError: A model cannot be used.
        MissingExtraError: A library for what is asked is not installed.
    """
    size = report.size_of(target_size) if target_size else 0.0
    sources = sources_of(workspace, (what, *against), run)
    every = list(dict.fromkeys(name for source in sources for name in source.ids))
    measured = measure(workspace, every, config, progress)
    signals = {source.run: _signals(workspace, source.run) for source in sources}
    judged = judged_subjects(workspace, {source.name: source.ids for source in sources}, judge)
    subjects = [
        judged.put_into(_subject(workspace, source, measured, signals[source.run]))
        for source in sources
    ]
    columns = _columns(measured, subjects, [view for view in signals.values() if view])
    columns += judged.columns
    spreads = {
        column.name: {
            subject.name: spread
            for subject in subjects
            if column.name in subject.numbers
            and (
                spread := report.spread_of(
                    subject.numbers[column.name].to_numpy(dtype=np.float64),
                    subject.prompts,
                    column.bounds,
                )
            )
        }
        for column in columns
    }
    return DatasetReport(
        subjects=tuple(subjects),
        columns=tuple(column for column in columns if spreads[column.name]),
        absent=_absent(columns, spreads, measured) | judged.absent,
        judged=judged.of_subjects,
        spreads=spreads,
        differences={
            column.name: {
                other.name: difference
                for other in subjects[1:]
                if (
                    difference := report.difference_of(
                        subjects[0], other, column.name, column.bounds
                    )
                )
            }
            for column in columns
        },
        shared={source.name: len({*sources[0].ids} & {*source.ids}) for source in sources[1:]},
        advice=advised(size, columns, spreads, subjects) if size else (),
        citation=evidence.published().citation if size else "",
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("grace-studio"),
    )


def write_report(found: DatasetReport, to: Path, *, overwrite: bool = False) -> Path:
    """Write a report as its file's ending says: ``.html``, ``.json`` or ``.md``.

    Raises:
        InputError: Another ending, or another file stands there.
        ResourceError: The disk is full.
    """
    return publish(to, [report_bytes(found, ending_of(to))], overwrite=overwrite).path


def ending_of(to: Path) -> str:
    """``.html``, ``.json`` or ``.md``; ``InputError`` where a file has none of these."""
    ending = to.suffix.lower()
    if ending not in FORMATS:
        raise InputError(f"{to} does not say how to write it: use {', '.join(FORMATS)}.")
    return ending


def report_bytes(found: DatasetReport, ending: str) -> bytes:
    """A report as a file of this ending holds it."""
    if ending == ".json":
        return orjson.dumps(report.as_document(found), option=orjson.OPT_INDENT_2)
    written = report.as_html if ending == ".html" else report.as_markdown
    return written(found).rstrip("\n").encode()


def sources_of(workspace: Workspace, names: Sequence[str], run: str = "latest") -> list[Source]:
    """Datasets and selections by name, each once; raises as ``dataset_report``."""
    found = [_source(workspace, name, run) for name in names]
    named = [source.name for source in found]
    if len(set(named)) < len(named):
        raise InputError(f"A report needs different names, and got {', '.join(named)}.")
    return found


def _source(workspace: Workspace, name: str, run: str) -> Source:
    known = {info.name: info for info in store.datasets(workspace)}
    if name in known:
        info = known[name]
        ids = store.trace_ids(workspace, [name])
        if not ids:
            raise InputError(f"The dataset {name} holds no traces, so there is nothing to report.")
        refused = Counter(r.reason for r in store.rejects(workspace, name) if r.line)
        files = ", ".join(Path(path).name for path in info.sources)
        return Source(
            name=name,
            kind="dataset",
            detail=f"It was read from {files} and cut into steps by the segmenter "
            f"{info.segmenter}.",
            ids=ids,
            refused=dict(refused),
            run=_run_of(workspace, name, run),
        )
    chosen = selection_beside(workspace, name, known)
    ids = [choice.trace_id for choice in chosen.choices if choice.selected]
    here = {*store.labels_of(workspace, ids=ids)["id"]}
    if not here:
        raise InputError(f"Of the selection {name} no trace is in this workspace.")
    gone = len(ids) - len(here)
    return Source(
        name=name_of(chosen),
        kind="selection",
        detail=f"It was chosen from {len(chosen.choices):,} traces of run {chosen.run_id} by "
        f"{chosen.strategy} under a budget of {chosen.budget}."
        + (f" {gone:,} of its traces are no longer here." if gone else ""),
        ids=[name for name in ids if name in here],
        refused={},
        run=chosen.run_id,
        chosen_by=chosen.strategy,
    )


def _run_of(workspace: Workspace, dataset: str, run: str) -> str:
    """The run whose signals are shown: the wanted one; ``latest`` is that of the dataset."""
    if run != "latest":
        return store.get_run(workspace, run).id
    for each in store.list_runs(workspace):
        if dataset in each.datasets and each.n_scored:
            return each.id
    return ""


def _signals(workspace: Workspace, run: str) -> RunView | None:
    known = {each.id for each in store.list_runs(workspace)}
    return run_view(workspace, run) if run in known else None


def _subject(
    workspace: Workspace, source: Source, measured: Measurement, view: RunView | None
) -> Subject:
    listed = store.labels_of(workspace, ids=source.ids).set_index("id")
    ids = listed.index.tolist()
    checks = store.answer_checks(workspace).set_index("trace_id")["outcome"]
    outcome = checks.reindex(ids).astype(object)
    known = correctness(
        pd.DataFrame(
            {
                "label.is_correct": [labels.get("is_correct") for labels in listed["labels"]],
                "answer_check": outcome.where(outcome.notna(), None).tolist(),
            },
            dtype=object,
        )
    )
    table = measured.table.loc[ids]
    numbers = table[[name for name in table.columns if name in METRICS and name != "language"]]
    numbers = numbers.assign(n_steps=listed["n_steps"].astype("float64"))
    if view is not None:
        rows = facts(view).set_index("trace_id").reindex(ids)
        numbers = numbers.assign(**{name: rows[name].astype("float64") for name in _SIGNALS})
    why = {
        name: dict(Counter(table.loc[table[name].isna(), f"why.{name}"]))
        for name in numbers.columns
        if f"why.{name}" in table and table[name].isna().any()
    }
    if view is not None:
        why |= _unscored(numbers)
    else:
        why |= {name: {"no scoring run has them": len(ids)} for name in _SIGNALS}
    digests = store.reasoning_digests(workspace, ids)
    return Subject(
        name=source.name,
        kind=source.kind,
        detail=source.detail,
        n_traces=len(ids),
        n_prompts=int(listed["prompt_digest"].nunique()),
        refused=source.refused,
        n_known=int(known.notna().sum()),
        n_right=int((known == True).sum()),  # noqa: E712 - it holds None, too
        n_repeated=len(digests) - len(set(digests)),
        languages=dict(Counter(table["language"])),
        numbers=numbers,
        prompts=listed["prompt_digest"].to_numpy(dtype=object),
        why=why,
        chosen_by=source.chosen_by,
        lists_wrong=_lists_wrong(workspace, source.kind, list(dict.fromkeys(listed["dataset"]))),
    )


def _unscored(numbers: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Why traces have no GRACE signal, by signal, with how many they are."""
    scored = numbers["value"].notna() | numbers["alignment"].notna()
    found = {}
    for name in _SIGNALS:
        none = numbers[name].isna()
        one_step = none & scored & (numbers["n_steps"] < 2)
        reasons = {
            "the run did not score them": int((none & ~scored).sum()),
            "it has one step, and none before it": int(one_step.sum()),
            "no step of it has one": int((none & scored & ~one_step).sum()),
        }
        if none.any():
            found[name] = {reason: n for reason, n in reasons.items() if n}
    return found


def _lists_wrong(workspace: Workspace, kind: str, datasets: Sequence[str]) -> str:
    """What lists the wrong answers of these datasets; "" where none has a reference."""
    if not any(each.n_with_reference for each in store.check_counts(workspace, datasets)):
        return ""
    named = " ".join(shlex.quote(name) for name in datasets)
    lists = f"grace check {named} --list wrong lists"
    if kind == "dataset":
        return f"{lists} them"
    whole = "its whole dataset" if len(datasets) == 1 else "its whole datasets"
    return f"{lists} those of {whole}, chosen or not"


def _columns(
    measured: Measurement, subjects: Sequence[Subject], views: Sequence[RunView]
) -> list[Column]:
    """Numbers in the order shown."""
    texts = [
        Column(
            name=metric.name,
            title=metric.title,
            published=metric.published,
            how=metric.how,
            made_by=measured.says.get(metric.name, ""),
            bounds=metric.bounds,
        )
        for metric in METRICS.values()
        if metric.name != "language"
    ]
    runs = ", ".join(
        dict.fromkeys(
            f"{Path(view.run.model).name}, {view.run.proxy}, run {view.run.id}" for view in views
        )
    )
    signals = [
        Column(
            name=name,
            title=title,
            how=how,
            made_by=runs,
            bounds=(None, None) if name == "value" else (-1.0, 1.0),
        )
        for name, (title, how) in _SIGNALS.items()
    ]
    shown = [texts[0], _STEPS, *texts[1:], *signals]
    there = {name for subject in subjects for name in subject.numbers.columns}
    return [column for column in shown if column.name in there or column in texts[1:] + signals]


def _absent(
    columns: Sequence[Column],
    spreads: Mapping[str, Mapping[str, object]],
    measured: Measurement,
) -> dict[str, str]:
    """Why a column has no number at all, by its title."""
    absent = {}
    for column in columns:
        if spreads[column.name] or column.name in JUDGE_METRICS:
            continue
        if column.name in _SIGNALS:
            absent[column.title] = "no scoring run has these traces; run grace score."
        elif column.name not in measured.says:
            absent[column.title] = (
                "no parser was named; install one (pip install 'grace-studio[syntax]' and a spaCy "
                "pipeline) and run again with --parser auto."
            )
        else:
            reasons = Counter(measured.table[f"why.{column.name}"]).most_common()
            said = "; ".join(f"{counted(n, 'trace')}: {why.rstrip('.')}" for why, n in reasons)
            absent[column.title] = f"no trace has one. {said}."
    return absent
