"""Which configuration makes another trainer do what these settings ask for?

The keys are those of ``trl sft`` (``ScriptArguments``, ``SFTConfig``, ``ModelConfig``), of
LLaMA-Factory (``src/llamafactory/hparams``, ``data/README.md``) and of axolotl
(``src/axolotl/utils/schemas``, ``docs/dataset-formats/conversation.qmd``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import orjson

from grace_engine.errors import InputError
from grace_engine.training.settings import Lora, TrainSettings

Tool: TypeAlias = Literal["trl", "llamafactory", "axolotl"]
TOOLS: tuple[Tool, ...] = ("trl", "llamafactory", "axolotl")
ROWS = "data/train.jsonl"
_DATASET = "grace"
_COMMANDS: Mapping[Tool, str] = MappingProxyType(
    {
        "trl": "trl sft --config train.yaml",
        "llamafactory": "llamafactory-cli train train.yaml",
        "axolotl": "axolotl train train.yaml",
    }
)
# What the Trainer behind all of them does here where nothing is said; not all take it for granted.
_OPTIMIZER, _GRADIENT_NORM = "adamw_torch_fused", 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What another trainer needs beside the rows.

    Attributes:
        files: Their text by path within the folder.
        command: Starts the training, in that folder.
    """

    files: Mapping[str, str]
    command: str


def elsewhere(tool: Tool, settings: TrainSettings, model: str, source: str) -> Elsewhere:
    """The configuration of another trainer for rows that stand in ``ROWS``.

    ``auto`` is written as bfloat16, which is what it means on the devices that these trainers are
    used on.

    Args:
        tool: One of ``TOOLS``.
        settings: What is to be done.
        model: Name or folder of the model.
        source: What the rows are, for the file's first line.

    Raises:
        InputError: A LoRA alpha that is no whole number.
    """
    config = {"trl": _trl, "llamafactory": _llamafactory, "axolotl": _axolotl}[tool]
    head = [
        f"# Written by GRACE studio from {' '.join(source.split())}.",
        f"# In this folder: {_COMMANDS[tool]}",
    ]
    files = {"train.yaml": "\n".join([*head, *_yaml(config(settings, model))]) + "\n"}
    if tool == "llamafactory":
        info = {_DATASET: _LLAMAFACTORY_ROWS}
        files["data/dataset_info.json"] = orjson.dumps(info, option=orjson.OPT_INDENT_2).decode()
    return Elsewhere(files=files, command=_COMMANDS[tool])


def row_of(tool: Tool, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """A row of ``ROWS`` in the form in which the tool learns from the assistant's turn alone."""
    if tool == "trl":
        return {"prompt": messages[:-1], "completion": messages[-1:]}
    return {"messages": messages}


_LLAMAFACTORY_ROWS = {
    "file_name": "train.jsonl",
    "formatting": "sharegpt",
    "columns": {"messages": "messages"},
    "tags": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    },
}


def _trl(settings: TrainSettings, model: str) -> dict[str, Any]:
    dtype = _dtype(settings)
    config: dict[str, Any] = {"model_name_or_path": model, "dtype": dtype}
    if settings.revision:
        config["model_revision"] = settings.revision
    if lora := settings.lora:
        config |= {
            "use_peft": True,
            "lora_r": lora.rank,
            "lora_alpha": _alpha(lora),
            "lora_dropout": lora.dropout,
            "lora_target_modules": "all-linear",
        }
    return config | {
        "dataset_name": "./data",
        "output_dir": "./model",
        "max_length": settings.max_length,
        "completion_only_loss": True,
        **_shared(settings),
        "warmup_steps": settings.warmup_ratio,  # below 1 it is a share of the steps
        "activation_checkpointing": settings.gradient_checkpointing,
        "bf16": dtype == "bfloat16",
        "fp16": dtype == "float16",
        "optim": _OPTIMIZER,
        "report_to": "none",
    }


def _llamafactory(settings: TrainSettings, model: str) -> dict[str, Any]:
    dtype = _dtype(settings)
    config: dict[str, Any] = {"model_name_or_path": model}
    if settings.revision:
        config["model_revision"] = settings.revision
    config |= {
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora" if settings.lora else "full",
    }
    if lora := settings.lora:
        config |= {
            "lora_rank": lora.rank,
            "lora_alpha": _alpha(lora),
            "lora_dropout": lora.dropout,
            "lora_target": "all",
        }
    # Without a template it takes that of the tokenizer.
    return config | {
        "dataset_dir": "data",
        "dataset": _DATASET,
        "cutoff_len": settings.max_length,
        "output_dir": "./model",
        **_shared(settings),
        "warmup_ratio": settings.warmup_ratio,
        "disable_gradient_checkpointing": not settings.gradient_checkpointing,
        "bf16": dtype == "bfloat16",
        "fp16": dtype == "float16",
        "optim": _OPTIMIZER,
        "report_to": "none",
    }


def _axolotl(settings: TrainSettings, model: str) -> dict[str, Any]:
    dtype = _dtype(settings)
    config: dict[str, Any] = {"base_model": model}
    if settings.revision:
        config["revision_of_model"] = settings.revision
    if lora := settings.lora:
        config |= {
            "adapter": "lora",
            "lora_r": lora.rank,
            "lora_alpha": _alpha(lora),
            "lora_dropout": lora.dropout,
            "lora_target_linear": True,
        }
    rows = {
        "path": ROWS,
        "ds_type": "json",
        "type": "chat_template",
        "chat_template": "tokenizer_default",
        "field_messages": "messages",
        "message_property_mappings": {"role": "role", "content": "content"},
        "roles_to_train": ["assistant"],
        "train_on_eos": "turn",
    }
    return config | {
        "datasets": [rows],
        "val_set_size": 0.0,
        "sequence_len": settings.max_length,
        "excess_length_strategy": "truncate" if settings.accept_cut else "raise",
        "sample_packing": False,
        "output_dir": "./model",
        "num_epochs": settings.epochs,
        "micro_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulation,
        "learning_rate": settings.learning_rate,
        "lr_scheduler": settings.schedule,
        "warmup_ratio": settings.warmup_ratio,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": _GRADIENT_NORM,
        "optimizer": _OPTIMIZER,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "bf16": dtype == "bfloat16",
        "fp16": dtype == "float16",
        "logging_steps": 1,
        "seed": settings.seed,
    }


def _shared(settings: TrainSettings) -> dict[str, Any]:
    """What ``transformers.TrainingArguments`` calls by one name in both tools that take them."""
    return {
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulation,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.schedule,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": _GRADIENT_NORM,
        "logging_steps": 1,
        "save_strategy": "no",
        "seed": settings.seed,
        "data_seed": settings.seed,
    }


def _dtype(settings: TrainSettings) -> str:
    return "bfloat16" if settings.dtype == "auto" else settings.dtype


def _alpha(lora: Lora) -> int:
    if not float(lora.alpha).is_integer():
        raise InputError(f"Other trainers take a whole LoRA alpha only, and not {lora.alpha:g}.")
    return int(lora.alpha)


def _yaml(config: Mapping[str, Any]) -> list[str]:
    """Lines of a mapping; JSON values are YAML, but for floats that YAML would take for texts."""
    return [f"{name}: {_scalar(value)}" for name, value in config.items()]


def _scalar(value: object) -> str:
    if isinstance(value, float):
        text = repr(value)  # YAML 1.1 wants a point before an exponent
        mantissa, mark, exponent = text.partition("e")
        return text if "." in mantissa or not mark else f"{mantissa}.0e{exponent}"
    return orjson.dumps(value).decode()
