"""Does a scoring run lose nothing, double nothing, and take nothing stale for fresh?"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grace_engine import api, store
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.errors import DiskFullError, ModelError, ResourceError
from grace_engine.models.fingerprint import files_digest, scorer_fingerprint
from grace_engine.models.locate import locate_model
from grace_engine.progress import Silent

MODEL = Path(__file__).resolve().parents[2] / "sample_data" / "tiny-reasoner"
CONFIG = ScoreConfig(model=str(MODEL))
# Of a Gram's largest entry. Where a trained model is sure of an answer, the rounding of the forward
# pass itself is amplified: over 200 sample traces and four batch sizes the worst was 1.1e-5. On
# random models (tests/scoring) the bound is 1e-5.
TOLERANCE = 2e-5


@pytest.fixture
def unscored(sample_file: Path, tmp_path: Path) -> api.Workspace:
    workspace = api.open_workspace(tmp_path / "workspace", create=True)
    api.ingest(workspace, [sample_file], IngestConfig(dataset="solutions"))
    return workspace


def packed(workspace: api.Workspace, run: str = "latest") -> dict[str, np.ndarray]:
    """Gram of every trace of a run."""
    grams = store.read_grams(workspace, api.get_run(workspace, run).id).table
    offsets = grams.packed_offsets
    return {
        name: grams.packed[offsets[i] : offsets[i + 1]] for i, name in enumerate(grams.trace_ids)
    }


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, gram in expected.items():
        np.testing.assert_allclose(found[name], gram, rtol=0, atol=TOLERANCE * np.abs(gram).max())


class StopsAfter(Silent):
    """Interrupts a run, as Ctrl-C does, after some batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches
        self.scoring = False
        self.began: list[tuple[int, int]] = []

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        self.scoring = what == "Scoring"
        if self.scoring:
            self.began.append((done, total))

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        self.left -= self.scoring
        if self.left == 0:
            raise KeyboardInterrupt


class Counting(Silent):
    """Counts what it is told is scored."""

    def __init__(self) -> None:
        self.phase, self.done = "", 0

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        self.phase, self.done = what, done

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        self.done += amount


def test_a_run_that_cannot_store_counts_as_done_what_is_stored(
    unscored: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_scored, calls, told = store.add_scored, [0], Counting()

    def add(*arguments: object) -> None:
        calls[0] += 1
        if calls[0] > 2:
            raise DiskFullError("The disk is full.")
        add_scored(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "add_scored", add)
    monkeypatch.setattr("grace_engine.scoring.run._COMMIT_SECONDS", 0.0)

    with pytest.raises(DiskFullError):
        api.score(unscored, replace(CONFIG, tokens_per_batch=1000), told)

    assert told.phase == "Scoring"
    assert 0 < told.done == api.get_run(unscored).n_scored < 39


def test_an_interrupted_run_keeps_what_it_did_and_ends_as_an_uninterrupted_one(
    unscored: api.Workspace, scored_workspace: api.Workspace
) -> None:
    with pytest.raises(KeyboardInterrupt):
        api.score(unscored, replace(CONFIG, tokens_per_batch=1000), StopsAfter(3))
    kept = api.get_run(unscored).n_scored
    assert 0 < kept < 39
    told = StopsAfter(-1)
    report = api.score(unscored, replace(CONFIG, tokens_per_batch=3000), told)
    assert (report.n_cached, report.n_scored) == (kept, 39 - kept)
    assert told.began == [(kept, 39)], "what was done before counts"
    assert_same(packed(unscored), packed(scored_workspace))


@pytest.mark.long
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_tokenizers_padding_side_moves_no_gram(
    unscored: api.Workspace,
    scored_workspace: api.Workspace,
    monkeypatch: pytest.MonkeyPatch,
    side: str,
) -> None:
    from grace_engine.scoring import plan

    load = plan.load_tokenizer

    def padded(*arguments: object, **options: object) -> object:
        tokenizer = load(*arguments, **options)
        tokenizer.padding_side = side
        return tokenizer

    monkeypatch.setattr(plan, "load_tokenizer", padded)
    api.score(unscored, CONFIG)
    assert_same(packed(unscored), packed(scored_workspace))


def test_a_sample_is_part_of_the_run_that_later_scores_all(unscored: api.Workspace) -> None:
    sample = api.score(unscored, replace(CONFIG, sample=5))
    assert (sample.run.n_scored, sample.run.n_pending) == (5, 34)
    whole = api.score(unscored, CONFIG)
    assert whole.run.id == sample.run.id
    assert (whole.n_cached, whole.n_scored, whole.run.n_pending) == (5, 34, 0)


def test_another_dataset_name_is_another_run_that_shares_the_grams(
    unscored: api.Workspace, sample_file: Path
) -> None:
    first = api.score(unscored, CONFIG)
    api.ingest(unscored, [sample_file], IngestConfig(dataset="copy"))
    second = api.score(unscored, replace(CONFIG, datasets=("copy",)))
    assert second.run.id != first.run.id
    assert (second.n_cached, second.n_scored) == (39, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"proxy": "lm_head"},
        {"target": "reference"},
        {"dtype": "bfloat16"},
        {"with_marks": True},
        {"with_end_token": True},
        {"entropy_discount": 10.0},
    ],
)
def test_a_changed_setting_is_another_run_and_nothing_stale_is_taken(
    own_workspace: api.Workspace, change: dict[str, object]
) -> None:
    before = api.get_run(own_workspace)
    config = replace(CONFIG, sample=4, **change)
    report = api.score(own_workspace, config)
    assert report.run.id != before.id
    # A reference answer equal to the trace's own is the very same input: that Gram may be shared.
    assert report.n_scored + report.n_cached == 4
    if change != {"target": "reference"}:
        assert report.n_scored == 4


