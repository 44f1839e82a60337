"""By what number does each strategy rank problems for reinforcement learning?"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grace_engine.config import Band, ProblemStrategy
from grace_engine.errors import InputError
from grace_engine.selection.candidates import Floats
from grace_engine.selection.values import uniform


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProblemTable:
    """What is known of N problems.

    Attributes:
        problem_ids: ``[N]`` ids.
        pass_rates: ``[N]`` mean reward; NaN without rewards.
        dots: ``[N]`` ⟨g, ḡ⟩ with the target's mean gradient; NaN without a gradient or a target.
        norms: ``[N]`` ‖g‖; NaN without a gradient.
        sketches: ``[N, k]`` gradients or their projections, zero without one; k = 0 where none
            were kept.
        target_norm: ‖ḡ‖; NaN without a target.
        reasons: ``[N]`` why a problem has no gradient, for a person to read; "" where it has one.
        equal: ``[N]`` whether that is because all its rewards are equal.
    """

    problem_ids: npt.NDArray[np.object_]
    pass_rates: Floats
    dots: Floats
    norms: Floats
    sketches: npt.NDArray[np.float32]
    target_norm: float
    reasons: npt.NDArray[np.object_]
    equal: npt.NDArray[np.bool_]


BY_GRADIENT: tuple[ProblemStrategy, ...] = ("gradalign", "gradalign-inner", "learnalign", "align")
"""Strategies that ask which way a problem would move the policy."""


def problem_values(
    table: ProblemTable,
    strategy: ProblemStrategy,
    *,
    band: Band,
    seed: int,
    zero_without_variance: bool = False,
) -> Floats:
    """``[N]`` values, higher is better; NaN where a problem has none, which then ranks last.

    ``gradalign`` is the cosine of a problem's policy gradient with the mean gradient of the target
    set, ``gradalign-inner`` their inner product (GradAlign). ``learnalign`` is (1/n) Σ_y V_x V_y
    cos(g_x, g_y) with V = p(1 − p) and y over all problems, x among them (LearnAlign); ``align``
    leaves V out. ``accgreedy`` is −|p − ½|, ``band`` a seeded draw among the problems whose pass
    rate lies in the band, and ``random`` one among all.

    ``zero_without_variance`` gives problems whose rewards are all equal the value 0 under the
    strategies by gradient, as GradAlign's released code does.

    Raises:
        InputError: The strategy needs a target set or kept gradients, and there are none.
    """
    values = _values(table, strategy, band=band, seed=seed)
    if zero_without_variance and strategy in BY_GRADIENT:
        return np.where(np.isnan(values) & table.equal, 0.0, values)
    return values


def _values(table: ProblemTable, strategy: ProblemStrategy, *, band: Band, seed: int) -> Floats:
    if strategy == "random":
        return _drawn(table, seed)
    if strategy == "accgreedy":
        return np.asarray(0.0 - np.abs(table.pass_rates - 0.5))  # -0.0 would be shown with its sign
    if strategy == "band":
        inside = (table.pass_rates >= band.low) & (table.pass_rates <= band.high)
        return np.where(inside, _drawn(table, seed), np.nan)
    if strategy in ("gradalign", "gradalign-inner"):
        if np.isnan(table.target_norm):
            raise InputError(
                f"Strategy {strategy} holds problems against a target set, and these gradients "
                "were taken without one: run grace gradients with --target ROLLOUTS."
            )
        if strategy == "gradalign-inner":
            return table.dots
        return cosines(table.dots, table.norms, table.target_norm)
    learnability = None
    if strategy == "learnalign":
        learnability = table.pass_rates * (1 - table.pass_rates)
    return pairwise_alignment(table, learnability)


def cosines(dots: Floats, norms: Floats, target_norm: float) -> Floats:
    """``[N]`` cosines with the target's mean gradient; NaN without a gradient or a target."""
    return _ratio(dots, norms * target_norm)


def pairwise_alignment(table: ProblemTable, learnability: Floats | None) -> Floats:
    """``[N]`` (1/n) Σ_y V_x V_y cos(g_x, g_y) without making pairs: z_x · mean(z), O(n·d).

    z = V·g/‖g‖, and zero for problems without a gradient; those come back NaN. Cosines are those of
    the kept projections.

    Raises:
        InputError: No gradients were kept.
    """
    if table.sketches.shape[1] == 0:
        raise InputError(
            "This strategy compares problems with each other, and their gradients were not kept: "
            "run grace gradients with --projection 8192."
        )
    sketches = table.sketches.astype(np.float64)
    lengths = np.linalg.norm(sketches, axis=1)
    z = np.divide(
        sketches, lengths[:, None], out=np.zeros_like(sketches), where=lengths[:, None] > 0
    )
    if learnability is not None:
        z *= np.nan_to_num(learnability)[:, None]
    values = z @ z.mean(axis=0)
    return np.where(np.isnan(table.norms), np.nan, values)


def _drawn(table: ProblemTable, seed: int) -> Floats:
    return np.array([uniform(seed, str(name)) for name in table.problem_ids], np.float64)


def _ratio(upper: Floats, lower: Floats) -> Floats:
    """A zero gradient has no direction: its cosine is 0."""
    found: Floats = np.divide(upper, lower, out=np.zeros_like(upper), where=lower > 0)
    found[np.isnan(upper) | np.isnan(lower)] = np.nan
    return found
