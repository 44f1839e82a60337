"""Is whatever moves a Gram a new scorer, and what moves none a full cache hit without weights?"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.config import ScoreConfig
from grace_engine.scoring import run as scoring_run
from tests.conftest import SAMPLE

TRACES = 4


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The models whose weights were loaded."""
    loaded: list[object] = []
    load = scoring_run.load_model

    def remembered(files: object, **options: object) -> object:
        loaded.append(files)
        return load(files, **options)

    monkeypatch.setattr(scoring_run, "load_model", remembered)
    return loaded


@pytest.fixture
def config(tmp_path: Path) -> ScoreConfig:
    """Of a copy of the shipped model, which a test may change."""
    model = tmp_path / "model"
    shutil.copytree(SAMPLE / "tiny-reasoner", model)
    return ScoreConfig(model=str(model), sample=TRACES)


def weight(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(model / "model.safetensors")
    weights[next(iter(weights))][0, 0] += 1.0
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})


def tokenizer(model: Path) -> None:
    document = json.loads((model / "tokenizer.json").read_text())
    known = {each["id"] for each in document["added_tokens"]} | {
        *document["model"]["vocab"].values()
    }
    added = {"id": max(known) + 1, "content": "<added>", "special": True}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    document["added_tokens"].append(added | flags)
    (model / "tokenizer.json").write_text(json.dumps(document))


def chat_template(model: Path) -> None:
    (model / "chat_template.jinja").write_text(
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"
    )


def configuration(model: Path) -> None:
    document = json.loads((model / "config.json").read_text())
    document["rms_norm_eps"] = 10 * document["rms_norm_eps"]
    (model / "config.json").write_text(json.dumps(document))


@pytest.mark.long
@pytest.mark.parametrize("change", [weight, tokenizer, chat_template, configuration])
def test_a_changed_file_of_the_model_is_another_scorer(
    own_workspace: api.Workspace,
    config: ScoreConfig,
    loads: list[object],
    change: Callable[[Path], None],
) -> None:
    first = api.score(own_workspace, config)
    assert (first.n_cached, loads) == (TRACES, []), "a copy is the same scorer"

    change(Path(config.model))
    second = api.score(own_workspace, config)

    assert second.run.fingerprint != first.run.fingerprint
    assert second.run.id != first.run.id
    assert (second.n_cached, second.n_scored, len(loads)) == (0, TRACES, 1)


def test_an_adapter_and_a_changed_one_are_other_scorers(
    own_workspace: api.Workspace, config: ScoreConfig, tmp_path: Path
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    lora = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    model = AutoModelForCausalLM.from_pretrained(config.model)
    get_peft_model(model, lora).save_pretrained(tmp_path / "adapter")
    adapted = replace(config, adapter=str(tmp_path / "adapter"))

    reports = [api.score(own_workspace, each) for each in (config, adapted, adapted)]
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    save_file({name: 2 * w for name, w in load_file(file).items()}, file)
    reports.append(api.score(own_workspace, adapted))

    assert len({report.run.fingerprint for report in reports}) == 3
    assert [report.n_scored for report in reports] == [0, TRACES, 0, TRACES]


@pytest.mark.parametrize(
    "change", [{"proxy": "lm_head"}, {"target": "reference"}], ids=lambda change: next(iter(change))
)
def test_another_proxy_or_target_is_another_run(
    own_workspace: api.Workspace, config: ScoreConfig, change: dict[str, object]
) -> None:
    first = api.score(own_workspace, config)

    second = api.score(own_workspace, replace(config, **change))

    assert second.run.id != first.run.id
    if "proxy" in change:
        assert (second.n_cached, second.n_scored) == (0, TRACES)
    again = api.score(own_workspace, replace(config, **change))
    assert (again.n_cached, again.n_scored) == (TRACES - again.n_left, 0)


def test_another_segmentation_is_another_run_whose_other_steps_are_scored(
    own_workspace: api.Workspace, config: ScoreConfig, loads: list[object]
) -> None:
    first = api.score(own_workspace, config)
    (dataset,) = api.datasets(own_workspace)
    api.resegment(own_workspace, dataset.name, "sentences")

    second = api.score(own_workspace, config)

    assert second.run.id != first.run.id
    assert second.run.segmenters == ("sentences",)
    assert second.n_scored + second.n_cached + second.n_rejected == TRACES
    assert second.n_scored > 0
    assert len(loads) == 1


def test_an_unchanged_scorer_loads_no_weights_and_reads_no_file_again(
    own_workspace: api.Workspace,
    config: ScoreConfig,
    loads: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from grace_engine.scoring import plan

    api.score(own_workspace, replace(config, proxy="lm_head"))
    assert len(loads) == 1

    def no_reading(path: Path) -> str:
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr(plan, "file_digest", no_reading)
    report = api.score(own_workspace, replace(config, proxy="lm_head"))

    assert (report.n_cached, report.n_scored, report.n_tokens) == (TRACES, 0, 0)
    assert len(loads) == 1


def test_a_trace_that_failed_is_left_until_it_is_asked_for(
    own_workspace: api.Workspace, config: ScoreConfig, monkeypatch: pytest.MonkeyPatch, grace
) -> None:
    import torch

    from grace_engine.scoring.scorer import Scorer

    config = replace(config, proxy="lm_head")
    harmed = min(api.plan(own_workspace, config).pending, key=lambda t: t.trace_id).trace_id
    works = Scorer._hidden_states

    def broken(self: Scorer, batch: list) -> torch.Tensor:
        if any(trace.trace_id == harmed for trace in batch):
            raise ValueError("by hand")
        return works(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Scorer, "_hidden_states", broken)
        first = api.score(own_workspace, config)
    assert (first.n_scored, first.by_reason) == (TRACES - 1, {"model-error": 1})
    assert [each.detail for each in api.failed(own_workspace, first.run.id)] == [
        "the model failed with ValueError: by hand"
    ]

    left = api.score(own_workspace, config)
    assert (left.n_cached, left.n_left, left.n_scored) == (TRACES - 1, 1, 0)
    flags = ("--model", config.model, "--proxy", "lm_head", "--sample", TRACES, "--dry-run")
    said = grace("score", *flags, "--workspace", own_workspace.root)[2]
    assert f"{TRACES - 1} cached, 1 cannot be scored (1 of them failed before: " in said
    assert "--retry-failed tries again), 0 to run" in said

    again = api.score(own_workspace, replace(config, retry_failed=True))
    assert again.run.id == first.run.id
    assert (again.n_cached, again.n_left, again.n_scored) == (TRACES - 1, 0, 1)
    assert api.failed(own_workspace, first.run.id) == []
