"""Does another trainer read what was handed over, and do what the settings ask for?"""

import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from transformers import PreTrainedTokenizerFast
from trl import ModelConfig, ScriptArguments, SFTConfig, TrlParser
from trl.trainer.utils import get_peft_config

from grace_engine import api
from grace_engine.api.train_inputs import trainable
from grace_engine.errors import InputError
from grace_engine.training import Lora, TrainSettings, examples_of, preset
from grace_engine.training.elsewhere import TOOLS, elsewhere
from grace_engine.training.trainer import _adapters, _arguments
from tests.training.conftest import EARLY

# What each tool's own sources name: hparams of LLaMA-Factory, schemas of axolotl.
_words = re.compile(r"\w+").findall
LLAMAFACTORY = _words(
    """
model_name_or_path model_revision stage do_train finetuning_type lora_rank lora_alpha lora_dropout
lora_target dataset_dir dataset cutoff_len output_dir num_train_epochs per_device_train_batch_size
gradient_accumulation_steps learning_rate lr_scheduler_type weight_decay max_grad_norm logging_steps
save_strategy seed data_seed warmup_ratio disable_gradient_checkpointing bf16 fp16 optim report_to
"""
)
AXOLOTL = _words(
    """
base_model revision_of_model adapter lora_r lora_alpha lora_dropout lora_target_linear datasets
val_set_size sequence_len excess_length_strategy sample_packing output_dir num_epochs
micro_batch_size gradient_accumulation_steps learning_rate lr_scheduler warmup_ratio weight_decay
max_grad_norm optimizer gradient_checkpointing bf16 fp16 logging_steps seed
"""
)


@pytest.fixture
def mine(own_workspace: api.Workspace) -> api.Workspace:
    api.curate(own_workspace, "25%", name="mine")
    return own_workspace


def settings_with(**given: object) -> TrainSettings:
    given = {"lora": Lora(rank=4, dropout=0.1), "learning_rate": 5e-5} | given
    return preset("paper", model=str(EARLY), **given)


def config_of(tool: str, settings: TrainSettings) -> dict[str, object]:
    text = elsewhere(tool, settings, str(EARLY), "selection s-1").files["train.yaml"]
    assert text.startswith("# Written by GRACE studio from selection s-1.\n# In this folder: ")
    return yaml.safe_load(text)


@pytest.mark.parametrize("lora", [None, Lora(rank=4, dropout=0.1)], ids=["full", "lora"])
def test_trl_reads_its_configuration_as_our_trainer_is_set(
    tmp_path: Path, lora: Lora | None
) -> None:
    settings = settings_with(lora=lora, dtype="float32", revision="main")
    file = tmp_path / "train.yaml"
    file.write_text(elsewhere("trl", settings, str(EARLY), "x").files["train.yaml"])
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig))
    more = ["--config", str(file), "--use_cpu", "true"]
    script, theirs, model = parser.parse_args_and_config(args=more)

    ours = SFTConfig(**_arguments(settings, tmp_path, torch.device("cpu")))
    for name in (
        *("num_train_epochs", "learning_rate", "lr_scheduler_type", "warmup_steps", "max_length"),
        *("per_device_train_batch_size", "gradient_accumulation_steps", "weight_decay", "seed"),
        *("activation_checkpointing", "bf16", "fp16", "optim", "max_grad_norm", "data_seed"),
    ):
        assert getattr(theirs, name) == getattr(ours, name), name
    assert theirs.completion_only_loss is True
    assert script.dataset_name == "./data"
    assert (model.model_name_or_path, model.dtype) == (str(EARLY), "float32")
    adapters, expected = get_peft_config(model), _adapters(settings)
    assert (adapters is None) == (expected is None) == (lora is None)
    if lora is not None:
        for name in ("r", "lora_alpha", "lora_dropout", "target_modules", "task_type"):
            assert getattr(adapters, name) == getattr(expected, name), name


@pytest.mark.parametrize(("tool", "known"), [("llamafactory", LLAMAFACTORY), ("axolotl", AXOLOTL)])
def test_keys_and_numbers_are_those_of_the_tool(tool: str, known: list[str]) -> None:
    found = config_of(tool, settings_with(revision="abc", seed=3))
    assert set(found) == set(known)
    assert found["learning_rate"] == 5e-5
    assert isinstance(found["learning_rate"], float)
    assert found["lora_alpha"] == 32
    assert found["seed"] == 3
    assert found["bf16"] is True
    whole = config_of(tool, settings_with(lora=None, dtype="float32"))
    assert whole["bf16"] is False
    assert not [name for name in whole if "lora" in name or name == "adapter"]
    assert whole.get("finetuning_type", "full") == "full"


def test_a_broken_alpha_is_refused() -> None:
    settings = settings_with(lora=Lora(rank=4, alpha=2.5))
    with pytest.raises(InputError, match="whole LoRA alpha"):
        elsewhere("trl", settings, "m", "x")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_selection_is_handed_over_with_its_rows(
    grace, mine: api.Workspace, tmp_path: Path, tool: str, tokenizer: PreTrainedTokenizerFast
) -> None:
    folder = tmp_path / "out"
    asked = ["train", "mine", "-w", mine.root, "--export-config", tool, "--to", folder, "--json"]
    status, out, err = grace(*asked)
    assert status == 0, err
    assert json.loads(out)["n_rows"] == 10
    rows = [
        json.loads(line) for line in (folder / "data" / "train.jsonl").read_bytes().splitlines()
    ]
    inside = {c.trace_id for c in api.get_selection(mine, "mine").choices if c.selected}
    traces = trainable(mine, "mine").subset()
    expected = {one.token_ids for one in examples_of(traces, tokenizer)}
    found = set()
    for row in rows:
        turns = row.get("messages") or row["prompt"] + row["completion"]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        found.add(tuple(tokenizer(text, add_special_tokens=False)["input_ids"]))
    assert found == expected
    assert len(found) == len(inside) == 10
    if tool == "llamafactory":
        info = json.loads((folder / "data" / "dataset_info.json").read_bytes())["grace"]
        assert (folder / "data" / info["file_name"]).is_file()
        assert info["columns"]["messages"] in rows[0]
        assert info["tags"]["role_tag"] in rows[0]["messages"][0]
    assert grace(*asked)[0] == 0  # the same bytes again
    status, _, err = grace(*asked[:-1], "--lr", 0.1)
    assert status == 1
    assert "train.yaml" in err
    assert "--overwrite" in err


def test_an_unknown_tool_and_a_missing_folder_are_said(
    grace, mine: api.Workspace, tmp_path: Path
) -> None:
    status, _, err = grace("train", "mine", "-w", mine.root, "--export-config", "trl")
    assert status == 1
    assert "--to FOLDER" in err
    asked = ("train", "mine", "-w", mine.root, "--export-config", "swift", "--to", tmp_path / "o")
    status, _, err = grace(*asked)
    assert status == 1
    assert "trl, llamafactory" in err
