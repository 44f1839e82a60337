"""How much of a report is still to be measured, and how is that done in the background?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath

from grace_engine import report, store
from grace_engine.api.measuring import unmeasured
from grace_engine.api.reporting import ending_of, sources_of
from grace_engine.api.running import begin, device_of
from grace_engine.api.scoring import default_model
from grace_engine.errors import InputError
from grace_engine.jobs import Job, JobSpec
from grace_engine.store import Workspace
from grace_engine.supervision import MeasureConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What a report would be about.

    Attributes:
        names: Of the datasets and selections, each once.
        n_traces: Different traces of them.
        n_unmeasured: Those of which a model has still to read something.
    """

    names: tuple[str, ...]
    n_traces: int
    n_unmeasured: int


def report_subjects(
    workspace: Workspace, names: Sequence[str], config: MeasureConfig | None = None
) -> Subjects:
    """Datasets and selections by name, and how much of them is still to be measured.

    Raises:
        NotFoundError, InputError, ModelError, MissingExtraError: As ``dataset_report``.
    """
    sources = sources_of(workspace, names)
    every = list(dict.fromkeys(name for source in sources for name in source.ids))
    return Subjects(
        names=tuple(source.name for source in sources),
        n_traces=len(every),
        n_unmeasured=len(unmeasured(workspace, every, config)),
    )


def start_report(
    workspace: Workspace,
    names: Sequence[str],
    config: MeasureConfig | None = None,
    *,
    target_size: str = "",
    run: str = "latest",
    judge: str = store.MOST_READ,
    to: Path | None = None,
    overwrite: bool = False,
) -> Job:
    """Measure datasets and selections in the background, and write their report where ``to`` says.

    Raises:
        NotFoundError, InputError, ModelError, MissingExtraError: As ``dataset_report``.
    """
    config = config or MeasureConfig(model=str(default_model()))
    _require_writable(target_size, to, overwrite=overwrite)
    found = report_subjects(workspace, names, config)
    spec = JobSpec(
        kind="report",
        title=f"Measure {', '.join(found.names)} with {PurePath(config.model).name}"
        + (f", and write {to.name}" if to else ""),
        settings={
            "names": list(names),
            "target_size": target_size,
            "run": run,
            "judge": judge,
            "to": str(to.absolute()) if to else "",
            "overwrite": overwrite,
            "config": asdict(config),
        },
        device=device_of(config.device),
    )
    return begin(workspace, spec)


def _require_writable(target_size: str, to: Path | None, *, overwrite: bool) -> None:
    """Refuse (``InputError``) a size that is none, and a file that could not be written."""
    if target_size:
        report.size_of(target_size)
    if to is not None:
        ending_of(to)
        if to.exists() and not overwrite:
            raise InputError(f"{to} is there already: name another file, or add --overwrite.")
