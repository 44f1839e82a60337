"""How does one training run in several processes, one for each device?

``accelerate launch`` starts them, and TRL's trainer shares the work out. This process waits, reads
what the first of them writes down, and asks all of them to end where it is asked to.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import orjson

from grace_engine.errors import GraceError, InputError
from grace_engine.jobs.devices import having_device
from grace_engine.progress import Progress
from grace_engine.training.examples import Example
from grace_engine.training.preview import n_steps
from grace_engine.training.settings import TrainSettings
from grace_engine.training.trainer import (
    CHECKPOINTS,
    Trained,
    last_checkpoint,
    read_trained,
    step_of,
)
from grace_engine.training.watching import METRICS, asked_to_end, forget_after

LAUNCH, EXAMPLES, STOP = "launch.json", "examples.jsonl", "stop"
_LOOK = 0.5  # seconds between two looks at what was written down


def with_processes(settings: TrainSettings) -> TrainSettings:
    """The settings with their number of processes: one for each CUDA device where none is given.

    Raises:
        InputError: More than there are CUDA devices, or a device named by its number.
    """
    import torch

    from grace_engine.models.load import resolve_device

    device = resolve_device(settings.device)
    visible = torch.cuda.device_count() if device.type == "cuda" and device.index is None else 1
    if not settings.n_processes:
        return replace(settings, n_processes=max(1, visible))
    if device.type != "cpu" and settings.n_processes > visible:
        raise InputError(
            f"{settings.n_processes} processes need as many devices, and {settings.device!r} means "
            f"{visible}: use --n-processes {visible}, or --device cuda for all of them."
        )
    return settings


def train_in_processes(
    source: Path,
    examples: Sequence[Example],
    settings: TrainSettings,
    folder: Path,
    progress: Progress,
) -> Trained:
    """As ``train``, by ``settings.n_processes`` processes on the model in ``source``.

    Raises:
        KeyboardInterrupt: The run was asked to end; a checkpoint is written, or the model.
        GraceError: A process failed; what it printed stands in the log.
    """
    (folder / STOP).unlink(missing_ok=True)
    last = last_checkpoint(folder / CHECKPOINTS)
    forget_after(folder, step_of(last) if last else 0)
    document = {"model": str(source.resolve()), "settings": settings.document()}
    (folder / LAUNCH).write_bytes(orjson.dumps(document))
    (folder / EXAMPLES).write_bytes(b"".join(orjson.dumps(asdict(e)) + b"\n" for e in examples))
    stop = threading.Event()
    with ExitStack() as stack:
        for number in range(1, settings.n_processes if _on_cuda(settings) else 1):
            stack.enter_context(having_device(f"cuda:{number}", str(folder), progress.say))
        stack.enter_context(asked_to_end(stop))
        work = subprocess.Popen([*_command(settings), str(folder)], stdin=subprocess.DEVNULL)
        try:
            _see_through(work, folder, n_steps(len(examples), settings), stop, progress)
        finally:
            if work.poll() is None:
                work.kill()
                work.wait()
    trained = read_trained(folder)
    if trained is None and not stop.is_set():
        raise GraceError(
            f"One of {settings.n_processes} training processes ended with status "
            f"{work.returncode}: what it printed stands in the log of the run."
        )
    if trained is not None:
        (folder / EXAMPLES).unlink()
    if trained is None or stop.is_set():
        raise KeyboardInterrupt
    return trained


def _command(settings: TrainSettings) -> list[str]:
    return [
        *(sys.executable, "-m", "accelerate.commands.launch"),
        *("--num_processes", str(settings.n_processes), "--num_machines", "1"),
        *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"),
        # Its word for several processes of one machine, on the CPU too; its --cpu starts one.
        *("--multi_gpu", "-m", "grace_engine.training.launched"),
    ]


def _on_cuda(settings: TrainSettings) -> bool:
    from grace_engine.models.load import resolve_device

    return bool(resolve_device(settings.device).type == "cuda")


def _see_through(
    work: "subprocess.Popen[bytes]",
    folder: Path,
    total: int,
    stop: threading.Event,
    progress: Progress,
) -> None:
    """Tell of each step that is written down, until the processes have ended."""
    done, tokens = _last_step(folder)
    progress.begin("Training", total, "steps", done=done)
    while True:
        over = work.poll() is not None
        step, n_tokens = _last_step(folder)
        if step > done:
            progress.advance(step - done, tokens=max(0, n_tokens - tokens) if done else 0)
            done, tokens = step, n_tokens
        if stop.is_set():
            (folder / STOP).touch()
        if over:
            return
        time.sleep(_LOOK)


def _last_step(folder: Path) -> tuple[int, int]:
    """The last step that was written down whole, and the tokens until then."""
    try:
        lines = (folder / METRICS).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return 0, 0
    if not lines:
        return 0, 0
    line = orjson.loads(lines[-1])
    return int(line["step"]), int(line["n_tokens"])
