"""What do the finished trainings of ``grace reproduce subset`` say, as tables?"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from grace_engine.quantities import counted
from grace_engine.reproduce.framework import Results, ResultTable
from grace_engine.reproduce.subset_arms import ARMS, RANDOM, UNTRAINED, Arm
from grace_engine.training import Interval, mean_interval, paired_interval

_Cells = list[Mapping[str, Any]]
_NONE = "–"


def subset_tables(found: Results) -> tuple[ResultTable, ...]:
    """A table a pool of what trained models solve, then one a pool of what was trained on."""
    cells = list(found.found.values())
    pools = list(dict.fromkeys(cell["pool"] for cell in cells if cell["pool"]))
    return (
        *(_solved(found, cells, pool) for pool in pools),
        *(_taken(found, cells, pool) for pool in pools),
    )


def _solved(found: Results, cells: _Cells, pool: str) -> ResultTable:
    percents = _percents(cells, pool)
    baselines = {percent: _outcomes(_of(cells, pool, RANDOM, percent)) for percent in percents}
    rows = []
    for arm in ARMS.values():
        row: list[str] = []
        for percent in percents:
            group = _of(cells, pool, arm, percent)
            row += _solved_cells(arm, group, baselines[percent])
        if any(text != _NONE for text in row):
            rows.append((arm.title, *row))
    what = ("flawless", "right (95%)", "less random (95%)")
    return ResultTable(
        title=f"{_head(found, pool)} Share of flawless traces in what was trained on, held-out "
        "problems solved after it, and the same less a random subset of as many tokens.",
        columns=("trained on", *(f"{percent}%: {each}" for percent in percents for each in what)),
        rows=tuple(rows),
    )


def _solved_cells(arm: Arm, group: _Cells, baseline: npt.NDArray[np.float64]) -> list[str]:
    if not group:
        return [_NONE, _NONE, _NONE]
    outcomes = _outcomes(group)
    less = _NONE
    if arm != RANDOM and len(baseline):
        less = _interval(paired_interval(outcomes, baseline), signed=True)
    share = _NONE if arm == UNTRAINED else f"{_mean(map(_flawless, group)):.2f}"
    return [share, _interval(mean_interval(outcomes)), less]


def _taken(found: Results, cells: _Cells, pool: str) -> ResultTable:
    rows = []
    for arm in ARMS.values():
        for percent in _percents(cells, pool) if arm.has_budget else [100]:
            group = _of(cells, pool, arm, percent)
            if group and arm != UNTRAINED:
                right = ", ".join(f"{outcome.mean():.1%}" for outcome in _outcomes(group))
                rows.append(
                    (
                        arm.title,
                        f"{percent}%",
                        f"{_mean(one['n_traces'] for one in group):,.0f}",
                        f"{_mean(one['n_tokens'] for one in group):,.0f}",
                        f"{_mean(one['n_steps'] for one in group):,.0f}",
                        _faults(group),
                        right,
                    )
                )
    return ResultTable(
        title=f"{_head(found, pool)} What was trained on, means over seeds, and problems solved by "
        "each seed.",
        columns=("trained on", "budget", "traces", "tokens", "steps", "faults in it", "right"),
        rows=tuple(rows),
    )


def _head(found: Results, pool: str) -> str:
    pools, seeds = found.settings["pool"], {c["seed"] for c in found.found.values()}
    partly = f" So far {found.progress}." if found.missing else ""
    return (
        f"Pool {pool}: {pools['n_traces']:,} traces, {pools['bad_share']:.0%} with a planted "
        f"fault; {found.settings['n_problems']:,} problems, {counted(len(seeds), 'seed')}.{partly}"
    )


def _percents(cells: _Cells, pool: str) -> list[int]:
    return sorted({c["percent"] for c in cells if c["pool"] == pool and ARMS[c["arm"]].has_budget})


def _of(cells: _Cells, pool: str, arm: Arm, percent: int) -> _Cells:
    """Cells of an arm, by seed; arms without a budget stand beside every budget."""
    found = [
        cell
        for cell in cells
        if cell["arm"] == arm.name
        and cell["pool"] in (pool, "")
        and (cell["percent"] == percent or not arm.has_budget)
    ]
    return sorted(found, key=lambda cell: int(cell["seed"]))


def _outcomes(group: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
    """``[S, P]`` 1 where a seed's model solved a problem."""
    return np.array([[float(sign) for sign in cell["right"]] for cell in group])


def _flawless(cell: Mapping[str, Any]) -> float:
    return float(cell["kinds"].get("clean", 0) / cell["n_traces"])


def _faults(group: _Cells) -> str:
    """``carried on 12, irrelevant 9``: mean numbers of traces."""
    kinds = sorted({kind for cell in group for kind in cell["kinds"] if kind != "clean"})
    means = {kind: _mean(cell["kinds"].get(kind, 0) for cell in group) for kind in kinds}
    return ", ".join(f"{kind.replace('_', ' ')} {n:,.0f}" for kind, n in means.items()) or "none"


def _mean(numbers: Iterable[float]) -> float:
    return float(np.mean(list(numbers)))


def _interval(found: Interval, *, signed: bool = False) -> str:
    form = "{:+.1%}" if signed else "{:.1%}"
    mean, low, high = (form.format(number) for number in (found.mean, found.low, found.high))
    return f"{mean} ({low} to {high})"
