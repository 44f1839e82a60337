"""How is a training followed step by step, checkpointed, and ended when that is asked for?"""

import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from grace_engine.progress import Progress

if TYPE_CHECKING:
    import torch

METRICS = "metrics.jsonl"
UNPADDED = "unpadded"
"""Stands in a line of metrics that counts tokens without padding; older lines count it, too."""

COMPLETE = "grace-complete"
"""A checkpoint that holds a file of this name was written to its end."""

_CHECKPOINT_SECONDS = 120.0


def watcher_of(folder: Path, progress: Progress, stop_file: Path | None = None) -> Any:
    """The trainer's callback: progress, metrics, checkpoints, and an end when it is asked for.

    Of several processes the first one writes, and what one of them decides all of them do.
    """
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.stop = threading.Event()
            self.loss = float("nan")
            self._saved_at = time.monotonic()
            self._tokens = 0
            self._first = 0  # the step after a checkpoint; 0 where there was none

        def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            progress.begin("Training", state.max_steps, "steps", done=state.global_step)
            if state.is_world_process_zero:
                forget_after(folder, state.global_step)
            if state.global_step:
                self._first = state.global_step + 1
            self._tokens = state.num_input_tokens_seen

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            seen = state.num_input_tokens_seen
            progress.advance(1, tokens=int(seen - self._tokens))
            self._tokens = seen
            if stop_file is not None and stop_file.exists():
                self.stop.set()
            late = time.monotonic() - self._saved_at > _CHECKPOINT_SECONDS
            ends, saves = _any_of_all([self.stop.is_set(), late], args.device)
            if ends:
                self.stop.set()
                control.should_training_stop = True
            control.should_save = ends or saves

        def on_log(self, _args: Any, state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
            if not logs or "loss" not in logs:
                return
            self.loss = float(logs["loss"])
            if not state.is_world_process_zero:
                return
            line = {
                "at": time.time(),
                "step": state.global_step,
                "epoch": state.epoch,
                "loss": self.loss,
                "learning_rate": logs.get("learning_rate"),
                "gradient_norm": logs.get("grad_norm"),
                "n_tokens": int(state.num_input_tokens_seen),
                UNPADDED: True,
            }
            if state.global_step == self._first:
                line["resumed"] = True
            with (folder / METRICS).open("ab") as file:
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

        def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
            _wait_for_all()
            if state.is_world_process_zero:
                (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()
            self._saved_at = time.monotonic()

    return Watcher()


def forget_after(folder: Path, step: int) -> None:
    """Drop what was written down of later steps: they are made anew from this one on."""
    try:
        lines = (folder / METRICS).read_bytes().split(b"\n")[:-1]  # the last may be half a line
    except FileNotFoundError:
        return
    kept = [line for line in lines if _step_in(line) <= step]
    part = folder / f".{METRICS}.part"
    part.write_bytes(b"".join(line + b"\n" for line in kept))
    part.replace(folder / METRICS)


def _step_in(line: bytes) -> float:
    """The step of a line; beyond all of them where a process was killed while it wrote it."""
    try:
        return float(orjson.loads(line)["step"])
    except orjson.JSONDecodeError:
        return math.inf


@contextmanager
def asked_to_end(stop: threading.Event) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM ask for a checkpoint and an end, and a second end at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(_number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {name: signal.signal(name, ask) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _several() -> bool:
    """Whether this is one of several processes that train together."""
    from torch import distributed

    return bool(
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


def _any_of_all(flags: Sequence[bool], device: "torch.device") -> list[bool]:
    """Each flag, set where one process has set it."""
    if not _several():
        return list(flags)
    import torch
    from torch import distributed

    shared = torch.tensor([float(flag) for flag in flags], device=device)
    distributed.all_reduce(shared, op=distributed.ReduceOp.MAX)
    return [bool(flag) for flag in shared.tolist()]


def _wait_for_all() -> None:
    if _several():
        from torch import distributed

        distributed.barrier()
