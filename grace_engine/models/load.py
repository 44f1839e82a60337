"""How does a model come into memory: which class, dtype and device, and with which adapter?"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from grace_engine.errors import MissingExtraError, ModelError
from grace_engine.models.heads import AutogradHead, Head, find_head
from grace_engine.models.locate import ModelFiles

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# Weights that do not fit which a sentence names.
_NAMED = 2
# How transformers begins what is wrong with a configuration.
_VALIDATOR = re.compile(r"Class validation error for validator '[^']*':\s*\w*Error: ")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedModel:
    """A causal LM ready to score.

    Attributes:
        model: In evaluation mode on ``device``.
        head: Its output layer, checked against its own logits.
        device: Where it is.
    """

    model: nn.Module
    head: Head | AutogradHead
    device: torch.device


def resolve_device(name: str) -> torch.device:
    """``auto`` is CUDA, then MPS, then the CPU; ``ModelError`` where a named one is missing."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"Device {name!r} is not here: {_first_line(error)}") from error
    return device


def device_name(device: torch.device) -> str:
    """``cpu``, ``cuda``, ``cuda:1``: one name for one device."""
    return device.type if device.index in (None, 0) else str(device)


def resolve_dtype(name: str, device: torch.device) -> str:
    """``auto`` is bfloat16 on a CUDA device that computes in it, else float32."""
    if name != "auto":
        return name
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if fast else "float32"


def load_tokenizer(files: ModelFiles, *, trust_remote_code: bool = False) -> Any:
    """The model's tokenizer; ``ModelError`` where it cannot be loaded, or where there is none."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            files.folder, trust_remote_code=trust_remote_code, local_files_only=True
        )
        known = {*tokenizer.get_vocab()} - {*tokenizer.get_added_vocab()}
    except Exception as error:
        raise ModelError(
            f"The tokenizer of {files.name} cannot be loaded: {_first_line(error)}"
        ) from error
    if not known:  # the library makes an empty one where it finds no file
        raise ModelError(
            f"The tokenizer of {files.name} is missing or knows no tokens: {files.folder} holds no "
            "tokenizer.json that fits. Download or export the model again, with its tokenizer."
        )
    return tokenizer


def load_config(files: ModelFiles, *, trust_remote_code: bool = False) -> Any:
    """The model's configuration; ``ModelError`` where it cannot be read or needs remote code."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(
            files.folder, trust_remote_code=trust_remote_code, local_files_only=True
        )
    except Exception as error:  # the library's checks of a configuration raise errors of their own
        raise ModelError(_load_sentence(files, error)) from error


def load_model(
    files: ModelFiles,
    *,
    adapter: ModelFiles | None = None,
    dtype: str = "float32",
    device: torch.device | None = None,
    trust_remote_code: bool = False,
) -> LoadedModel:
    """Load a causal LM from safetensors, merge an adapter, and check its head.

    Raises:
        ModelError: Not a causal LM, weights that do not fit the configuration or that it leaves
            layers of out, code needed, or a head whose gradient is not known.
        MissingExtraError: An adapter without the ``peft`` library.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # loading has a line of its own in our progress

    config = load_config(files, trust_remote_code=trust_remote_code)
    _require_causal(files, config)
    device = device or resolve_device("auto")
    # What does not fit is said below in a sentence, not by the library's table.
    loud = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            files.folder,
            config=config,
            dtype=DTYPES[dtype],
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported, and refused below by name
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(_load_sentence(files, error)) from error
    finally:
        logging.set_verbosity(loud)
    if misfits := _misfits(report, model.state_dict()):
        more = f"; and {len(misfits) - _NAMED:,} more" if len(misfits) > _NAMED else ""
        raise ModelError(
            f"The weights of {files.name} do not fit its configuration: "
            f"{'; '.join(misfits[:_NAMED])}{more}. Download or export it again."
        )
    if adapter is not None:
        model = _with_adapter(model, adapter)
    model = model.to(device).eval().requires_grad_(requires_grad=False)
    try:
        head = find_head(model)
    except ModelError as error:
        raise ModelError(f"{files.name} cannot be scored with. {error}") from error
    return LoadedModel(model=model, head=head, device=device)


def _require_causal(files: ModelFiles, config: Any) -> None:
    """``ModelError`` for an encoder: the library would load it as if it read from left to right."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = config.model_type
    names = (MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES)
    is_encoder = not getattr(config, "is_decoder", True)
    is_pair = getattr(config, "is_encoder_decoder", False)
    if is_encoder and not is_pair and all(kind in known for known in names):
        raise ModelError(
            f"{files.name} is not a causal language model: its config.json says {kind}, which "
            "reads a text in both directions. Name a model that continues texts."
        )


