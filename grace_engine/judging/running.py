"""How are many steps judged at once so that nothing is lost or asked twice?"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from grace_engine import store
from grace_engine.endpoint import Endpoint
from grace_engine.errors import GraceError, InputError, ResourceError
from grace_engine.judging.asking import INVALID, UNANSWERED, UNFINISHED, Asker, Task
from grace_engine.judging.pacing import Budget, EndedError, Pace
from grace_engine.judging.planning import JudgePlan, places_of, tasks_of
from grace_engine.progress import Progress
from grace_engine.quantities import counted
from grace_engine.records import Judge, JudgedPlace, Judgement
from grace_engine.store import Workspace

# Judgements are committed at least that often, what was spent is told so often.
_COMMIT_SECONDS, _TOLD_SECONDS = 1.0, 15.0
# So many questions in a row without a single use are no chance: the server or the model is wrong.
_HOPELESS = 20
_BATCH = 64
# Seconds that threads have to end once what they wait for was cut off.
_LONGEST_END = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeReport:
    """What judging did.

    Attributes:
        judge: The judge with all that it has said so far.
        what: The dataset or selection.
        trace_ids: The traces that were to be judged.
        n_steps: Their steps.
        n_judged: Steps that were asked now and have all that was wanted.
        n_before: Steps that were done before.
        n_failed: Steps of which something came to nothing now.
        by_reason: ``n_failed`` by reason code.
        n_left: Steps that were not reached.
        stopped: ``budget`` where the limit ended it; else "".
        n_requests: Requests of now that came back and are stored.
        n_sent: Requests that went out now, every try counted.
        n_answered: Those of them that brought an answer.
        n_lost: Those that brought a fault, or nothing.
        tokens_in: Tokens that the judge read now.
        tokens_out: Tokens that it wrote now.
        n_estimated: Requests of now whose tokens the server did not say.
        cost: Of now; None without prices.
        seconds: Time that it took.
    """

    judge: Judge
    what: str
    trace_ids: tuple[str, ...] = field(repr=False)
    n_steps: int
    n_judged: int
    n_before: int
    n_failed: int
    by_reason: Mapping[str, int]
    n_left: int
    stopped: str
    n_requests: int
    n_sent: int
    n_answered: int
    n_lost: int
    tokens_in: int
    tokens_out: int
    n_estimated: int
    cost: float | None
    seconds: float

    @property
    def requests_text(self) -> str:
        """``129 requests sent, 111 answered, 18 failed``."""
        sent = counted(self.n_sent, "request")
        return f"{sent} sent, {self.n_answered:,} answered, {self.n_lost:,} failed"


def run_judging(workspace: Workspace, plan: JudgePlan, progress: Progress) -> JudgeReport:
    """Ask what a plan found pending, many at once, committing as it goes.

    Killed or interrupted at any moment, the same call goes on where it stopped: at most what was
    under way is asked a second time.

    Raises:
        InputError: The server refuses whoever asks, or everything that it is asked.
        ResourceError: It does not answer.
    """
    began = time.monotonic()
    store.upsert_judge(workspace, plan.judge)
    run = _Run(workspace, plan, progress)
    run.link()
    if plan.n_pending:
        run.carry_out()
    cost = plan.settings.cost(run.tokens_in, run.tokens_out)
    return JudgeReport(
        judge=store.get_judge(workspace, plan.judge.id),
        what=plan.what,
        trace_ids=plan.trace_ids,
        n_steps=plan.n_steps,
        n_judged=run.n_judged,
        n_before=plan.n_done,
        n_failed=run.reasons.total(),
        by_reason=dict(run.reasons.most_common()),
        n_left=plan.n_pending - run.n_judged - run.reasons.total(),
        stopped="budget" if run.budget.is_spent else "",
        n_requests=run.n_requests,
        n_sent=run.traffic.n_sent,
        n_answered=run.traffic.n_answered,
        n_lost=run.traffic.n_failed,
        tokens_in=run.tokens_in,
        tokens_out=run.tokens_out,
        n_estimated=run.n_estimated,
        cost=cost,
        seconds=time.monotonic() - began,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """A thread has done with a step: as far as it came, or with a fault that ends the run."""

    task: Task
    is_whole: bool = True
    fault: BaseException | None = None


_Told: TypeAlias = Judgement | _End


def _serve(asker: Asker, work: "queue.Queue[Task | None]", told: "queue.Queue[_Told]") -> None:
    """What a thread does: a step after another."""
    while (task := work.get()) is not None:
        try:
            asker.ask(task, told.put)
            told.put(_End(task=task))
        except EndedError as end:
            if end.known is not None:
                told.put(end.known)
            told.put(_End(task=task, is_whole=False, fault=end.fault))
        except BaseException as fault:  # noqa: BLE001 - it is raised where the run is
            told.put(_End(task=task, is_whole=False, fault=fault))


class _Run:
    """One run: threads that ask, and one that hands out, collects and stores."""

    def __init__(self, workspace: Workspace, plan: JudgePlan, progress: Progress) -> None:
        self._workspace, self._plan, self._progress = workspace, plan, progress
        settings = plan.settings
        self.budget = Budget(settings, plan.tokens_before, plan.cost_before)
        self._pace = Pace(settings.requests_per_minute, progress)
        endpoint = Endpoint(
            url=settings.endpoint,
            key_env=settings.key_env,
            timeout=settings.timeout,
            pacing=self._pace,
        )
        self._asker, self.traffic = Asker(endpoint, settings, self.budget), endpoint.traffic
        self._threads: list[threading.Thread] = []
        self._work: queue.Queue[Task | None] = queue.Queue()
        self._told: queue.Queue[_Told] = queue.Queue()
        self._kept: list[Judgement] = []
        self._doubtful: list[Judgement] = []
        self._doubtful_ends: list[_End] = []
        self._failed: dict[str, str] = {}
        self._in_a_row = 0
        self._stored_at = self._said_at = time.monotonic()
        self.reasons: Counter[str] = Counter()
        self.n_judged = self.n_requests = self.tokens_in = self.tokens_out = self.n_estimated = 0
        self._times: Counter[str] = Counter()
        self._ended: set[str] = set()

    def link(self) -> None:
        """Store where the steps of the drawn traces stand, so that what is known shows there."""
        plan = self._plan
        for batch in store.iter_traces(self._workspace, ids=plan.trace_ids, batch=_BATCH * 8):
            places: list[JudgedPlace] = []
            for trace in batch:
                places += places_of(plan.judge, trace, plan.settings)
            store.add_judged_places(self._workspace, plan.judge.id, places)

    def carry_out(self) -> None:
        """Ask until all is done, the budget is spent, or a fault ends it."""
        settings = self._plan.settings
        self._progress.say(f"Asking {settings.model} at {settings.endpoint}.")
        self._progress.begin("Judging", self._plan.n_steps, "steps", done=self._plan.n_done)
        for number in range(min(settings.concurrency, self._plan.n_pending)):
            # Daemons: a server that hangs must not hold up the end of the process.
            thread = threading.Thread(
                target=_serve,
                args=(self._asker, self._work, self._told),
                daemon=True,
                name=f"judge-{number}",
            )
            self._threads.append(thread)
            thread.start()
        try:
            self._hand_out()
        finally:
            self._end()
        if self._doubtful:
            # Whatever else was asked came back, or nothing was: only the former is theirs alone.
            if not self.n_requests:
                raise _hopeless(self._doubtful)
            self._settle()
            self._commit()

    def _end(self) -> None:
        """Keep what came back, and end the threads: none may hold a database at the process's end.

        What is under way is cut off. That it came to nothing is no failure of its step.
        """
        self._pace.over.set()
        for _ in self._threads:
            self._work.put(None)
        self._drain()
        self._tell_spent()
        self.traffic.end()
        until = time.monotonic() + _LONGEST_END
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._drain()

    def _drain(self) -> None:
        while not self._told.empty():
            told = self._told.get()
            if isinstance(told, _End) or told.failure != UNANSWERED:
                self._take(told, may_raise=False)
        self._commit()

    def _hand_out(self) -> None:
        tasks = self._tasks()
        n_out, is_over = 0, False
        while True:
            while not is_over and n_out < 2 * self._plan.settings.concurrency:
                task = None if self.budget.is_spent else next(tasks, None)
                if task is None:
                    is_over = True
                else:
                    self._work.put(task)
                    n_out += 1
            if not n_out:
                return
            try:
                told = self._told.get(timeout=0.2)
            except queue.Empty:
                self._keep_up()
                continue
            n_out -= isinstance(told, _End)
            self._take(told)
            self._keep_up()

    def _tasks(self) -> Iterator[Task]:
        """Steps to ask, in the order of the draw; those that read alike once, and counted."""
        plan = self._plan
        known = store.judgements(self._workspace, plan.judge.id)
        wanted = [name for name in plan.trace_ids if name in plan.pending]
        for first in range(0, len(wanted), _BATCH):
            part = wanted[first : first + _BATCH]
            by_id = {
                trace.id: trace
                for batch in store.iter_traces(self._workspace, ids=part)
                for trace in batch
            }
            for task in tasks_of(plan, [by_id[name] for name in part if name in by_id], known):
                if task.step_key in self._ended:
                    self._count(task.step_key, 1)
                    continue
                self._times[task.step_key] += 1
                if self._times[task.step_key] == 1:
                    yield task

    def _take(self, told: _Told, *, may_raise: bool = True) -> None:
        if isinstance(told, _End):
            self._finish(told)
            if told.fault is not None and may_raise:
                raise told.fault
            return
        self.n_requests += told.n_requests
        self.tokens_in += told.tokens_in
        self.tokens_out += told.tokens_out
        self.n_estimated += told.n_estimated
        self._progress.advance(0, tokens=told.tokens_in + told.tokens_out)
        if told.failure == UNFINISHED:
            self._kept.append(told)
            return
        if not told.failure:
            self._in_a_row = 0
            self._settle()
            self._kept.append(told)
            return
        self._in_a_row += 1
        self._failed.setdefault(told.step_key, told.failure)
        # What the server refuses or fails at may be the server's fault: it is stored as the step's
        # once something else came back.
        (self._kept if told.failure == INVALID else self._doubtful).append(told)
        if self._in_a_row >= _HOPELESS and may_raise:
            raise _hopeless(self._doubtful or [told])

    def _settle(self) -> None:
        self._kept += self._doubtful
        ends, self._doubtful, self._doubtful_ends = self._doubtful_ends, [], []
        for end in ends:
            self._finish(end)

    def _finish(self, end: _End) -> None:
        """Count a step, and all that read alike, as done, unless it may be the server's failure."""
        if any(one.step_key == end.task.step_key for one in self._doubtful):
            self._doubtful_ends.append(end)
        elif end.is_whole:
            self._ended.add(end.task.step_key)
            self._count(end.task.step_key, self._times[end.task.step_key])

    def _count(self, step_key: str, n: int) -> None:
        failure = self._failed.get(step_key, "")
        if failure:
            self.reasons[failure] += n
            self._progress.fail(failure, n)
        else:
            self.n_judged += n
        self._progress.advance(n)

    def _keep_up(self) -> None:
        now = time.monotonic()
        if now - self._stored_at > _COMMIT_SECONDS:
            self._commit()
        if now - self._said_at > _TOLD_SECONDS:
            self._tell_spent()

    def _commit(self) -> None:
        if self._kept:
            store.add_judgements(self._workspace, self._plan.judge.id, self._kept)
            self._kept = []
        self._stored_at = time.monotonic()

    def _tell_spent(self) -> None:
        self._said_at = time.monotonic()
        cost = self._plan.settings.cost(self.tokens_in, self.tokens_out)
        sent, answered, failed = (
            getattr(self.traffic, name) for name in ("n_sent", "n_answered", "n_failed")
        )
        self._progress.say(
            f"So far {counted(sent, 'request')} sent, {answered:,} answered, {failed:,} failed, "
            f"{sent - answered - failed:,} under way; {self.tokens_in:,} tokens read and "
            f"{self.tokens_out:,} written" + (f", cost {cost:.4g}." if cost is not None else ".")
        )


def _hopeless(failed: list[Judgement]) -> GraceError:
    """Why a run in which nothing is of use ends."""
    last = failed[-1]
    if last.failure == UNANSWERED:
        return ResourceError(last.detail)
    what = "no use was any of the last replies" if last.failure == INVALID else "all is refused"
    return InputError(
        f"The judge was given up: {what} ({last.detail}). Look at --judge-model, --reply-tokens "
        "and --extra; what was finished is kept, and the same command goes on."
    )
