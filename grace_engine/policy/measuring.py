"""What is kept of a gradient that comes in blocks?"""

import math

import torch

from grace_engine.policy.gradients import Blocks, inner
from grace_engine.policy.sketch import Sketch
from grace_engine.policy.target import MeanGradient
from grace_engine.records import ProblemGradient


def measured(
    problem_id: str,
    blocks: Blocks,
    mean: MeanGradient | None,
    sketch: Sketch | None,
    *,
    whole: bool = False,
) -> ProblemGradient:
    """A gradient's length, its inner product with the target's mean, and its projection.

    One pass over the blocks, none of which is kept.

    Args:
        problem_id: Whose gradient it is.
        blocks: The gradient.
        mean: Of the target; None without one.
        sketch: The projection; None where none is kept.
        whole: Keep the gradient itself, which then is one block.
    """
    dots, squares, kept = [], [], []
    for name, block in blocks:
        squares.append(inner(block, block))
        if mean is not None:
            dots.append(inner(block, mean.of(name)))
        if sketch is not None:
            kept.append(sketch.of_block(name, block).double().cpu())
        elif whole:
            kept.append(block.double().cpu())
    norm, dot = math.sqrt(sum(squares)), sum(dots)
    if not (math.isfinite(norm) and math.isfinite(dot)):
        detail = "the model's output holds NaN or infinite numbers"
        return ProblemGradient(problem_id=problem_id, reason="not-finite", detail=detail)
    return ProblemGradient(
        problem_id=problem_id,
        dot=dot if mean is not None else None,
        norm=norm,
        sketch=tuple(torch.stack(kept).sum(0).float().tolist()) if kept else (),
    )
