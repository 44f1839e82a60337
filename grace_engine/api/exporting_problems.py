"""How do chosen problems become a file for a trainer, and that file again?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from grace_engine import export as writing, store
from grace_engine.api.choosing import summary
from grace_engine.config import require_one_of
from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import POLICY_RUNS, Choice, RolloutGroup, Selection
from grace_engine.store import Workspace

_BATCH = 1000


def export_problems(
    workspace: Workspace,
    chosen: Selection,
    path: Path,
    *,
    as_format: str,
    annotate: bool,
    overwrite: bool,
) -> tuple[writing.Published, writing.Manifest]:
    """Write the chosen problems in rank order; what was written, and its recipe.

    Raises:
        InputError: A format for traces, an ending that cannot be written, or another file there.
        NotFoundError: The run, its rollouts or some of the problems are gone.
    """
    require_one_of("Format for problems", as_format, writing.PROBLEM_FORMATS)
    rows = _rows(workspace, chosen, as_format, annotate=annotate)
    published = writing.publish(
        path, writing.file_parts(rows, path), overwrite=overwrite, line_end=b""
    )
    choices = _selected(chosen)
    manifest = writing.Manifest(
        studio=version("grace-studio"),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        file=path.name,
        sha256=published.sha256,
        n_lines=len(choices),
        as_format=as_format,
        annotate=annotate,
        reasoning_key="",
        selection=summary(chosen),
        run=_run(workspace, chosen.run_id),
        sources=(),
        traces=tuple(
            {
                "trace_id": one.trace_id,
                "record_digest": one.record_digest,
                "rank": one.rank,
                "value": one.value,
                "n_tokens": one.n_tokens,
            }
            for one in choices
        ),
    )
    return published, manifest


def replay_problems(
    workspace: Workspace | None, manifest: writing.Manifest, path: Path, *, overwrite: bool
) -> writing.Published:
    """Write a file of problems again, and hold its bytes against the manifest's digest.

    Raises:
        NotFoundError: No workspace, or one without the selection.
        InputError: The bytes differ.
    """
    if workspace is None:
        raise NotFoundError(
            "Problems are exported again from the workspace that they came from: name it with "
            "--workspace."
        )
    chosen = store.get_selection(workspace, str(manifest.selection["selection"]))
    rows = _rows(workspace, chosen, manifest.as_format, annotate=manifest.annotate)
    parts = list(writing.file_parts(rows, path))
    if writing.digest_of(parts) != manifest.sha256:
        raise InputError(
            f"What {chosen.id} makes now is not what {manifest.file} was: its rollouts have "
            "changed, or another version writes them. Nothing was written."
        )
    return writing.publish(path, parts, overwrite=overwrite, line_end=b"")


def _rows(
    workspace: Workspace, chosen: Selection, as_format: str, *, annotate: bool
) -> Iterator[dict[str, Any]]:
    choices = _selected(chosen)
    problems = _problems(workspace, chosen, [one.trace_id for one in choices])
    notes: Sequence[Mapping[str, Any] | None] = [
        _note(chosen, choice) if annotate else None for choice in choices
    ]
    return writing.problem_rows(
        zip(problems, notes, strict=True), cast(writing.ProblemFormat, as_format)
    )


def _selected(chosen: Selection) -> list[Choice]:
    return [choice for choice in chosen.choices if choice.selected]


def _note(chosen: Selection, choice: Choice) -> dict[str, Any]:
    return {
        "problem_id": choice.trace_id,
        "selection": chosen.id,
        "run": chosen.run_id,
        "strategy": chosen.strategy,
        "value": choice.value,
        "rank": choice.rank,
        "reason": choice.reason,
    }


def _problems(
    workspace: Workspace, chosen: Selection, ids: Sequence[str]
) -> Iterator[RolloutGroup]:
    set_id = chosen.run_id
    if set_id.startswith(POLICY_RUNS):
        set_id = store.get_policy_run(workspace, set_id).set_id
    for first in range(0, len(ids), _BATCH):
        part = list(ids[first : first + _BATCH])
        batches = store.iter_groups(workspace, set_id, part, with_rollouts=False, batch=_BATCH)
        found = {group.problem_id: group for batch in batches for group in batch}
        for name in part:
            if name not in found:
                raise NotFoundError(
                    f"The chosen problem {name} is no longer in the workspace: its rollouts were "
                    "deleted."
                )
            yield found[name]


def _run(workspace: Workspace, run_id: str) -> dict[str, Any]:
    if run_id.startswith(POLICY_RUNS):
        return asdict(store.get_policy_run(workspace, run_id))
    return asdict(store.get_rollout_set(workspace, run_id))
