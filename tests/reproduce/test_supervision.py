"""Do all datasets hold the same problems, get the same tokens, and lead to the tables' numbers?"""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grace_engine import training
from grace_engine.errors import InputError
from grace_engine.evidence import permutation_p, spearman
from grace_engine.models.load import load_tokenizer
from grace_engine.models.locate import locate_model
from grace_engine.progress import Silent
from grace_engine.reproduce import Results, run, supervision_tables
from grace_engine.reproduce.supervision import (
    Supervision,
    SupervisionRequest,
    cells_of,
    parts_of,
)
from grace_engine.reproduce.supervision_models import SmallerSettings, pruned, smaller_model
from grace_engine.reproduce.supervision_variants import (
    METRICS,
    VARIANTS,
    Variant,
    VariantSettings,
    WordedPools,
    word_pools,
)
from grace_engine.training.loading import weights_of
from tests.conftest import SAMPLE

EARLY, FINISHED = locate_model(str(SAMPLE / "tiny-reasoner-early")), SAMPLE / "tiny-reasoner"
POOL = VariantSettings(n_problems=12, most=4, n_tokens=700)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worded")


@pytest.fixture(scope="module")
def pools(folder: Path) -> WordedPools:
    return word_pools(folder, POOL, FINISHED, EARLY, Silent())


@pytest.mark.long
def test_ten_datasets_hold_the_same_problems_by_halves(pools: WordedPools) -> None:
    assert len(VARIANTS) == 10
    tokenizer = load_tokenizer(EARLY)
    for variant in VARIANTS.values():
        turns = Counter(variant.wording_of(place) for place in range(POOL.n_problems))
        assert set(turns.values()) == {POOL.n_problems // len(variant.wordings)}
    for place in range(POOL.n_problems):
        prompts = {
            tokenizer.decode(each[place].token_ids[: each[place].n_given])
            for each in pools.examples.values()
        }
        assert len(prompts) == 1


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))
def test_every_dataset_gets_the_same_tokens(pools: WordedPools, variant: Variant) -> None:
    for seed in (0, 1):
        chosen = pools.chosen(variant, POOL.n_tokens, seed)
        read = sum(len(one.token_ids) for one in chosen)
        longest = max(len(one.token_ids) for each in pools.examples.values() for one in each)
        assert POOL.n_tokens - longest < read <= POOL.n_tokens
    assert pools.chosen(variant, 700, 0) != pools.chosen(variant, 700, 1)


def test_a_mixture_measures_between_what_it_mixes(pools: WordedPools) -> None:
    a, b, both = (pools.means(VARIANTS[n]) for n in ("detailed", "lengthy", "detailed-lengthy"))
    assert set(a) == set(METRICS)
    assert a["tokens"] < both["tokens"] < b["tokens"]
    # Problem by problem: the first in one wording, the second in the other.
    half = [pools.metrics[w]["redundancy"][k::2] for k, w in enumerate(("detailed", "lengthy"))]
    assert both["redundancy"] == pytest.approx(sum(map(sum, half)) / POOL.n_problems)


def test_the_smaller_model_has_the_wanted_layers_and_is_made_once(folder: Path) -> None:
    train = training.preset("cpu", model=str(EARLY.folder), batch_size=2)
    settings = SmallerSettings(layers=(0, 4), n_neurons=64, n_examples=4, batch_size=2)
    pools = word_pools(folder, POOL, FINISHED, EARLY, Silent())
    examples = pools.examples["detailed"][:4]
    made = smaller_model(folder, settings, examples, train, EARLY, Silent())
    first = (made / "model.safetensors").stat().st_mtime_ns
    assert smaller_model(folder, settings, examples, train, EARLY, Silent()) == made
    assert (made / "model.safetensors").stat().st_mtime_ns == first
    model = weights_of(made, train)  # its files are those of a whole model of another shape
    assert len(model.model.layers) == model.config.num_hidden_layers == 2
    assert model.config.intermediate_size == 64


def test_the_largest_neurons_of_the_wanted_layers_stay() -> None:
    train = training.preset("cpu", model=str(EARLY.folder))
    whole, less = (weights_of(EARLY.folder, train) for _ in range(2))
    pruned(less, (0, 4), 64)
    before, after = whole.model.layers[4].mlp, less.model.layers[1].mlp
    weight = before.up_proj.weight.norm(dim=1) * before.down_proj.weight.norm(dim=0)
    kept = sorted(weight.argsort(descending=True)[:64].tolist())
    assert (after.up_proj.weight == before.up_proj.weight[kept]).all()
    assert (after.gate_proj.weight == before.gate_proj.weight[kept]).all()
    assert (after.down_proj.weight == before.down_proj.weight[:, kept]).all()


def test_cells_are_named_and_read_back() -> None:
    cells = cells_of(("detailed", "detailed-lengthy"), ("shipped", "smaller"), 2)
    assert len(set(cells)) == len(cells) == 2 + 2 + 2 * 2 * 2
    assert parts_of("texts--detailed-lengthy") == ("texts", "detailed-lengthy", 0)
    assert parts_of("smaller--before") == ("smaller", "", 0)
    assert parts_of("shipped--detailed--1") == ("shipped", "detailed", 1)


