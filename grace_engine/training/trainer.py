"""How is a model fine-tuned so that a run can be cancelled, killed and resumed to the same end?

TRL's ``SFTTrainer`` trains, on ready-made token ids and labels. A checkpoint is written on cancel
and every few minutes; one counts when it is marked complete, which is the last thing that happens
to it. The order of examples and all random numbers go on from a checkpoint as if nothing had been.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from grace_engine.errors import MissingExtraError, ResourceError
from grace_engine.progress import Progress
from grace_engine.training.examples import Example
from grace_engine.training.loggers import require_logger
from grace_engine.training.settings import TrainSettings
from grace_engine.training.watching import COMPLETE, asked_to_end, watcher_of

if TYPE_CHECKING:
    import torch

INSTALL = "pip install 'grace-studio[training]'"
CHECKPOINTS, MODEL, TRAINED = "checkpoints", "model", "trained.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came out of a training.

    Attributes:
        folder: The model's folder, adapters merged.
        n_steps: Optimizer steps of it.
        n_tokens: Tokens read, without padding, those of resumed parts included.
        loss: Mean training loss of the last logged step, in nats a token.
        seconds: Time of this process; earlier parts of a resumed training are not counted.
        resumed_at: The step from which this process went on; 0 from the start.
    """

    folder: Path
    n_steps: int
    n_tokens: int
    loss: float
    seconds: float
    resumed_at: int


def train(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    settings: TrainSettings,
    folder: Path,
    progress: Progress,
    *,
    stop_file: Path | None = None,
) -> Trained:
    """Fine-tune ``model`` on ``examples`` in ``folder``, from the last complete checkpoint there.

    Writes ``metrics.jsonl`` (a line a step), ``checkpoints/`` and, at the end, ``model/`` and
    ``trained.json``, by which ``read_trained`` knows that there is nothing left to train. Of
    several processes that were launched together the first one writes. ``stop_file`` asks for an
    end as soon as it is there.

    Raises:
        KeyboardInterrupt: The run was asked to end; a checkpoint is written, or the model where
            that came during the last step.
        MissingExtraError: TRL or peft is not installed.
        ResourceError: The device's memory did not suffice.
    """
    sft = _library()
    import torch
    from transformers.trainer_callback import PrinterCallback

    from grace_engine.models.load import resolve_device

    began = time.monotonic()
    device = resolve_device(settings.device)
    last = last_checkpoint(folder / CHECKPOINTS)
    watcher = watcher_of(folder, progress, stop_file)
    trainer = sft.SFTTrainer(
        model=model,
        args=sft.SFTConfig(**_arguments(settings, folder, device)),
        train_dataset=_dataset(examples),
        processing_class=tokenizer,
        peft_config=_adapters(settings),
        callbacks=[watcher],
    )
    trainer.remove_callback(PrinterCallback)  # it writes to standard output
    with asked_to_end(watcher.stop):
        try:
            trainer.train(resume_from_checkpoint=str(last) if last else None)
        except torch.OutOfMemoryError as fault:
            raise ResourceError(
                f"The memory of {device} did not suffice for {settings.batch_size} examples at "
                "once: take a smaller --batch-size with more --accumulation, LoRA, or gradient "
                "checkpointing."
            ) from fault
    if watcher.stop.is_set() and trainer.state.global_step < trainer.state.max_steps:
        raise KeyboardInterrupt
    trained = Trained(
        folder=folder / MODEL,
        n_steps=int(trainer.state.global_step),
        n_tokens=int(trainer.state.num_input_tokens_seen),
        loss=watcher.loss,
        seconds=time.monotonic() - began,
        resumed_at=step_of(last) if last else 0,
    )
    if trainer.is_world_process_zero():
        _save(trainer, tokenizer, folder / MODEL)
        _keep(trained, folder)
    trainer.accelerator.wait_for_everyone()
    if watcher.stop.is_set():
        raise KeyboardInterrupt
    return trained


def read_trained(folder: Path) -> Trained | None:
    """What came out of the training of a cell that has finished; None where it has not."""
    try:
        document = orjson.loads((folder / TRAINED).read_bytes())
    except FileNotFoundError:
        return None
    return Trained(**document, folder=folder / MODEL)


def _keep(trained: Trained, folder: Path) -> None:
    """Write down that a training has finished; the last thing that happens to it."""
    document = {name: getattr(trained, name) for name in Trained.__slots__ if name != "folder"}
    part = folder / f".{TRAINED}.part"
    part.write_bytes(orjson.dumps(document))
    part.replace(folder / TRAINED)


def last_checkpoint(folder: Path) -> Path | None:
    """The latest checkpoint that was written to its end; None where there is none."""
    complete = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(complete, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def _arguments(settings: TrainSettings, folder: Path, device: "torch.device") -> dict[str, Any]:
    from grace_engine.models.load import resolve_dtype

    dtype = resolve_dtype(settings.dtype, device)
    return {
        "output_dir": str(folder / CHECKPOINTS),
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.schedule,
        "warmup_steps": settings.warmup_ratio,
        "weight_decay": settings.weight_decay,
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulation,
        "max_length": settings.max_length,
        "activation_checkpointing": settings.gradient_checkpointing,
        "seed": settings.seed,
        "data_seed": settings.seed,
        "use_cpu": device.type == "cpu",
        "bf16": dtype == "bfloat16",
        "fp16": dtype == "float16",
        "logging_steps": 1,
        "logging_first_step": True,
        "save_strategy": "no",  # the watcher says when
        "save_total_limit": 2,
        "include_num_input_tokens_seen": "non_padding",
        "report_to": require_logger(settings, folder),
        "project": "grace-studio",
        "run_name": folder.name,
        "disable_tqdm": True,
        "dataloader_pin_memory": device.type == "cuda",
        "dataset_num_proc": None,
    }


def _library() -> Any:
    try:
        import trl
    except ImportError as fault:
        raise MissingExtraError(f"Training needs the trl library: {INSTALL}") from fault
    return trl


def _adapters(settings: TrainSettings) -> Any:
    if settings.lora is None:
        return None
    try:
        from peft import LoraConfig
    except ImportError as fault:
        raise MissingExtraError(f"LoRA needs the peft library: {INSTALL}") from fault
    return LoraConfig(
        r=settings.lora.rank,
        lora_alpha=settings.lora.alpha,
        lora_dropout=settings.lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _dataset(examples: Sequence[Example]) -> Any:
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    columns = [example.columns() for example in examples]
    return Dataset.from_dict(
        {name: [each[name] for each in columns] for name in ("input_ids", "labels")}
    )


def _save(trainer: Any, tokenizer: Any, folder: Path) -> None:
    """Write the trained model, adapters merged, so that whatever loads models loads it."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    part = folder.with_name(f".{folder.name}.part")
    for left in (part, folder):  # of a process that was killed here
        shutil.rmtree(left, ignore_errors=True)
    model.save_pretrained(part, safe_serialization=True)
    tokenizer.save_pretrained(part)
    part.rename(folder)
