"""Is a workspace whole, and how does a damaged one come back as far as it can?"""

import json
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grace_engine import jobs, store
from grace_engine.api.reading import FileIngest, ingest
from grace_engine.api.resegmenting import resegment
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.digests import file_digest
from grace_engine.errors import InputError, StoreError
from grace_engine.progress import Progress, Silent
from grace_engine.quantities import size
from grace_engine.store import Backup, Finding, Recovered, Salvage, Workspace, open_workspace

# Kinds of which a journal says what there was, and one that is only remembered to be quick.
_JOURNALED = ("traces", "scores", "selections", "annotations")
_REMEMBERED = "digests of model files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a check of a workspace found.

    Attributes:
        findings: Faults first.
        backups: What can be restored, the newest first.
        free_bytes: Room on the disk.
    """

    findings: tuple[Finding, ...]
    backups: tuple[Backup, ...]
    free_bytes: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing that was stored is wrong or missing."""
        return not any(finding.is_fault for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came back, and what did not.

    Attributes:
        salvage: What was read of the damaged database; None where it was whole.
        recovered: What the journal gave back.
        ingested: Source files that were ingested again.
        missing: Source files that were not, and why.
        commands: What computes the rest again, to be typed.
        held: Kinds of things (``GROUPS`` of tables) that the workspace holds now.
        untold: Kinds that are in no file any more, if there were any: nothing that is left says so.
    """

    salvage: Salvage | None
    recovered: Recovered
    ingested: tuple[FileIngest, ...]
    missing: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    held: frozenset[str]
    untold: tuple[str, ...]

    @property
    def found_nothing_to_do(self) -> bool:
        """Whether the workspace was whole, and its journal has nothing that it lacks."""
        back = self.recovered
        anything = back.n_annotations or back.runs or back.selections
        return not (self.salvage or anything or self.ingested or self.missing)


def check_workspace(workspace: Workspace) -> Health:
    """Read everything that is stored and say what is not as it should be; nothing is changed.

    Raises:
        StoreBusyError: The database did not come free.
    """
    findings = [*store.check(workspace), *_unreadable_runs(workspace), *_on_disk(workspace)]
    return Health(
        findings=tuple(sorted(findings, key=lambda finding: not finding.is_fault)),
        backups=tuple(store.list_backups(workspace)),
        free_bytes=shutil.disk_usage(workspace.root).free,
    )


def rebuild(root: Path | str, progress: Progress | None = None) -> Rebuilt:
    """Bring back a workspace whose database is damaged or gone, as far as files allow.

    Each group of tables comes from the damaged database where it can be read, else from the newest
    backup; annotations, selections and runs from the journal; traces that are still missing from
    their source files, where these are the same to the byte. The damaged file is kept. Called
    again, it goes on with what was missing.

    Raises:
        NotFoundError: There is no workspace.
        StoreError: The disk is full, or cannot be written.
    """
    progress = progress or Silent()
    try:
        workspace = open_workspace(root, create=False)
    except StoreError:
        workspace = Workspace(Path(root))  # its database is gone: an empty one to begin with
    progress.begin("Reading what can be read", 0, "tables")
    has_journal = workspace.journal.exists()
    salvage = store.salvage(workspace)
    recovered = store.recover(workspace)
    cuts = _cuts_of(workspace)
    ingested, missing = _read_sources(workspace, progress)
    if salvage and not has_journal and not store.datasets(workspace):
        ingested += _ingest_jobs(workspace, progress)
    for dataset in sorted({each.dataset for each in ingested} & cuts.keys()):
        missing += _cut_as_before(workspace, dataset, cuts[dataset], progress)
    held = store.kinds_held(workspace)
    return Rebuilt(
        salvage=salvage,
        recovered=recovered,
        ingested=tuple(ingested),
        missing=tuple(missing),
        commands=tuple(dict.fromkeys(_score_again(workspace, salvage, recovered))),
        held=held,
        untold=tuple(_untold(salvage, held, has_journal=has_journal)),
    )


def _untold(salvage: Salvage | None, held: frozenset[str], *, has_journal: bool) -> Iterator[str]:
    """Kinds of which nothing came back, where nobody can say whether there was anything."""
    for kind, origin in salvage.origins.items() if salvage else ():
        if origin or kind in held or kind == _REMEMBERED or (has_journal and kind in _JOURNALED):
            continue
        yield kind


def _read_sources(
    workspace: Workspace, progress: Progress
) -> tuple[list[FileIngest], list[tuple[str, str]]]:
    """Ingest what the journal names and the database lacks, where the files are still the same."""
    ingested: list[FileIngest] = []
    missing: list[tuple[str, str]] = []
    cuts = {info.name: info.segmenter for info in store.datasets(workspace)}
    for source in sorted(store.missing_sources(workspace), key=lambda row: row["ingested_at"]):
        path = Path(source["path"])
        if not path.is_file():
            missing.append((str(path), "it is gone"))
        elif file_digest(path) != source["digest"]:
            missing.append((str(path), "it has changed since"))
        else:
            config = IngestConfig(
                dataset=source["dataset"],
                schema="auto" if source["schema_name"] == "mapped" else source["schema_name"],
                # One cut for all files of a dataset; the others follow.
                segmenter=cuts.setdefault(source["dataset"], source["segmenter"]),
                mapping=",".join(f"{k}={v}" for k, v in json.loads(source["mapping"]).items()),
            )
            for each in ingest(workspace, [path], config, progress):
                if each.fault:
                    missing.append((each.path, each.fault))
                else:
                    ingested.append(each)
    return ingested, missing


def _ingest_jobs(workspace: Workspace, progress: Progress) -> list[FileIngest]:
    """Where no journal was kept: what run folders say was ingested in the background."""
    done: list[FileIngest] = []
    for job in reversed(jobs.jobs(workspace.root)):
        if job.spec.kind == "ingest" and job.state == "finished":
            settings = dict(job.spec.settings)
            paths = settings.pop("paths")
            done += ingest(workspace, paths, IngestConfig(**settings), progress)
    return done


def _cuts_of(workspace: Workspace) -> dict[str, list[str]]:
    """How each dataset of the journal was cut: as runs saw it, and last as it stood."""
    journal = store.read_journal(workspace)
    known = journal.contents["datasets"] if journal else {}
    runs = store.list_runs(workspace)
    return {
        dataset: [
            *(
                cut
                for run in runs
                for name, cut in zip(run.datasets, run.segmenters, strict=False)
                if name == dataset
            ),
            row["segmenter"],
        ]
        for dataset, row in known.items()
    }


def _cut_as_before(
    workspace: Workspace, dataset: str, cuts: list[str], progress: Progress
) -> list[tuple[str, str]]:
    """Cut what was ingested again in each of these ways, the last to stay; what could not be."""
    failed = []
    for cut in cuts:
        try:
            resegment(workspace, dataset, cut, progress)
        except InputError as fault:
            failed.append((f"{dataset} cut by {cut}", str(fault)))
    return failed


def _score_again(
    workspace: Workspace, salvage: Salvage | None, recovered: Recovered
) -> Iterator[str]:
    """The commands that compute lost Grams: from the journal's runs, else from run folders."""
    for run in recovered.runs:
        yield _command(json.loads(run["spec"]) | {"datasets": run["datasets"]}, workspace)
    lost = salvage is not None and salvage.origins["scores"] is None
    if lost and not recovered.runs:
        for job in jobs.jobs(workspace.root):
            if job.spec.kind == "score":
                yield _command(job.spec.settings, workspace)


def _command(spec: Any, workspace: Workspace) -> str:
    """``grace score`` with what differs from its defaults."""
    usual = ScoreConfig()
    words = ["grace", "score", "--workspace", str(workspace.root), "--model", str(spec["model"])]
    for name in ("revision", "adapter", "proxy", "target", "entropy_discount", "dtype"):
        value = spec.get(name, getattr(usual, name))
        if value != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    for name in spec.get("datasets") or ():
        words += ["--dataset", name]
    for name in spec.get("parameters") or ():
        words += ["--parameters", name]
    for name in ("with_marks", "with_end_token"):
        if spec.get(name):
            words.append(f"--{name.replace('_', '-')}")
    return shlex.join(words)


def _unreadable_runs(workspace: Workspace) -> Iterator[Finding]:
    known = {job.id for job in jobs.jobs(workspace.root)}
    lost = sorted(each.name for each in workspace.runs.glob("*-*/") if each.name not in known)
    if lost:
        yield Finding(
            what=f"{len(lost):,} run folders do not say what was asked for ({lost[0]}).",
            advice=f"They cannot be resumed: remove them from {workspace.runs}.",
            is_fault=False,
        )


def _on_disk(workspace: Workspace) -> Iterator[Finding]:
    """What an interrupted command left, and whether there is room to work."""
    left = [*workspace.staging_root.iterdir(), *workspace.root.glob("*.part")]
    if left:
        yield Finding(
            what=f"{len(left):,} unfinished files of commands that run or were killed ({left[0]}).",
            advice="The next ingest, compaction or backup removes those of killed commands.",
            is_fault=False,
        )
    free, held = shutil.disk_usage(workspace.root).free, workspace.database.size()
    if free < held:
        yield Finding(
            what=f"The disk has {size(free)} free, less than the database takes ({size(held)}).",
            advice="A backup or compaction may not fit: free some space.",
            is_fault=False,
        )
    if workspace.database.is_read_only:
        yield Finding(
            what=f"The workspace {workspace.root} cannot be written.",
            advice="It can be read; to change it, make it writable or copy it.",
            is_fault=False,
        )