def test_what_is_not_known_is_a_sentence() -> None:
    for variants, sizes, n_seeds, said in (
        (("terse",), ("shipped",), 1, "Variant 'terse' is not known"),
        (("detailed",), ("huge",), 1, "Size 'huge' is not known"),
        (("detailed",), ("shipped",), 0, "0 seeds train nothing"),
    ):
        with pytest.raises(InputError, match=said):
            cells_of(variants, sizes, n_seeds)


def test_what_decides_a_cell_is_in_the_settings() -> None:
    changed = [
        SupervisionRequest(pool=VariantSettings(n_tokens=9)),
        SupervisionRequest(smaller=SmallerSettings(layers=(0, 1))),
        SupervisionRequest(n_problems=7),
    ]
    assert len({str(Supervision(one).settings) for one in [SupervisionRequest(), *changed]}) == 4
    assert Supervision().settings == Supervision(SupervisionRequest(n_seeds=9)).settings


@pytest.mark.slow
def test_a_whole_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    request = SupervisionRequest(
        pool=VariantSettings(n_problems=12, most=4, n_tokens=700),
        smaller=SmallerSettings(layers=(0, 4), n_examples=8),
        n_problems=4,
        variants=("detailed", "summarised", "lengthy"),
        sizes=("smaller",),
        n_seeds=1,
    )
    first = run(Supervision(replace(request, variants=("detailed",))), tmp_path, Silent())
    whole = run(Supervision(request), tmp_path, Silent())
    assert not whole.missing
    assert {name: whole.found[name] for name in first.found} == first.found
    trained = whole.found["smaller--lengthy--0"]
    assert len(trained["right"]) == 4
    assert trained["n_tokens"] <= 700
    assert trained["n_parameters"] < 1_700_000
    # Four problems may be too few to tell any dataset from another: then nothing correlates.
    trained = [one for one in whole.found.values() if one.get("variant") and "right" in one]
    outcomes = {one["right"].count("1") for one in trained}
    assert len(supervision_tables(whole)) == 3 + (len(outcomes) > 1)


def found_by_hand() -> dict[str, dict[str, Any]]:
    """Four datasets; tokens rank as the shipped model's accuracy, against the smaller one's."""
    solved = {"detailed": 4, "summarised": 1, "babbling": 2, "lengthy": 3}
    found: dict[str, dict[str, Any]] = {}
    for name, n in solved.items():
        metrics = dict.fromkeys(METRICS, 1.0) | {"tokens": 10.0 * n, "redundancy": n % 3}
        found[f"texts--{name}"] = {"variant": name, "metrics": metrics}
        for size, right in (("shipped", n), ("smaller", 5 - n)):
            found[f"{size}--{name}--0"] = {
                "size": size, "variant": name, "seed": 0, "n_parameters": 1_200_000,
                "right": "1" * right + "0" * (5 - right),
                "n_traces": 9, "n_tokens": 900, "n_learned": 450, "n_steps": 2,
            }  # fmt: skip
    found["shipped--before"] = {
        "size": "shipped", "variant": "", "seed": 0, "right": "11000", "n_parameters": 1_200_000,
    }  # fmt: skip
    return found


def test_tables_hold_accuracy_differences_and_exact_correlations() -> None:
    found = found_by_hand()
    settings = {"n_problems": 5, "pool": {"n_tokens": 900}}
    results = Results(name="supervision", settings=settings, asked=tuple(found), found=found)
    solved, correlated, texts, taken = supervision_tables(results)
    rows = {row[0]: row[1:] for row in solved.rows}
    assert rows["nothing (the model before)"][0].startswith("40.0% (")
    assert rows["nothing (the model before)"][2] == "–"
    assert rows["detailed"][0].startswith("80.0% (")
    assert rows["detailed"][1].startswith("+40.0% (")
    assert rows["detailed"][3] == "–"
    by = {row[0]: row[1:] for row in correlated.rows}
    # 4! = 24 orders, of which two agree as well: p = 2 / 24.
    assert by["Length in tokens"][:2] == ("+1.00", ".083")
    assert by["Length in tokens"][3:5] == ("-1.00", ".083")
    assert by["Length in tokens"][6] == "shown at neither size"
    x, y = [1, 1, 2, 0], [4, 1, 2, 3]
    assert by["Redundancy"][0] == f"{spearman(x, y):+.2f}"
    assert by["Redundancy"][1] == f"{permutation_p(x, y).p:.3f}".removeprefix("0")
    assert by["Perplexity"][:2] == ("–", "–")
    assert by["Perplexity"][6] == "–"
    assert "4 are looked at" in correlated.title
    assert "Both sizes' accuracies: ρ -1.00, p .083." in correlated.title
    assert texts.rows[0][:2] == ("detailed", "40.0")
    assert taken.rows[0] == ("detailed", "9", "900", "450", "2", "80.0%, 20.0%")


def test_an_unfinished_run_says_so_and_nothing_makes_no_table() -> None:
    found = found_by_hand()
    settings = {"n_problems": 5, "pool": {"n_tokens": 900}}
    asked = (*found, "smaller--before")
    results = Results(name="supervision", settings=settings, asked=asked, found=found)
    assert "So far 13 of 14 cells." in supervision_tables(results)[0].title
    assert supervision_tables(replace(results, found={})) == ()
    # Two datasets that were trained on have no rank correlation: no table of dashes.
    few = {name: one for name, one in found.items() if "babbling--" not in name}
    few = {name: one for name, one in few.items() if "summarised--" not in name}
    assert len(supervision_tables(replace(results, found=few))) == 3
