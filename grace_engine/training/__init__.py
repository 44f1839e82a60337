"""Was a subset worth it: what does a model learn from it, and from others of its size?"""

from grace_engine.training.cells import (
    AGAINST,
    ArmResult,
    Cell,
    CellResult,
    arms_of,
    cells_of,
    random_examples,
    read_result,
    result_of,
    write_result,
)
from grace_engine.training.comparing import Interval, mean_interval, paired_interval
from grace_engine.training.evaluating import (
    Answered,
    EvalProblem,
    Evaluation,
    evaluate,
    held_out_loss,
)
from grace_engine.training.examples import Example, examples_of
from grace_engine.training.overlap import Overlap, overlap
from grace_engine.training.preview import TrainPreview, n_steps, preview
from grace_engine.training.settings import (
    PRESETS,
    Lora,
    TrainSettings,
    preset,
    settings_of,
)
from grace_engine.training.trainer import METRICS, Trained, last_checkpoint, train

__all__ = [
    "AGAINST",
    "METRICS",
    "PRESETS",
    "Answered",
    "ArmResult",
    "Cell",
    "CellResult",
    "EvalProblem",
    "Evaluation",
    "Example",
    "Interval",
    "Lora",
    "Overlap",
    "TrainPreview",
    "TrainSettings",
    "Trained",
    "arms_of",
    "cells_of",
    "evaluate",
    "examples_of",
    "held_out_loss",
    "last_checkpoint",
    "mean_interval",
    "n_steps",
    "overlap",
    "paired_interval",
    "preset",
    "preview",
    "random_examples",
    "read_result",
    "result_of",
    "settings_of",
    "train",
    "write_result",
]
