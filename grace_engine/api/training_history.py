"""How did each selection train, as far as the runs of the workspace say?"""

from dataclasses import dataclass

from grace_engine import jobs, training
from grace_engine.api.trained import finished_cells, training_plan_of
from grace_engine.jobs import Job
from grace_engine.quantities import counted, percent
from grace_engine.store import Workspace
from grace_engine.training import CellResult, Interval

NOT_TRAINED = "not trained yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class HowTrained:
    """What a run found of a selection: of those that judged it a finished one, by most answers.

    Where none judged it: how the latest run stands.

    Attributes:
        run: Id of the run.
        state: Its state as people read it.
        n_finished: Trainings and evaluations that are finished.
        n_cells: Those that were asked for.
        n_problems: Problems that the subset was judged on.
        n_seeds: Finished trainings of the subset.
        measure: ``accuracy``, or ``pass@k``.
        accuracy: Of the subset; None before it was judged.
        against: The arm that it is held against: ``random``, else ``untrained``; "" for none.
        less: The subset's accuracy less that arm's; None without one.
        evaluates: Whether its trainings are judged.
    """

    run: str
    state: str
    n_finished: int
    n_cells: int
    n_problems: int = 0
    n_seeds: int = 0
    measure: str = "accuracy"
    accuracy: Interval | None = None
    against: str = ""
    less: Interval | None = None
    evaluates: bool = True

    def __str__(self) -> str:
        """For people, as a cell of a table."""
        return ", ".join(filter(None, (self.found, self.judged_on, self.beside)))

    @property
    def stands(self) -> str:
        """How far the run is, as ``cancelled at 2 of 5 trainings``; "" of one that is done."""
        if self.n_finished == self.n_cells:
            return ""
        cells = training.counted_cells(self.n_cells, evaluated=self.evaluates)
        return f"{self.state} at {self.n_finished:,} of {cells}"

    @property
    def found(self) -> str:
        """The measure of the subset; before it was judged how the run stands."""
        if self.accuracy is None:
            return f"{self.state}, {self.n_finished:,} of {self.n_cells:,} finished"
        far = f" ({self.stands})" if self.stands else ""
        return f"{self.measure} {percent(self.accuracy.mean)}{far}"

    @property
    def judged_on(self) -> str:
        """Problems and seeds; "" before it was judged."""
        if self.accuracy is None:
            return ""
        return f"{counted(self.n_problems, 'problem')} × {counted(self.n_seeds, 'seed')}"

    @property
    def beside(self) -> str:
        """The difference to the arm that it is held against; "" without one."""
        if self.less is None:
            return ""
        if self.less.is_nowhere:
            return f"the same on every problem against {self.against}"
        verdict = ", no difference shown" if self.less.is_null else ""
        return f"{self.less.difference} against {self.against}{verdict}"


def how_trained(workspace: Workspace) -> dict[str, HowTrained]:
    """How each selection trained, by its id; selections that were never trained are left out."""
    most: dict[str, _Run] = {}
    for job in jobs.jobs(workspace.root):  # the latest first
        planned = training_plan_of(job.folder) if job.spec.kind == "train" else None
        if planned is None or not planned.selection:
            continue
        run = _Run(
            job=job,
            n_cells=planned.n_cells,
            cells=finished_cells(job.folder),
            evaluates=bool(planned.n_problems),
        )
        known = most.setdefault(planned.selection, run)
        if run.worth > known.worth:
            most[planned.selection] = run
    return {selection: _said_of(run) for selection, run in most.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    job: Job
    n_cells: int
    cells: tuple[CellResult, ...]
    evaluates: bool

    @property
    def worth(self) -> tuple[bool, bool, int]:
        """What has judged goes before what has not, what is finished before what is not."""
        is_done = len(self.cells) == self.n_cells
        return bool(self.n_answers), is_done and bool(self.n_answers), self.n_answers

    @property
    def of_subset(self) -> list[CellResult]:
        """The judged cells of the selection as it is."""
        return [
            one
            for one in self.cells
            if one.cell.arm == "subset" and not one.cell.budget and one.shares
        ]

    @property
    def n_answers(self) -> int:
        """Problems times seeds."""
        return sum(len(one.shares) for one in self.of_subset)


def _said_of(run: _Run) -> HowTrained:
    job, cells, judged = run.job, run.cells, run.of_subset
    arms = {arm.arm: arm for arm in training.arms_of(cells)}
    subset = arms.get("subset")
    against = next((arms[name] for name in ("random", "untrained") if name in arms), None)
    return HowTrained(
        run=job.id,
        state=job.word,
        n_finished=len(cells),
        n_cells=run.n_cells,
        n_problems=len(judged[0].shares) if judged else 0,
        n_seeds=len(judged),
        measure=subset.measure if subset else "accuracy",
        accuracy=subset.accuracy if subset else None,
        against=against.arm if against else "",
        less=against.less if against else None,
        evaluates=run.evaluates,
    )
