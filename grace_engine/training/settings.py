"""Which settings decide a fine-tuning run, and which presets are there?"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from grace_engine.config import DTYPES, Dtype, Target, require_one_of
from grace_engine.errors import InputError

Method: TypeAlias = Literal["sft"]
Schedule: TypeAlias = Literal["cosine", "linear", "constant"]
METHODS: tuple[Method, ...] = ("sft",)
SCHEDULES: tuple[Schedule, ...] = ("cosine", "linear", "constant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Low-rank adapters on all linear layers but the output layer.

    Attributes:
        rank: r, at least 1.
        alpha: The adapters' output is scaled by alpha / rank.
        dropout: Share of inputs that an adapter does not see, from 0 up to but not including 1.
    """

    rank: int = 8
    alpha: float = 32.0
    dropout: float = 0.0

    def __str__(self) -> str:
        """The form that ``parse`` reads."""
        dropout = f",dropout={self.dropout:g}" if self.dropout else ""
        return f"r={self.rank},alpha={self.alpha:g}{dropout}"

    @classmethod
    def parse(cls, text: str) -> "Lora":
        """Read ``r=8,alpha=32`` (also ``dropout=0.05``); ``InputError`` on anything else."""
        given = dict(re.findall(r"(r|alpha|dropout)=([0-9.]+)(?:,|$)", text.replace(" ", "")))
        written = ",".join(f"{name}={value}" for name, value in given.items())
        try:
            if written and written == text.replace(" ", ""):
                found = cls(
                    rank=int(given.get("r", 8)),
                    alpha=float(given.get("alpha", 32)),
                    dropout=float(given.get("dropout", 0)),
                )
                if found.rank >= 1 and found.alpha > 0 and 0 <= found.dropout < 1:
                    return found
        except ValueError:
            pass
        raise InputError(
            f"LoRA {text!r} is not known: use r=8,alpha=32 with a rank of 1 or more and an alpha "
            "above 0."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What decides a fine-tuning run, beside the examples.

    Attributes:
        model: Folder of a Hugging Face causal LM or a hub id.
        revision: Branch, tag or commit of a hub id.
        method: ``sft``: cross-entropy on the assistant's turn.
        lora: Train adapters; None trains all weights.
        epochs: Passes over the examples, above 0.
        learning_rate: Its highest value, above 0.
        warmup_ratio: Share of the optimizer steps in which the rate rises.
        schedule: How the rate falls afterwards.
        weight_decay: Of AdamW.
        batch_size: Examples of one forward pass.
        accumulation: Forward passes of one optimizer step.
        max_length: Tokens of an example above which its end is cut.
        accept_cut: Train also where an example would be cut, or nothing of it would be learned.
        target: Whose answer an example ends in.
        dtype: ``auto`` is bfloat16 where the device computes in it, else float32.
        gradient_checkpointing: Compute activations twice to store fewer of them.
        seed: Of the order of examples and of adapters.
        device: ``auto`` takes CUDA, then Apple MPS, then the CPU.
        n_processes: Processes that train together, each on a device of its own; 0 is one for each
            CUDA device that is visible, and one elsewhere.
        log_to: ``tensorboard`` or ``trackio`` files beside the studio's own; "" for none.
    """

    model: str = ""
    revision: str = ""
    method: Method = "sft"
    lora: Lora | None = None
    epochs: float = 1.0
    learning_rate: float = 1e-4
    warmup_ratio: float = 0.05
    schedule: Schedule = "cosine"
    weight_decay: float = 0.0
    batch_size: int = 1
    accumulation: int = 2
    max_length: int = 4096
    accept_cut: bool = False
    target: Target = "own"
    dtype: Dtype = "auto"
    gradient_checkpointing: bool = False
    seed: int = 0
    device: str = "auto"
    n_processes: int = 0
    log_to: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        require_one_of("Method", self.method, METHODS)
        require_one_of("Schedule", self.schedule, SCHEDULES)
        require_one_of("Number type", self.dtype, DTYPES)
        for name, value, least in (
            ("Epochs", self.epochs, 1e-9),
            ("Learning rate", self.learning_rate, 1e-12),
            ("Batch size", self.batch_size, 1),
            ("Accumulation", self.accumulation, 1),
            ("Maximum length", self.max_length, 2),
            ("Number of processes", self.n_processes, 0),
        ):
            if not value >= least:
                raise InputError(f"{name} {value!r} is too small: use {least:g} or more.")
        if not 0 <= self.warmup_ratio < 1:
            raise InputError(
                f"Warm-up ratio {self.warmup_ratio!r} is out of range: use 0 or more, below 1."
            )

    def document(self) -> dict[str, Any]:
        """As JSON values; ``settings_of`` reads them."""
        return asdict(self)


def settings_of(document: Mapping[str, Any]) -> TrainSettings:
    """The settings that ``TrainSettings.document`` wrote."""
    lora = document.get("lora")
    return TrainSettings(**{**document, "lora": Lora(**lora) if lora else None})


PRESETS: Mapping[str, TrainSettings] = MappingProxyType(
    {
        "paper": TrainSettings(lora=Lora(), gradient_checkpointing=True),
        "cpu": TrainSettings(
            learning_rate=5e-4, batch_size=32, accumulation=1, max_length=1024, dtype="float32"
        ),
    }
)
"""``paper``: GRACE's post-training as far as it is stated (arXiv 2605.13130, "Training"): LoRA of
rank 8 and scale 32 on all linear layers, one epoch, rate 1e-4, warm-up 0.05, batch 1, accumulation
2, 4,096 tokens. Optimizer and schedule are not stated; here they are AdamW and cosine. ``cpu``: all
weights of a small model, in minutes on two cores."""


def preset(name: str, **given: Any) -> TrainSettings:
    """The settings of a preset with those that were given in their place.

    Raises:
        InputError: There is no such preset, or a setting is out of range.
    """
    require_one_of("Preset", name, tuple(PRESETS))
    return replace(PRESETS[name], **given)