def test_without_a_discount_the_fingerprint_is_that_of_grams_from_before_there_was_one(
    scored_workspace: api.Workspace,
) -> None:
    before = scorer_fingerprint(
        model_digest=files_digest(locate_model(str(MODEL))),
        adapter_digest="",
        dtype="float32",
        proxy="upstream",
        parameters=(),
    )
    found = [
        api.plan(scored_workspace, replace(CONFIG, dtype="float32", entropy_discount=discount)).run
        for discount in (0, 0.0, 10, 10.0, 5.0)
    ]
    assert [run.entropy_discount for run in found] == [0.0, 0.0, 10.0, 10.0, 5.0]
    none, plain, ten, same, five = (run.fingerprint for run in found)
    assert none == plain == before
    assert ten == same
    assert len({plain, ten, five}) == 3
    assert found[2].id == found[3].id != found[0].id


def test_a_changed_weight_is_another_fingerprint_under_the_same_name(
    own_workspace: api.Workspace, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    model = tmp_path / "model"
    shutil.copytree(MODEL, model)
    config = ScoreConfig(model=str(model), sample=3)
    first = api.score(own_workspace, config)
    assert first.n_cached == 3  # the same files by digest, under another name
    weights = load_file(model / "model.safetensors")
    name = next(iter(weights))
    weights[name][0, 0] += 1.0
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    second = api.score(own_workspace, config)
    assert second.n_scored == 3
    assert second.run.fingerprint != first.run.fingerprint


def test_too_long_a_trace_is_rejected_with_its_length_and_never_cut(
    unscored: api.Workspace,
) -> None:
    report = api.score(unscored, replace(CONFIG, max_length=150))
    assert 0 < report.by_reason["too-long"] < 39
    assert report.run.n_rejected == report.by_reason["too-long"]
    assert "limit 150" in api.failed(unscored)[0].detail
    lengths = [len(gram) for gram in packed(unscored).values()]
    assert len(lengths) == report.run.n_scored


def test_exact_says_what_memory_it_needs_and_refuses_what_does_not_fit(
    unscored: api.Workspace,
) -> None:
    said: list[str] = []

    class Listening(Silent):
        def say(self, message: str) -> None:
            said.append(message)

    config = replace(CONFIG, proxy="exact", parameters=("*.layers.0.*norm*",), sample=2)
    report = api.score(unscored, config, Listening())
    assert report.n_scored == 2
    assert any("GB of" in message and "backward passes" in message for message in said)
    with pytest.raises(ResourceError, match="may be used"):
        api.score(unscored, replace(config, parameters=(), gradient_memory=1000, sample=3))


def test_the_shipped_model_makes_real_scores(scored_workspace: api.Workspace) -> None:
    view = api.run_view(scored_workspace)
    assert np.isfinite(view.values).all()
    # It has read such text: an untrained model loses log 2048 = 7.6 nats a token.
    assert (view.signals.nll * view.signals.n_tokens).sum() / view.signals.n_tokens.sum() < 2.0
    # Cosines of unrelated directions in 160 dimensions spread by 1/√160 = 0.08; steps are related.
    assert view.signals.alignment.std() > 2 / 160**0.5
    assert np.nanstd(view.signals.consistency) > 2 / 160**0.5


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda m: (m / "model.safetensors").unlink(), "holds no weights"),
        (lambda m: (m / "model.safetensors").rename(m / "pytorch_model.bin"), "pickled weights"),
        (lambda m: (m / "config.json").unlink(), "no config.json"),
        (lambda m: (m / "tokenizer.json").write_text("{"), "tokenizer"),
        (lambda m: (m / "model.safetensors").write_bytes(b"\0" * 64), "cannot be loaded"),
    ],
    ids=["no weights", "pickle only", "no config", "broken tokenizer", "broken weights"],
)
def test_a_broken_model_is_one_sentence(
    unscored: api.Workspace, tmp_path: Path, break_it, said: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(MODEL, model)
    break_it(model)
    with pytest.raises(ModelError, match=said):
        api.score(unscored, ScoreConfig(model=str(model), sample=1))


def test_a_hub_id_without_network_is_one_sentence(
    unscored: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="the hub cannot be reached"):
        api.score(unscored, ScoreConfig(model="someone/some-model"))


def test_an_adapter_is_merged_and_moves_the_grams(
    own_workspace: api.Workspace, tmp_path: Path
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(MODEL)
    adapted = get_peft_model(
        model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    )
    adapted.save_pretrained(tmp_path / "adapter")
    report = api.score(own_workspace, replace(CONFIG, adapter=str(tmp_path / "adapter"), sample=3))
    assert report.n_scored == 3
    plain = packed(own_workspace, api.list_runs(own_workspace)[1].id)
    for name, gram in packed(own_workspace).items():
        assert np.abs(gram - plain[name]).max() > 1e-4 * np.abs(gram).max()


def test_a_missing_peft_names_the_exact_install_line(
    own_workspace: api.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from grace_engine.errors import MissingExtraError

    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'grace-studio\[adapters\]'"):
        api.score(own_workspace, replace(CONFIG, adapter=str(tmp_path), sample=1))
