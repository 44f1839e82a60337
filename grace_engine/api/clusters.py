"""How does a training run on a Slurm cluster, and is followed here as one of this machine?

The run's own process submits one Slurm job through submitit and waits for it; the job trains into
the same run folder, which has to be on a file system that both machines see, and writes down how
far it is.
"""

import os
import re
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from grace_engine.api.trained import TrainReport, training_report
from grace_engine.api.training import TrainRequest, request_of, train
from grace_engine.errors import GraceError, InputError, MissingExtraError
from grace_engine.progress import Progress
from grace_engine.store import Workspace, open_workspace

INSTALL = "pip install 'grace-studio[slurm]'"
FOLDER, STOP, FAR = "slurm", "stop", "far.json"
_FINISHED, _STOPPED, _FAILED = "finished", "stopped", "failed"
_LOOK = 1.0  # seconds between two looks at the job
_WRITTEN = 0.5  # seconds between two words of it
# A job that was asked to end writes a checkpoint; then it is cancelled.
_PATIENCE = 50.0


def parse_options(text: str) -> dict[str, str | int]:
    """Read ``partition=gpu,gpus_per_node=1,timeout_min=240``; ``InputError`` on anything else."""
    found: dict[str, str | int] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, mark, value = part.partition("=")
        if not mark or not re.fullmatch(r"[a-z_]+", name) or not value:
            raise InputError(
                f"Slurm option {part!r} is none: use names of submitit's parameters with values, "
                "such as partition=gpu,gpus_per_node=1,timeout_min=240."
            )
        found[name] = int(value) if value.isdigit() else value
    return found


def require_submitit() -> Any:
    """The library that submits; ``MissingExtraError`` where it is not installed."""
    try:
        import submitit
    except ImportError as fault:
        raise MissingExtraError(f"Slurm needs the submitit library: {INSTALL}") from fault
    return submitit


def require_slurm() -> None:
    """Refuse where no job could be submitted.

    Raises:
        MissingExtraError: submitit is not installed.
        InputError: This machine has no commands of Slurm.
    """
    require_submitit()
    if missing := [name for name in ("srun", "sbatch") if shutil.which(name) is None]:
        raise InputError(
            f"Slurm did not take the job: {' and '.join(missing)} cannot be found, so this is no "
            "machine of a cluster. Use one that submits jobs, or leave out --executor."
        )


def train_on_cluster(
    workspace: Workspace,
    request: TrainRequest,
    folder: Path,
    progress: Progress,
    *,
    cluster: str = "slurm",
) -> TrainReport:
    """Have a Slurm job do what ``train`` does, and wait for it.

    Args:
        workspace: Seen by the cluster's machines under the same path.
        request: What is trained.
        folder: The run folder.
        progress: Told what the job says of itself.
        cluster: ``slurm``; submitit's ``local`` starts a process of this machine.

    Raises:
        MissingExtraError: submitit is not installed.
        InputError: There is no Slurm here, or it does not take an option.
        KeyboardInterrupt: The run was asked to end.
        GraceError: The job failed; what it printed stands in the folder ``slurm``.
    """
    submitit = require_submitit()
    if cluster == "slurm":
        require_slurm()
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    for name in (STOP, FAR):
        (place / name).unlink(missing_ok=True)
    options = {_named(name): value for name, value in request.slurm.items()}
    try:
        executor = submitit.AutoExecutor(folder=place, cluster=cluster)
        executor.update_parameters(name="grace", **options)
        job = executor.submit(on_the_node, str(workspace.root), request.document(), str(folder))
    except (RuntimeError, NameError, TypeError, AssertionError, ValueError, OSError) as fault:
        raise InputError(f"Slurm did not take the job: {str(fault).splitlines()[0]}") from fault
    except submitit.core.utils.FailedJobError as fault:
        raise InputError(f"Slurm refused the job: {str(fault).splitlines()[-1]}") from fault
    progress.say(f"Slurm job {job.job_id} is submitted; it begins when the cluster has room.")
    try:
        _wait(job, place, progress)
    except KeyboardInterrupt:
        (place / STOP).touch()
        _end(job)
        raise
    end, sentence = _result(job, place)
    if end == _STOPPED:
        raise KeyboardInterrupt
    if end == _FAILED:
        raise GraceError(f"Slurm job {job.job_id} failed: {sentence}")
    return training_report(folder)


