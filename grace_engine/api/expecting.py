"""How long will a training take, at the pace of an earlier one of the same model?"""

import statistics
from dataclasses import dataclass
from pathlib import Path

from grace_engine import jobs
from grace_engine.api.running import device_of
from grace_engine.api.sample import named_or_shipped
from grace_engine.api.trained import finished_cells, training_cells, training_metrics
from grace_engine.api.training import TrainPlan, examples_of_cell
from grace_engine.jobs import Job
from grace_engine.quantities import duration
from grace_engine.store import Workspace

# Steps with a known pace that an earlier training needs.
_FEWEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTime:
    """What a training will take.

    Attributes:
        seconds: Of all cells; None where no earlier training tells.
        run: The earlier run; "" for none.
        rate: Tokens a second that it trained with.
    """

    seconds: float | None = None
    run: str = ""
    rate: float = 0.0

    def __str__(self) -> str:
        """For people."""
        if self.seconds is None:
            return "told from the first steps, once it runs"
        return (
            f"about {duration(self.seconds)}, at the pace of {self.run} "
            f"({self.rate:,.0f} tokens a second)"
        )


def expected_time(workspace: Workspace, plan: TrainPlan) -> ExpectedTime:
    """The pace of the latest run that trained the same model in the same way, on this work."""
    for job in jobs.jobs(workspace.root):
        if job.spec.kind == "train" and _is_alike(job, plan) and (rate := _rate(job)):
            tokens = sum(
                len(one.token_ids) for cell in plan.cells for one in examples_of_cell(plan, cell)
            )
            training = plan.request.settings.epochs * tokens / rate
            judging = _seconds_a_problem(job) * len(plan.problems) * len(plan.cells)
            return ExpectedTime(seconds=training + judging, run=job.id, rate=rate)
    return ExpectedTime()


def _is_alike(job: Job, plan: TrainPlan) -> bool:
    """Whether what decides the time of a token was the same."""
    ours, theirs = plan.request.settings.document(), job.spec.settings.get("settings", {})
    names = ("revision", "lora", "dtype", "batch_size", "gradient_checkpointing")
    if any(ours[name] != theirs.get(name) for name in names):
        return False
    if job.spec.settings.get("executor", "local") != plan.request.executor:
        return False
    if theirs.get("device") != ours["device"] and job.spec.device != device_of(ours["device"]):
        return False
    return _folder_or_id(ours["model"]) == _folder_or_id(theirs.get("model", ""))


def _folder_or_id(model: str) -> Path | str:
    """What a model's name means, without asking the hub: one folder may be named in many ways."""
    folder = Path(named_or_shipped(model)).expanduser()
    return folder.resolve() if folder.is_dir() else model


def _rate(job: Job) -> float | None:
    """Tokens a second of the cell that trained last; None of too few steps."""
    for cell in reversed(training_cells(job.folder)):
        lines = training_metrics(job.folder, cell)
        found = [line["tokens_per_second"] for line in lines if line["tokens_per_second"]]
        if len(found) >= _FEWEST:
            return float(statistics.median(found))
    return None


def _seconds_a_problem(job: Job) -> float:
    cells = [one for one in finished_cells(job.folder) if one.shares and one.evaluation_seconds]
    if not cells:
        return 0.0
    return statistics.mean(one.evaluation_seconds / len(one.shares) for one in cells)
