"""How much does each earlier step count in a step's history (GRACE, section 2.3)?"""

import numpy as np
import numpy.typing as npt

from grace_engine.config import History


def history_weights(history: History, n_steps: int) -> npt.NDArray[np.float64]:
    """``[K, K]`` weights ω[k, j] of step j in the history of step k, both counted from 0.

    Rows sum to 1 and are zero for j ≥ k; the first row is all zero, since step 1 has no past.
    ``uniform`` weighs every earlier step 1/(k−1), ``window:W`` the last min(W, k−1) alike,
    ``ema:β`` by β^(k−1−j).
    """
    k, j = np.indices((n_steps, n_steps))
    past = j < k
    if history.kind == "window":
        raw = (past & (j >= k - history.window)).astype(np.float64)
    elif history.kind == "ema":
        # 0.0 ** 0 is 1: with β = 0 only the step just before counts.
        raw = np.where(past, np.power(history.beta, np.maximum(k - 1 - j, 0)), 0.0)
    else:
        raw = past.astype(np.float64)
    totals = raw.sum(axis=1, keepdims=True)
    weights: npt.NDArray[np.float64] = np.divide(
        raw, totals, out=np.zeros_like(raw), where=totals > 0
    )
    return weights
