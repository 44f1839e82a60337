"""What is there to see of problems and their rollouts, and which of them does a budget take?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from grace_engine import selection, store
from grace_engine.api.annotating import Annotations, annotations
from grace_engine.api.choosing import by_hand_of, save_taken
from grace_engine.config import (
    PROBLEM_STRATEGIES,
    Band,
    Budget,
    CurateConfig,
    ProblemStrategy,
    Weights,
    require_one_of,
)
from grace_engine.errors import InputError, NotFoundError
from grace_engine.policy.advantages import without_gradient
from grace_engine.records import (
    SETS,
    PolicyRun,
    ProblemGradient,
    RolloutGroup,
    RolloutSet,
    Selection,
)
from grace_engine.selection import BY_GRADIENT, ProblemTable
from grace_engine.store import Workspace

_PENDING = "its policy gradient was not computed yet: grace gradients goes on where it stopped"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProblemView:
    """All problems of a rollout set, with their policy gradients where a run has taken them.

    Attributes:
        rollouts: The set.
        run: The run of policy gradients; None where the set alone is looked at.
        table: What strategies rank by, by ascending problem id.
        problems: A row a problem in the same order: ``problem_id``, ``dataset``, ``prompt``,
            ``reference``, ``record_digest``, ``pass_rate``, ``n_rollouts``, ``n_finished``,
            ``n_tokens`` (of all its rollouts), ``tokens_known``, ``is_target`` (whether the target
            set holds the same prompt), ``dot``, ``norm``, ``dot_a``, ``norm_a``,
            ``dot_b``, ``norm_b`` (of two halves of the rollouts, where they were asked),
            ``reason``, ``equal`` (whether all its rewards are) and a column ``label.NAME`` for
            each label.
    """

    rollouts: RolloutSet
    run: PolicyRun | None
    table: ProblemTable
    problems: pd.DataFrame

    @property
    def strategies(self) -> tuple[ProblemStrategy, ...]:
        """Those that what is known of the problems suffices for."""
        fitting: list[ProblemStrategy] = []
        for strategy in PROBLEM_STRATEGIES:
            try:
                self.values(CurateConfig(strategy=strategy))
            except InputError:
                continue
            fitting.append(strategy)
        return tuple(fitting)

    @property
    def tokens_known(self) -> bool:
        """Whether every rollout has its token ids: a server's answers and a file's texts do not."""
        return bool(self.problems["tokens_known"].all()) if len(self.problems) else True

    @property
    def cosines(self) -> np.ndarray:
        """``[N]`` cosine of each policy gradient with the target's mean; NaN where none is."""
        return selection.cosines(self.table.dots, self.table.norms, self.table.target_norm)

    @property
    def id(self) -> str:
        """Of the run, or of the set where there is none."""
        return self.run.id if self.run else self.rollouts.id

    def values(self, config: CurateConfig) -> np.ndarray:
        """``[N]`` the number that the strategy ranks by; NaN where a problem has none.

        Raises:
            InputError: The strategy is one for traces, or needs gradients that are not there.
        """
        require_one_of("Strategy for problems", config.strategy, PROBLEM_STRATEGIES)
        if config.strategy in BY_GRADIENT and self.run is None:
            raise InputError(
                f"Strategy {config.strategy} ranks by policy gradients, and {self.rollouts.id} is "
                f"a set of rollouts: run grace gradients {self.rollouts.id}, then choose with "
                "--run g-…"
            )
        strategy = cast(ProblemStrategy, config.strategy)
        return selection.problem_values(
            self.table,
            strategy,
            band=Band.parse(config.band),
            seed=config.seed,
            zero_without_variance=config.zero_without_variance,
        )


