"""What do a judge's labels come to over traces, and over steps?

The paper does not say whether it averages over traces or over steps: both are here. Macro is the
mean over traces of the share of a trace's labelled steps that are positive; micro is that share of
all labelled steps, in which long traces count more.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from grace_engine.records import ATOMS, JUDGE_METRICS, Judge
from grace_engine.report.intervals import share_of, spread_of
from grace_engine.report.subjects import Share, Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMetric:
    """One metric of one dataset or selection.

    Attributes:
        name: One of ``JUDGE_METRICS``.
        n_traces: Traces with a labelled step.
        n_steps: Labelled steps.
        n_positive: Those whose label is positive.
        n_failed: Steps whose label could not be found out.
        macro: Over traces.
        micro: Over steps.
    """

    name: str
    n_traces: int
    n_steps: int
    n_positive: int
    n_failed: int
    macro: Spread
    micro: Share


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedSubject:
    """What one judge says of a dataset or selection.

    Attributes:
        judge: The judge.
        metrics: What its labels come to.
        shares: As ``trace_shares`` gives it.
        n_traces: Traces that it has read.
        n_requests: Requests that these took.
        tokens: Tokens that these took.
        cost: Of ``n_priced`` of the requests; None where no price was given.
        n_priced: Requests for which there was a price.
    """

    judge: Judge
    metrics: tuple[JudgedMetric, ...]
    shares: pd.DataFrame = field(repr=False)
    n_traces: int
    n_requests: int
    tokens: int
    cost: float | None
    n_priced: int


def trace_shares(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a trace, a column a metric: the share of its labelled steps that are positive.

    Args:
        frame: As ``store.judged_frame`` gives it.
    """
    labelled = _labelled(frame)
    found: pd.DataFrame = labelled.pivot_table(
        index="trace_id", columns="part", values="label", aggfunc="mean"
    )
    return found


def averages(
    frame: pd.DataFrame, ids: list[str], prompts: npt.NDArray[np.object_]
) -> list[JudgedMetric]:
    """Macro and micro averages with intervals in which all traces of a prompt are one group.

    Args:
        frame: As ``store.judged_frame`` gives it.
        ids: Traces, n of them.
        prompts: ``[n]`` the prompt that each answers, as a digest.
    """
    labelled = _labelled(frame)
    failed = frame[frame["failure"] != ""]
    n_unclaimed = int((failed["part"] == ATOMS).sum())  # of these nothing could be asked
    found = []
    for name in JUDGE_METRICS:
        own = labelled[labelled["part"] == name]
        if own.empty:
            continue
        by_trace = own.groupby("trace_id")["label"].agg(["sum", "count"]).reindex(ids)
        positive, total = (by_trace[c].fillna(0.0).to_numpy(np.float64) for c in ("sum", "count"))
        shares = np.divide(positive, total, out=np.full(len(total), np.nan), where=total > 0)
        macro, micro = spread_of(shares, prompts, (0.0, 1.0)), share_of(positive, total, prompts)
        if macro is None or micro is None:
            continue
        found.append(
            JudgedMetric(
                name=name,
                n_traces=int((total > 0).sum()),
                n_steps=int(total.sum()),
                n_positive=int(positive.sum()),
                n_failed=int((failed["part"] == name).sum()) + n_unclaimed,
                macro=macro,
                micro=micro,
            )
        )
    return found


def n_labelled(frame: pd.DataFrame) -> dict[str, int]:
    """Labelled steps by metric, each counted once.

    Args:
        frame: As ``store.judged_frame`` gives it.
    """
    return {str(name): int(n) for name, n in _labelled(frame)["part"].value_counts().items()}


def _labelled(frame: pd.DataFrame) -> pd.DataFrame:
    known = frame[(frame["failure"] == "") & frame["part"].isin(JUDGE_METRICS)]
    return known.assign(label=known["label"].astype("float64"))
