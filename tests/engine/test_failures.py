"""Does a trace that fails alone leave its reason, while the run goes on with all others?"""

import os
import resource
from pathlib import Path

import psutil
import pytest
import torch

from grace_engine import api
from grace_engine.config import ScoreConfig
from grace_engine.jobs import Reporter
from grace_engine.models import load
from grace_engine.models.heads import find_head
from grace_engine.models.load import LoadedModel
from grace_engine.records import StepGram
from grace_engine.scoring import plan
from grace_engine.scoring.scorer import Scorer
from tests.conftest import SAMPLE
from tests.scoring.conftest import build, trace

CONFIG = ScoreConfig(model=str(SAMPLE / "tiny-reasoner"), proxy="lm_head", sample=6)


@pytest.fixture
def reporter(tmp_path: Path):
    reporter = Reporter(tmp_path, os.getpid())
    yield reporter
    reporter.end("finished", "")


def test_a_text_on_which_the_tokenizer_fails_is_one_trace_less(
    own_workspace: api.Workspace, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = api.plan(own_workspace, CONFIG)
    harmed = whole.kept[whole.pending[0].trace_id]
    load_tokenizer = plan.load_tokenizer

    def failing(*arguments: object, **options: object) -> object:
        tokenizer = load_tokenizer(*arguments, **options)

        class Failing(type(tokenizer)):
            def __call__(self, texts: object, **settings: object) -> object:
                if not isinstance(texts, str) and harmed.text in texts:
                    raise ValueError("by hand")
                return super().__call__(texts, **settings)

        tokenizer.__class__ = Failing
        return tokenizer

    monkeypatch.setattr(plan, "load_tokenizer", failing)
    report = api.score(own_workspace, CONFIG, reporter)

    assert (report.n_scored, dict(report.by_reason)) == (5, {"tokenizer-error": 1})
    assert reporter.status.failures == {"tokenizer-error": 1}
    (failed,) = api.failed(own_workspace, report.run.id)
    assert failed.trace_id == harmed.trace_id
    assert failed.detail == "the tokenizer failed with ValueError: by hand"


def test_a_trace_whose_losses_are_not_finite_is_one_trace_less(
    own_workspace: api.Workspace, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grace_engine.scoring import run

    kept = api.plan(own_workspace, CONFIG).kept
    tokens = [set(each.token_ids) for each in kept.values()]
    alone = [own - set().union(*(t for t in tokens if t is not own)) for own in tokens]
    harmed, own = next((name, o) for name, o in zip(kept, alone, strict=True) if o)
    load_model = run.load_model

    def harming(*arguments: object, **options: object) -> LoadedModel:
        loaded = load_model(*arguments, **options)
        model = loaded.model
        embeddings = torch.nn.Embedding.from_pretrained(model.get_input_embeddings().weight.clone())
        embeddings.weight[min(own)] = float("inf")
        model.set_input_embeddings(embeddings)
        return loaded

    monkeypatch.setattr(run, "load_model", harming)
    report = api.score(own_workspace, CONFIG, reporter)

    assert dict(report.by_reason) == {"not-finite": 1}
    assert reporter.status.failures == {"not-finite": 1}
    assert [each.trace_id for each in api.failed(own_workspace, report.run.id)] == [harmed]


def test_a_trace_that_does_not_fit_in_memory_alone_is_one_trace_less() -> None:
    model = build("qwen3", attn_implementation="eager")
    loaded = LoadedModel(model=model, head=find_head(model), device=load.resolve_device("cpu"))
    small = [trace(seed, (3, 4)) for seed in range(4)]
    large = trace(9, (8000, 4000))  # its attention alone takes 1.2 GB
    scorer = Scorer(loaded, ScoreConfig())
    expected = scorer.score(small)
    before = resource.getrlimit(resource.RLIMIT_AS)
    held = psutil.Process().memory_info().vms

    resource.setrlimit(resource.RLIMIT_AS, (held + 700_000_000, before[1]))
    try:
        *found, failed = scorer.score([*small, large])
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)

    assert all(isinstance(outcome, StepGram) for outcome in found)
    torch.testing.assert_close(
        torch.tensor([outcome.nll for outcome in found]),
        torch.tensor([outcome.nll for outcome in expected]),
    )
    assert (failed.reason, failed.detail) == (
        "out-of-memory",
        f"{len(large.token_ids)} tokens do not fit in memory alone",
    )
