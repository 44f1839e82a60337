"""Was a subset worth it: what does a model learn from it, and from others of its size?"""

from grace_engine.training.cells import (
    AGAINST,
    WHOLE,
    ArmResult,
    Cell,
    CellResult,
    arms_of,
    cells_of,
    counted_cells,
    random_examples,
    read_result,
    result_of,
    write_result,
)
from grace_engine.training.comparing import Interval, mean_interval, paired_interval
from grace_engine.training.curve import BudgetPoint, curve_of, percents
from grace_engine.training.evaluating import (
    Answered,
    EvalProblem,
    Evaluation,
    evaluate,
    held_out_loss,
)
from grace_engine.training.examples import Example, examples_of
from grace_engine.training.labels import LabelGroup, label_groups
from grace_engine.training.launching import train_in_processes, with_processes
from grace_engine.training.loggers import require_logger
from grace_engine.training.overlap import Overlap, overlap
from grace_engine.training.pace import TimeLeft, time_left, tokens_per_second
from grace_engine.training.passing import Asking, pass_at
from grace_engine.training.preview import TrainPreview, n_steps, preview
from grace_engine.training.settings import (
    PRESETS,
    Lora,
    TrainSettings,
    preset,
    settings_of,
)
from grace_engine.training.trainer import Trained, last_checkpoint, read_trained, train
from grace_engine.training.watching import METRICS

__all__ = [
    "AGAINST",
    "METRICS",
    "PRESETS",
    "WHOLE",
    "Answered",
    "ArmResult",
    "Asking",
    "BudgetPoint",
    "Cell",
    "CellResult",
    "EvalProblem",
    "Evaluation",
    "Example",
    "Interval",
    "LabelGroup",
    "Lora",
    "Overlap",
    "TimeLeft",
    "TrainPreview",
    "TrainSettings",
    "Trained",
    "arms_of",
    "cells_of",
    "counted_cells",
    "curve_of",
    "evaluate",
    "examples_of",
    "held_out_loss",
    "label_groups",
    "last_checkpoint",
    "mean_interval",
    "n_steps",
    "overlap",
    "paired_interval",
    "pass_at",
    "percents",
    "preset",
    "preview",
    "random_examples",
    "read_result",
    "read_trained",
    "require_logger",
    "result_of",
    "settings_of",
    "time_left",
    "tokens_per_second",
    "train",
    "train_in_processes",
    "with_processes",
    "write_result",
]
