"""How did each selection train, as far as the runs of the workspace say?"""

from dataclasses import dataclass

from grace_engine import jobs, training
from grace_engine.api.trained import finished_cells, training_plan_of
from grace_engine.jobs import Job
from grace_engine.store import Workspace
from grace_engine.training import Interval

NOT_TRAINED = "not trained yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class HowTrained:
    """What the latest run that judged a selection found; without one, how the latest run stands.

    Attributes:
        run: Id of the run.
        state: Its state as people read it.
        n_finished: Trainings and evaluations that are finished.
        n_cells: Those that were asked for.
        measure: ``accuracy``, or ``pass@k``.
        accuracy: Of the subset; None before it was judged.
        against: The arm that it is held against: ``random``, else ``untrained``; "" for none.
        less: The subset's accuracy less that arm's; None without one.
    """

    run: str
    state: str
    n_finished: int
    n_cells: int
    measure: str = "accuracy"
    accuracy: Interval | None = None
    against: str = ""
    less: Interval | None = None

    def __str__(self) -> str:
        """For people, as a cell of a table."""
        if self.accuracy is None:
            return f"{self.state}, {self.n_finished:,} of {self.n_cells:,} finished"
        text = f"{self.measure} {self.accuracy.mean:.1%}"
        if self.less is None:
            return text
        verdict = ", no difference shown" if self.less.is_null else ""
        return (
            f"{text}, {self.less.mean:+.1%} ({self.less.low:+.1%} – {self.less.high:+.1%}) against "
            f"{self.against}{verdict}"
        )


def how_trained(workspace: Workspace) -> dict[str, HowTrained]:
    """How each selection trained, by its id; selections that were never trained are left out."""
    found: dict[str, HowTrained] = {}
    for job in jobs.jobs(workspace.root):  # the latest first
        planned = training_plan_of(job.folder) if job.spec.kind == "train" else None
        if planned is None or not planned.selection:
            continue
        known = found.get(planned.selection)
        if known is None or known.accuracy is None:
            said = _of_run(job, planned.n_cells)
            if known is None or said.accuracy is not None:
                found[planned.selection] = said
    return found


def _of_run(job: Job, n_cells: int) -> HowTrained:
    cells = finished_cells(job.folder)
    arms = {arm.arm: arm for arm in training.arms_of(cells)}
    subset = arms.get("subset")
    against = next((arms[name] for name in ("random", "untrained") if name in arms), None)
    return HowTrained(
        run=job.id,
        state=job.word,
        n_finished=len(cells),
        n_cells=n_cells,
        measure=subset.measure if subset else "accuracy",
        accuracy=subset.accuracy if subset else None,
        against=against.arm if against else "",
        less=against.less if against else None,
    )
