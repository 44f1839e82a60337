"""How do problems get rollouts, and rollouts policy gradients?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from grace_engine import ingest as reading, store
from grace_engine.api.scoring import default_model
from grace_engine.config import require_name
from grace_engine.digests import file_digest, text_digest
from grace_engine.errors import InputError, ModelError, NotFoundError, SchemaError
from grace_engine.jobs import having_device
from grace_engine.models.load import device_name
from grace_engine.policy.models import find_policy
from grace_engine.policy.rolling import RolloutPlan, RolloutReport, plan_rollouts, run_rollouts
from grace_engine.policy.running import (
    GradientPlan,
    GradientReport,
    plan_gradients,
    run_gradients,
)
from grace_engine.policy.settings import GradientSettings, ModelSettings, RolloutSettings
from grace_engine.progress import Progress, Silent
from grace_engine.records import SETS, Problem, Reject, RolloutSet, Trace
from grace_engine.store import Workspace

__all__ = [
    "GradientReport",
    "GradientSettings",
    "IngestedRollouts",
    "RolloutSettings",
    "gradients",
    "ingest_rollouts",
    "plan_gradient",
    "plan_rollout",
    "rollout",
    "said_of_model",
]

Settings = TypeVar("Settings", bound=ModelSettings)

# Of a trace, not of the problem that it solves.
_OF_TRACES = ("is_correct", "kind", "reward", "first_wrong_step")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestedRollouts:
    """What became of a file of rollouts.

    Attributes:
        rollouts: The set that holds them.
        n_added: Problems that it did not hold before.
        n_present: Problems that it held.
        n_joined: Problems whose rollouts stood in more than one group; they are one now.
        rejects: Rows that cannot be used, with the reason.
    """

    rollouts: RolloutSet
    n_added: int
    n_present: int
    n_joined: int
    rejects: tuple[Reject, ...]


def rollout(
    workspace: Workspace,
    problems: str,
    settings: RolloutSettings | None = None,
    progress: Progress | None = None,
    *,
    planned: RolloutPlan | None = None,
) -> RolloutReport:
    """Have a model answer problems several times, and reward the answers.

    What was asked before is not asked again; a run that was killed goes on, to the same answers.

    Args:
        workspace: Where the problems are, and rollouts go.
        problems: A dataset of the workspace, or a file.
        settings: How they are asked.
        progress: Told how far it is.
        planned: What ``plan_rollout`` gave.

    Raises:
        NotFoundError: There is no such dataset or file, or it poses no problem.
        ModelError, InputError, ResourceError: As ``run_rollouts``.
    """
    told = progress or Silent()
    plan = planned or plan_rollout(workspace, problems, settings)
    if not plan.n_pending or plan.policy is None:
        return run_rollouts(workspace, plan, told)
    what = f"rollouts in the foreground of {workspace.root}"
    with having_device(device_name(plan.policy.device), what, told.say) as waited:
        if waited:  # whoever had it may have asked some of these
            plan = plan_rollout(workspace, problems, plan.settings)
        return run_rollouts(workspace, plan, told)


def plan_rollout(
    workspace: Workspace, problems: str, settings: RolloutSettings | None = None
) -> RolloutPlan:
    """Find what ``rollout`` would do, without loading weights."""
    settings = _with_model(settings or RolloutSettings())
    named, found = _problems_of(workspace, problems)
    policy = None if settings.endpoint else find_policy(workspace, settings)
    return plan_rollouts(workspace, named, found, settings, policy)


def gradients(
    workspace: Workspace,
    rollouts: str = "latest",
    settings: GradientSettings | None = None,
    progress: Progress | None = None,
    *,
    planned: GradientPlan | None = None,
) -> GradientReport:
    """Take policy gradients of problems, against a target set where one is named.

    Args:
        workspace: Where the rollouts are.
        rollouts: Their set: id, name or ``latest``.
        settings: Which gradients are taken, of which model: that of the rollouts by default.
        progress: Told how far it is.
        planned: What ``plan_gradient`` gave.

    Raises:
        NotFoundError: There is no such set.
        InputError: The target set, or the candidates, have no gradient.
        ModelError, ResourceError: As ``run_gradients``.
    """
    told = progress or Silent()
    plan = planned or plan_gradient(workspace, rollouts, settings)
    if not plan.pending:
        return run_gradients(workspace, plan, told)
    what = f"policy gradients in the foreground of {workspace.root}"
    with having_device(device_name(plan.policy.device), what, told.say) as waited:
        if waited:
            plan = plan_gradient(workspace, rollouts, plan.settings)
        return run_gradients(workspace, plan, told)


def plan_gradient(
    workspace: Workspace, rollouts: str = "latest", settings: GradientSettings | None = None
) -> GradientPlan:
    """Find what ``gradients`` would do, without loading weights."""
    settings = settings or GradientSettings()
    found = store.get_rollout_set(workspace, rollouts)
    if not settings.model and found.model:
        settings = replace(
            settings, model=found.model, revision=found.revision, adapter=found.adapter
        )
    settings = _with_model(settings)
    try:
        policy = find_policy(workspace, settings)
    except ModelError as fault:
        if not found.endpoint or settings.model != found.model:
            raise
        raise ModelError(
            f"{fault} The rollouts were asked of {found.endpoint} under that name: name the folder "
            "or hub id of the same policy with --model."
        ) from fault
    return plan_gradients(workspace, found, settings, policy)


def said_of_model(workspace: Workspace, rollouts: str, settings: GradientSettings) -> str:
    """That the shipped model stands in where rollouts do not say who made them; "" else."""
    found = store.get_rollout_set(workspace, rollouts)
    if settings.model or found.model:
        return ""
    return (
        f"The rollouts of {found.name} do not say which model made them: gradients are those of "
        f"the shipped {default_model().name}. Name the policy that is to be trained with --model."
    )


def ingest_rollouts(workspace: Workspace, path: Path | str, name: str = "") -> IngestedRollouts:
    """Take rollouts that were made and rewarded elsewhere, a rollout or a group a row.

    The same file under the same name is the same set: nothing enters twice.

    Raises:
        ReadError: The file cannot be read.
        InputError: No row of it can be used, or the name cannot.
    """
    path = Path(path)
    name = name or path.name.partition(".")[0]
    require_name("Rollouts", name)
    found = reading.rollouts_of(reading.read_rows(path), dataset=name)
    rollouts = RolloutSet(
        id=SETS + text_digest(f"{name}\0{file_digest(path)}", size=4),
        name=name,
        source="file",
        path=str(path.resolve()),
    )
    if not found.groups:
        first = found.rejects[0] if found.rejects else None
        why = f"line {first.line}: {first.reason}, {first.detail}" if first else "it has no row"
        raise InputError(f"{path} holds no rollouts that can be used ({why}).")
    known = store.reached_problems(workspace, rollouts.id)
    store.upsert_rollout_set(workspace, rollouts)
    store.add_groups(workspace, rollouts.id, found.groups)
    store.replace_rejects(workspace, rollouts, found.rejects)
    n_added = sum(group.problem_id not in known for group in found.groups)
    return IngestedRollouts(
        rollouts=store.get_rollout_set(workspace, rollouts.id),
        n_added=n_added,
        n_present=len(found.groups) - n_added,
        n_joined=found.n_joined,
        rejects=tuple(found.rejects),
    )


def _with_model(settings: Settings) -> Settings:
    return settings if settings.model else replace(settings, model=str(default_model()))


def _problems_of(workspace: Workspace, name: str) -> tuple[str, list[Problem]]:
    """What a dataset or file is called, and the problems that it poses, repeats too."""
    path = Path(name)
    if path.is_file():
        called = path.name.partition(".")[0]
        items = reading.traces_of(path, dataset=called, segmenter=reading.parse_segmenter("auto"))
        try:
            found = [_posed(item) for item in items if isinstance(item, (Trace, Problem))]
        except SchemaError as error:
            raise SchemaError(
                f"{error} Only grace ingest takes these: ingest the file, then name its dataset "
                "here."
            ) from error
    else:
        called = name
        found = [_posed(item) for item in _of_dataset(workspace, name)]
    if not found:
        raise NotFoundError(f"{name} poses no problem that a model could be asked.")
    return called, found


def _of_dataset(workspace: Workspace, name: str) -> Iterator[Trace | Problem]:
    yield from (problem for problem, _ in store.list_problems(workspace, [name]))
    for batch in store.iter_traces(workspace, [name]):
        yield from batch


def _posed(item: Trace | Problem) -> Problem:
    """The problem that a trace solves; it has the id that it would have without a trace."""
    if isinstance(item, Problem):
        return item
    draft = reading.ProblemDraft(
        prompt=item.prompt,
        reference=item.reference,
        labels={name: one for name, one in item.labels.items() if name not in _OF_TRACES},
        images=item.images,
    )
    return reading.build_problem(draft, dataset=item.dataset, record=item.record)