def problem_view(workspace: Workspace, run: str = "latest") -> ProblemView:
    """The problems of a run of policy gradients (``g-…``) or of a set of rollouts (``o-…``).

    ``latest`` is the latest run, or the latest set where no gradient was taken yet.

    Raises:
        NotFoundError: There is no such run or set.
    """
    found = None
    is_set = run.startswith(SETS) or (run == store.LATEST and not store.list_policy_runs(workspace))
    if is_set:
        rollouts = store.get_rollout_set(workspace, run)
    else:
        found = store.get_policy_run(workspace, run)
        rollouts = store.get_rollout_set(workspace, found.set_id)
    groups = sorted(store.reward_groups(workspace, rollouts.id), key=lambda one: one.problem_id)
    gradients = store.read_gradients(workspace, found.id) if found else []
    by_id = {one.problem_id: one for one in gradients}
    reasons = [_reason(one, by_id.get(one.problem_id)) for one in groups]
    targets = _prompts_of(workspace, found.target_id) if found else frozenset()
    sampled = rollouts.source == "sampled" and not rollouts.endpoint
    frame = _frame(groups, by_id, reasons, targets, sampled=sampled)
    return ProblemView(
        rollouts=rollouts,
        run=found,
        table=_table(frame, by_id, found),
        problems=frame,
    )


def curate_problems(
    workspace: Workspace,
    config: CurateConfig,
    run: str = "latest",
    *,
    name: str = "",
    parent: str = "",
) -> Selection:
    """Choose problems from stored rewards and gradients alone, and save the choice.

    A budget of tokens counts those of all rollouts of a problem.

    Raises:
        InputError: A strategy, budget or column that cannot be used with problems.
        NotFoundError: There is no such run or set, or it holds no problem.
    """
    view = problem_view(workspace, run)
    if view.problems.empty:
        raise NotFoundError(f"The set of rollouts {view.rollouts.id} holds no problem yet.")
    said = annotations(workspace) if config.overrides else None
    candidates = problem_candidates(view, config, said)
    taken = ranked_problems(view, config, candidates).take(Budget.parse(config.budget))
    return save_taken(
        workspace,
        candidates,
        taken,
        config,
        run_id=view.id,
        weights=Weights(),
        said=said,
        name=name,
        parent=parent,
    )


def live_problem_choice(
    view: ProblemView, config: CurateConfig, said: Annotations | None
) -> selection.Taken:
    """What ``curate_problems`` would take: nothing is stored.

    Raises:
        InputError: As ``curate_problems``.
    """
    candidates = problem_candidates(view, config, said)
    return ranked_problems(view, config, candidates).take(Budget.parse(config.budget))


def problem_candidates(
    view: ProblemView, config: CurateConfig, said: Annotations | None
) -> selection.Candidates:
    """Problems with what they are ranked by, why some have no value, and what curators say.

    Raises:
        InputError: Duplicates or a cap per prompt, which problems do not have, or a budget of
            tokens that are not known.
    """
    if config.without_duplicates or config.cap_per_prompt:
        raise InputError(
            "Problems of one set are all different already: leave out --without-duplicates and "
            "--cap, which are for traces."
        )
    if Budget.parse(config.budget).kind == "tokens" and not view.tokens_known:
        raise InputError(
            f"The tokens of the rollouts of {view.rollouts.name} are not known, for they came as "
            "texts: give the budget in problems or as a share, such as 20%."
        )
    ids = view.table.problem_ids
    keep, drop, by_whom = by_hand_of(ids, said, config)
    return selection.Candidates(
        trace_ids=ids,
        record_digests=view.problems["record_digest"].to_numpy(dtype=object),
        values=view.values(config),
        n_tokens=view.problems["n_tokens"].to_numpy(dtype=np.int64),
        no_value="has no rewards to go by",
        no_value_of=_without_value(view, config),
        keep=keep,
        drop=drop,
        said=by_whom,
        what="problems",
    )


def ranked_problems(
    view: ProblemView, config: CurateConfig, candidates: selection.Candidates
) -> selection.Ranked:
    """A view's candidates in rank order, ready for any budget.

    Raises:
        InputError: A column to split the budget over that is not there.
    """
    strata = None
    if config.per:
        columns = ["dataset", *(c for c in view.problems.columns if c.startswith("label."))]
        if config.per not in columns:
            raise InputError(
                f"The problems of {view.id} have no column {config.per!r}: use one of "
                f"{', '.join(columns)}."
            )
        strata = selection.Strata.of(view.problems[config.per])
    return selection.Ranked(candidates, strata=strata)


