"""How long will a run take, by arithmetic and a quick measurement, before weights are loaded?"""

import time
from dataclasses import dataclass
from math import prod

import torch
from safetensors import SafetensorError, safe_open

from grace_engine.errors import ModelError
from grace_engine.models.load import DTYPES
from grace_engine.models.locate import WEIGHTS, ModelFiles
from grace_engine.scoring.plan import ScoringPlan

_MEASURE_SECONDS = 0.2
_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run will take, and how that was found.

    Attributes:
        seconds: Estimated time of the model's part.
        disk_bytes: Bytes of new Grams and rendered texts, before the database compresses them.
        basis: How ``seconds`` was made, for a person to read.
    """

    seconds: float
    disk_bytes: int
    basis: str


def estimate(plan: ScoringPlan) -> Estimate:
    """Estimate a run: operations of the model over the speed of a matrix product of its width."""
    parameters = count_parameters(plan.files)
    passes = 2.0
    if plan.config.proxy == "exact":
        # A backward pass for each segment costs about twice the forward pass.
        passes *= 1 + 2 * plan.most_segments
    operations = passes * parameters * plan.n_tokens
    speed = _operations_per_second(plan)
    return Estimate(
        seconds=operations / speed,
        disk_bytes=plan.disk_bytes,
        basis=(
            f"estimate: {operations / 1e9:,.0f} GFLOP ({parameters / 1e6:,.1f}M parameters, "
            f"{plan.n_tokens:,} tokens) at {speed / 1e9:,.0f} GFLOP/s measured now for matrix "
            "products of the model's width"
        ),
    )


def count_parameters(files: ModelFiles) -> int:
    """Numbers in the safetensors of a model, read from their headers alone."""
    total = 0
    for path in files.folder.glob(WEIGHTS):
        try:
            with safe_open(path, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118 - safe_open is no mapping
                    total += prod(tensors.get_slice(name).get_shape())
        except (SafetensorError, OSError) as error:
            raise ModelError(
                f"{path} is no readable safetensors file ({error}). Download or export it again."
            ) from error
    return total


def _operations_per_second(plan: ScoringPlan) -> float:
    width = int(plan.model_config.get_text_config().hidden_size)
    dtype = DTYPES[plan.run.dtype]
    left = torch.ones((_ROWS, width), dtype=dtype, device=plan.device)
    right = torch.ones((width, 4 * width), dtype=dtype, device=plan.device)
    _ = left @ right
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < _MEASURE_SECONDS:
        _ = left @ right
        if plan.device.type == "cuda":
            torch.cuda.synchronize()
        done += 1
    return 2.0 * _ROWS * 4 * width * width * done / (time.perf_counter() - started)
