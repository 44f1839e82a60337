"""The shipped model, its tokenizer, and traces for it to be trained on."""

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from grace_engine import ingest
from grace_engine.records import Trace
from grace_engine.training import Example, TrainSettings, examples_of, preset
from tests.conftest import SAMPLE

EARLY = SAMPLE / "tiny-reasoner-early"


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(EARLY)


@pytest.fixture(scope="session")
def traces() -> list[Trace]:
    """Twelve planted traces."""
    items = ingest.traces_of(
        SAMPLE / "planted" / "traces.jsonl",
        dataset="planted",
        segmenter=ingest.parse_segmenter("auto"),
    )
    return [item for item, _ in zip(items, range(12), strict=False) if isinstance(item, Trace)]


@pytest.fixture(scope="session")
def examples(traces: list[Trace], tokenizer: PreTrainedTokenizerFast) -> list[Example]:
    found = examples_of(traces, tokenizer)
    return [one for one in found if isinstance(one, Example)]


@pytest.fixture
def settings() -> TrainSettings:
    """Six optimizer steps over twelve examples."""
    return preset("cpu", model=str(EARLY), batch_size=2, max_length=512)