def _without_value(view: ProblemView, config: CurateConfig) -> dict[str, str]:
    """Why a problem has no value under this strategy, by id."""
    if config.strategy in BY_GRADIENT:
        reasons = view.table.reasons
        return {
            str(name): str(reason)
            for name, reason in zip(view.table.problem_ids, reasons, strict=True)
            if reason
        }
    if config.strategy != "band":
        return {}
    return {
        str(name): f"its pass rate {rate:.2f} lies outside {config.band}"
        for name, rate in zip(view.table.problem_ids, view.table.pass_rates, strict=True)
        if not np.isnan(rate)
    }


def _reason(group: RolloutGroup, gradient: ProblemGradient | None) -> str:
    """Why a problem has no gradient, as a sentence; "" where it has one."""
    if gradient is None:
        return without_gradient(group)[1] or _PENDING
    return gradient.detail if gradient.reason else ""


def _prompts_of(workspace: Workspace, set_id: str) -> frozenset[str]:
    """The prompts of a target set; none without one, or where it was deleted."""
    if not set_id:
        return frozenset()
    return frozenset(group.prompt for group in store.reward_groups(workspace, set_id))


def _frame(
    groups: Sequence[RolloutGroup],
    gradients: dict[str, ProblemGradient],
    reasons: Sequence[str],
    targets: frozenset[str],
    *,
    sampled: bool,
) -> pd.DataFrame:
    rows = []
    for group, reason in zip(groups, reasons, strict=True):
        gradient = gradients.get(group.problem_id)
        has_one = gradient is not None and not gradient.reason
        dot = gradient.dot if gradient is not None and has_one else None
        rows.append(
            {
                "problem_id": group.problem_id,
                "dataset": group.dataset,
                "prompt": group.prompt,
                "reference": group.reference,
                "record_digest": group.record_digest,
                "pass_rate": np.nan if group.pass_rate is None else group.pass_rate,
                "n_rollouts": len(group.rollouts),
                "n_finished": sum(one.finished for one in group.rollouts),
                "n_tokens": sum(len(one.token_ids) for one in group.rollouts),
                "tokens_known": sampled or all(one.token_ids for one in group.rollouts),
                "is_target": group.prompt in targets,
                "dot": np.nan if dot is None else dot,
                "norm": gradient.norm if gradient is not None and has_one else np.nan,
                **_halves(gradient),
                "reason": reason,
                "equal": without_gradient(group)[0] == "no-variance",
            }
        )
    frame = pd.DataFrame(rows)
    labels = pd.DataFrame([dict(group.labels) for group in groups]).add_prefix("label.")
    return pd.concat([frame, labels.set_axis(frame.index)], axis=1) if len(frame) else frame


def _halves(gradient: ProblemGradient | None) -> dict[str, float]:
    numbers = gradient.halves if gradient is not None and gradient.halves else (np.nan,) * 4
    return dict(zip(("dot_a", "norm_a", "dot_b", "norm_b"), numbers, strict=True))


def _table(
    frame: pd.DataFrame, gradients: dict[str, ProblemGradient], run: PolicyRun | None
) -> ProblemTable:
    if frame.empty:
        frame = pd.DataFrame(columns=["problem_id", "pass_rate", "dot", "norm", "reason", "equal"])
    width = max((len(one.sketch) for one in gradients.values()), default=0)
    sketches = np.zeros((len(frame), width), dtype=np.float32)
    for row, name in enumerate(frame["problem_id"]):
        if name in gradients and gradients[name].sketch:
            sketches[row] = gradients[name].sketch
    norm = run.target_norm if run is not None else None
    return ProblemTable(
        problem_ids=frame["problem_id"].to_numpy(dtype=object),
        pass_rates=frame["pass_rate"].to_numpy(dtype=np.float64),
        dots=frame["dot"].to_numpy(dtype=np.float64),
        norms=frame["norm"].to_numpy(dtype=np.float64),
        sketches=sketches,
        target_norm=float("nan") if norm is None else norm,
        reasons=frame["reason"].to_numpy(dtype=object),
        equal=frame["equal"].to_numpy(dtype=bool),
    )
