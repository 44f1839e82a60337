"""Why is a problem in or out, what does each budget buy, and how do methods and scores differ?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from grace_engine import selection
from grace_engine.api.annotating import Annotations
from grace_engine.api.comparing import curve_of
from grace_engine.api.explaining import index_of, smallest_budget
from grace_engine.api.problems import (
    ProblemView,
    live_problem_choice,
    problem_candidates,
    ranked_problems,
)
from grace_engine.config import Budget, CurateConfig
from grace_engine.selection import Taken

_RANKED_BY = {
    "gradalign": "the cosine of its policy gradient with the target's mean gradient",
    "gradalign-inner": "the inner product of its policy gradient with the target's mean gradient",
    "learnalign": "its learnability p(1 − p) and its alignment with the other problems",
    "align": "its alignment with the other problems",
    "accgreedy": "how near its pass rate is to one half",
    "band": "a number drawn from the seed and its id, inside the band of pass rates",
    "random": "a number drawn from the seed and its id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyProblem:
    """What made a problem's value, and the budget at which it would change sides.

    Attributes:
        problem_id: The problem.
        strategy: What problems were ranked by.
        ranked_by: The same for a person to read.
        value: Its value; None where it has none.
        pass_rate: Its mean reward; None without rewards.
        n_rollouts: Its rollouts.
        cosine: Of its policy gradient with the target's mean; None where there is none.
        norm: Length of its policy gradient; None where it has none.
        rank: 1-based place among all problems.
        n_problems: How many those are.
        stratum: Its stratum; "" where the budget holds over all.
        place: 1-based place in its stratum.
        selected: Whether it is in.
        reason: Why, for a person to read.
        cut: Lowest value that was taken in its stratum, kept problems aside; None without one.
        margin: Value minus cut; None where either is missing.
        is_target: Whether the target set holds the same prompt: its own gradient is part of ḡ then.
        needed_budget: The smallest budget, as ``--budget`` reads it, at which it is in; None where
            no budget takes it, or a curator decides.
    """

    problem_id: str
    strategy: str
    ranked_by: str
    value: float | None
    pass_rate: float | None
    n_rollouts: int
    cosine: float | None
    norm: float | None
    rank: int
    n_problems: int
    stratum: str
    place: int
    selected: bool
    reason: str
    cut: float | None
    margin: float | None
    needed_budget: str | None
    is_target: bool = False

    @property
    def needed_problems(self) -> int | None:
        """How many problems a needed share of all comes to; None of other budgets and in strata."""
        if self.needed_budget is None or self.stratum:
            return None
        needed = Budget.parse(self.needed_budget)
        return math.ceil(needed.amount * self.n_problems) if needed.kind == "fraction" else None

    def as_json(self) -> dict[str, Any]:
        """The document of ``grace why --json``."""
        return {name: getattr(self, name) for name in self.__slots__}


def why_problem(
    view: ProblemView, config: CurateConfig, said: Annotations | None, problem_id: str
) -> WhyProblem:
    """Explain what ``live_problem_choice`` decides on one problem.

    Args:
        view: The problems.
        config: How they are chosen.
        said: What curators keep and drop; None for nothing.
        problem_id: The problem, or a unique beginning of its id.

    Raises:
        InputError: Several problems begin so; or as ``curate_problems``.
        NotFoundError: There is no such problem.
    """
    candidates = problem_candidates(view, config, said)
    in_order = ranked_problems(view, config, candidates)
    taken = in_order.take(Budget.parse(config.budget))
    index = index_of(
        view.table.problem_ids.tolist(),
        problem_id,
        "problem",
        f"{view.id} holds no problem {problem_id!r}. grace curate --run {view.id} --strategy "
        "random --budget 100% --json lists its problems.",
    )
    stratum = int(taken.strata.codes[index])
    value, cut = _known(taken.values[index]), _known(taken.cuts[stratum])
    return WhyProblem(
        problem_id=str(taken.trace_ids[index]),
        strategy=config.strategy,
        ranked_by=_RANKED_BY[config.strategy],
        value=value,
        pass_rate=_known(view.table.pass_rates[index]),
        n_rollouts=int(view.problems["n_rollouts"].iloc[index]),
        cosine=_known(view.cosines[index]),
        norm=_known(view.table.norms[index]),
        rank=int(taken.rank[index]),
        n_problems=len(taken.order),
        stratum=taken.strata.names[stratum],
        place=int(taken.place[index]),
        selected=bool(taken.selected[index]),
        reason=selection.reasons(candidates, taken, [index])[0],
        cut=cut,
        margin=None if value is None or cut is None else value - cut,
        is_target=bool(view.problems["is_target"].iloc[index]),
        needed_budget=smallest_budget(in_order, taken, index),
    )


def problem_curve(
    view: ProblemView, config: CurateConfig, said: Annotations | None
) -> pd.DataFrame:
    """What each share of the problems would give.

    Returns:
        A row for each of ``SHARES``: ``share`` (0 to 1), ``n``, ``value`` (mean of the taken),
        ``lowest_value``, ``tokens`` of all their rollouts (NaN where they were not recorded of
        every rollout) and ``pass_rate``, their mean. Shares that kept problems alone exceed are
        left out.
    """
    in_order = ranked_problems(view, config, problem_candidates(view, config, said))
    found = curve_of(in_order, view.table.pass_rates, "pass_rate")
    return found if view.tokens_known else found.assign(tokens=math.nan)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Methods:
    """What each strategy takes of the same problems under the same budget.

    Attributes:
        taken: By strategy.
        shared: ``[M, M]`` problems that two of them both take; a row and a column a strategy.
        jaccard: ``[M, M]`` the same as a share of what either takes; NaN where neither takes any.
    """

    taken: Mapping[str, Taken] = field(repr=False)
    shared: pd.DataFrame
    jaccard: pd.DataFrame


def methods(view: ProblemView, config: CurateConfig, said: Annotations | None) -> Methods:
    """Choose by every strategy for which what is known of the problems suffices.

    Raises:
        InputError: As ``curate_problems``.
    """
    taken: dict[str, Taken] = {
        strategy: live_problem_choice(view, replace(config, strategy=strategy), said)
        for strategy in view.strategies
    }
    inside = np.array([one.selected for one in taken.values()], dtype=np.int64)
    both = inside @ inside.T
    sizes = np.diag(both)
    either = sizes[:, None] + sizes[None, :] - both
    share = np.divide(both, either, out=np.full(both.shape, np.nan), where=either > 0)
    names = list(taken)
    return Methods(
        taken=taken,
        shared=pd.DataFrame(both, index=names, columns=names),
        jaccard=pd.DataFrame(share, index=names, columns=names),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certainty:
    """How alike are the scores of problems by two halves of their rollouts?

    Attributes:
        halves: A row a problem that both halves score: ``problem_id``, ``first`` and ``second``
            (cosines with the target's mean gradient), ``pass_rate``.
        n_gradients: Problems that have a gradient.
        correlation: Pearson's, of the two columns; NaN where it is not defined.
        reliability: What Spearman and Brown's formula makes of it for all rollouts, 2r/(1 + r);
            NaN where r is not defined or −1.
    """

    halves: pd.DataFrame
    n_gradients: int
    correlation: float
    reliability: float


def certainty(view: ProblemView) -> Certainty | None:
    """How sure a run's scores are; None where halves of the rollouts were not asked.

    The target's mean gradient is the same for both halves: what its own rollouts leave unsure is
    not in it.
    """
    if view.run is None or not view.run.split_half:
        return None
    numbers = view.problems[["dot_a", "norm_a", "dot_b", "norm_b"]].to_numpy(dtype=np.float64)
    norm = view.table.target_norm
    frame = pd.DataFrame(
        {
            "problem_id": view.problems["problem_id"],
            "first": selection.cosines(numbers[:, 0], numbers[:, 1], norm),
            "second": selection.cosines(numbers[:, 2], numbers[:, 3], norm),
            "pass_rate": view.problems["pass_rate"],
        }
    ).dropna(subset=["first", "second"])
    found = math.nan
    if len(frame) > 2 and min(frame["first"].std(), frame["second"].std()) > 0:
        found = float(np.corrcoef(frame["first"], frame["second"])[0, 1])
    whole = 2 * found / (1 + found) if not math.isnan(found) and found > -1 else math.nan
    return Certainty(
        halves=frame,
        n_gradients=int(np.count_nonzero(~np.isnan(view.table.norms))),
        correlation=found,
        reliability=whole,
    )


def problem_rows(view: ProblemView, taken: Taken) -> pd.DataFrame:
    """A row a problem in rank order, for a table or a file: what is known, its value, and the side.

    Columns ``rank``, ``problem_id``, ``selected``, ``value``, ``by_hand`` (1 kept, −1 dropped),
    ``pass_rate``, ``cosine``, ``norm``, ``n_rollouts``, ``n_tokens``, ``dataset``, ``prompt`` and
    ``reason`` (why it has no gradient).
    """
    problems = view.problems
    frame = pd.DataFrame(
        {
            "rank": taken.rank,
            "problem_id": taken.trace_ids,
            "selected": taken.selected,
            "value": taken.values,
            "by_hand": taken.forced,
            "pass_rate": view.table.pass_rates,
            "cosine": view.cosines,
            "norm": view.table.norms,
            **{
                name: problems[name].to_numpy()
                for name in ("n_rollouts", "n_tokens", "dataset", "prompt", "reason")
            },
        }
    )
    return frame.iloc[taken.order].reset_index(drop=True)


def _known(number: float) -> float | None:
    return None if math.isnan(number) else float(number)
