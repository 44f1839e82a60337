"""Do training settings mean what is typed, and refuse what cannot be trained with?"""

import orjson
import pytest

from grace_engine.errors import InputError
from grace_engine.training import Lora, TrainSettings, preset, settings_of


@pytest.mark.parametrize(
    ("text", "lora"),
    [
        ("r=8,alpha=32", Lora(rank=8, alpha=32)),
        ("r=4", Lora(rank=4, alpha=32)),
        ("alpha=16, dropout=0.05", Lora(rank=8, alpha=16, dropout=0.05)),
    ],
)
def test_lora_is_read_and_written(text: str, lora: Lora) -> None:
    assert Lora.parse(text) == lora
    assert Lora.parse(str(lora)) == lora


@pytest.mark.parametrize("text", ["", "r=0", "r=8;alpha=32", "rank=8", "r=8,alpha=0", "r=x"])
def test_lora_of_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="r=8,alpha=32"):
        Lora.parse(text)


@pytest.mark.parametrize(
    "given",
    [
        {"epochs": 0},
        {"learning_rate": 0},
        {"batch_size": 0},
        {"max_length": 1},
        {"warmup_ratio": 1.0},
        {"method": "dpo"},
        {"epochs": float("nan")},
    ],
)
def test_settings_that_train_nothing_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(InputError):
        preset("cpu", **given)


def test_the_papers_preset_is_what_the_paper_states() -> None:
    paper = preset("paper")
    assert paper.lora == Lora(rank=8, alpha=32)
    assert (paper.epochs, paper.learning_rate, paper.warmup_ratio) == (1, 1e-4, 0.05)
    assert (paper.batch_size, paper.accumulation, paper.max_length) == (1, 2, 4096)
    assert paper.gradient_checkpointing


def test_settings_survive_a_run_folder() -> None:
    settings = preset("paper", model="m", seed=3)
    assert settings_of(orjson.loads(orjson.dumps(settings.document()))) == settings
    plain = TrainSettings()
    assert settings_of(orjson.loads(orjson.dumps(plain.document()))) == plain