def on_the_node(root: str, document: Mapping[str, Any], folder: str) -> tuple[str, str]:
    """What the Slurm job does: the training, told of in files; how it ended, and a fault."""
    # Said outright: a process that a shell started in the background ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    request = replace(request_of(document), executor="local")
    progress = InFiles(Path(folder) / FOLDER)
    try:
        train(open_workspace(Path(root), create=False), request, Path(folder), progress)
    except KeyboardInterrupt:
        return _STOPPED, ""
    except GraceError as fault:
        return _FAILED, str(fault)
    finally:
        progress.write()
    return _FINISHED, ""


class InFiles:
    """Progress of a process on another machine: it stands in a file within half a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._far: dict[str, Any] = {"phase": 0, "done": 0, "tokens": 0, "said": ""}
        self._written = 0.0

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        """A phase begins."""
        number = self._far["phase"] + 1
        self._far = {
            "phase": number,
            "what": what,
            "total": total,
            "unit": unit,
            "before": done,
            "done": done,
            "tokens": 0,
            "said": "",
        }
        self.write()

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        """Count units, and see whether the end is asked for."""
        self._far["done"] += amount
        self._far["tokens"] += tokens
        if time.monotonic() - self._written > _WRITTEN:
            self.write()
            if (self._folder / STOP).exists():
                os.kill(os.getpid(), signal.SIGINT)

    def fail(self, reason: str, amount: int = 1) -> None:
        """Training counts no failures of single units."""

    def say(self, message: str) -> None:
        """Keep the last sentence."""
        self._far["said"] = message
        self.write()

    def write(self) -> None:
        """Replace the file as a whole."""
        part = self._folder / f".{FAR}.part"
        part.write_bytes(orjson.dumps(self._far))
        part.replace(self._folder / FAR)
        self._written = time.monotonic()


def _wait(job: Any, place: Path, progress: Progress) -> None:
    phase, done, tokens, said = 0, 0, 0, ""
    while True:
        over = job.done()
        far = _far(place)
        if far["phase"] != phase:
            phase, done, tokens = far["phase"], far["before"], 0
            progress.begin(far["what"], far["total"], far["unit"], done=done)
        if far["done"] > done:
            progress.advance(far["done"] - done, tokens=far["tokens"] - tokens)
            done, tokens = far["done"], far["tokens"]
        if far["said"] not in ("", said):
            said = far["said"]
            progress.say(said)
        if over:
            return
        time.sleep(_LOOK)


def _far(place: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads((place / FAR).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {"phase": 0, "done": 0, "tokens": 0, "said": ""}
    return found


def _end(job: Any) -> None:
    """Wait for a job that was asked to end, then cancel it."""
    deadline = time.monotonic() + _PATIENCE
    while not job.done() and time.monotonic() < deadline:
        time.sleep(_LOOK)
    if not job.done():
        with suppress(Exception):
            job.cancel()


def _result(job: Any, place: Path) -> tuple[str, str]:
    try:
        end, sentence = job.result()
    except Exception as fault:
        raise GraceError(
            f"Slurm job {job.job_id} ended in state {job.state} without a word: what it printed "
            f"stands in {place}. Resume the run and it goes on from its last checkpoint."
        ) from fault
    return str(end), str(sentence)


def _named(name: str) -> str:
    """The name that submitit has for an option: its own, or Slurm's with a prefix."""
    general = ("timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node")
    return name if name in general or name.startswith("slurm_") else f"slurm_{name}"