def _misfits(report: Any, known: Iterable[str]) -> list[str]:
    """What is missing, of another shape than the configuration asks for, or left over, in words.

    ``known``: names of the model's weights.
    """
    shapes = [
        f"{name} is {_shape(there)} in the file and {_shape(asked)} in the config"
        for name, there, asked in sorted(report["mismatched_keys"], key=lambda each: str(each[0]))
    ]
    return [
        *shapes,
        *(f"{name} is missing" for name in sorted(report["missing_keys"])),
        *(
            f"{name} is in the file and beyond what the config counts"
            for name in _left_over(report["unexpected_keys"], known)
        ),
    ]


def _left_over(unused: Iterable[str], known: Iterable[str]) -> list[str]:
    """Layers or experts of the file that a model with a smaller count leaves out.

    They have the weights that those of the model have. Other weights may go unused: a head for
    another purpose, or a layer with more weights that predicts tokens further on.
    """
    kinds: dict[str, set[frozenset[str]]] = defaultdict(set)
    for (group, _), weights in _numbered(known).items():
        kinds[group].add(frozenset(weights))
    return [
        f"{group}.{number}"
        for (group, number), weights in sorted(_numbered(unused).items())
        if frozenset(weights) in kinds[group]
    ]


def _numbered(names: Iterable[str]) -> dict[tuple[str, int], set[str]]:
    """What weights each numbered part has, by the name before its number and the number."""
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for name in names:
        words = name.split(".")
        for place, word in enumerate(words):
            if word.isdecimal():
                rest = ".".join(words[place + 1 :])
                found[".".join(words[:place]), int(word)].add(rest)
    return found


def _shape(sizes: Iterable[int]) -> str:
    return " × ".join(map(str, sizes)) or "one number"


def length_limit(config: Any) -> int:
    """Longest sequence in tokens that the model was made for; 0 where it does not say."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", 0) or 0)


def _with_adapter(model: Any, adapter: ModelFiles) -> Any:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise MissingExtraError(
            "An adapter needs the peft library: pip install 'grace-studio[adapters]'"
        ) from error
    try:
        merged = PeftModel.from_pretrained(model, adapter.folder, use_safetensors=True)
        return merged.merge_and_unload()
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise ModelError(
            f"The adapter {adapter.name} does not fit the model: {_first_line(error)}"
        ) from error


def _load_sentence(files: ModelFiles, error: Exception) -> str:
    text = str(error)
    if "trust_remote_code" in text or "custom code" in text:
        return (
            f"{files.name} comes with its own Python code. Read that code, and if you trust it "
            "run again with --trust-remote-code."
        )
    if "Unrecognized configuration class" in text:
        return f"{files.name} is not a causal language model ({_first_line(error)})"
    return f"{files.name} cannot be loaded: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    """What an error says first; of a heading also what stands below it."""
    said = _VALIDATOR.sub("its config.json contradicts itself: ", str(error).strip())
    lines = said.splitlines() or [type(error).__name__]
    return " ".join(line.strip() for line in lines[: 1 + lines[0].endswith(":")])[:300]
