"""How is everything in this folder made again?

    python sample_data/build.py data       the planted traces and the held-out problems
    python sample_data/build.py model      the tokenizer and both models
    python sample_data/build.py evaluate   the figures of the models that are there
    python sample_data/build.py            all: data, then model, then evaluate

A stopped `model` goes on from its last whole round when it is started again. `evaluate` ends with
status 1 where a model's figures leave the bounds that its card states.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from random import Random

FOLDER = Path(__file__).resolve().parent
# Run as a file, Python looks for modules beside it; `sample_data` itself stands one folder up.
sys.path.insert(0, str(FOLDER.parent))
# Threads that wait actively take the cores from the others' work, and their own: on a busy machine
# waiting passively measures the models in a quarter of the time. To be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen3ForCausalLM,
)

from grace_engine.generator.arithmetic import MAX_STEPS, training_pairs  # noqa: E402
from grace_engine.generator.planting import clean_of_test, plant_many  # noqa: E402
from sample_data.cards import Bounds, Figures, model_card  # noqa: E402
from sample_data.evaluate import held_out_problems, perplexity, score_arithmetic  # noqa: E402
from sample_data.grade_school import read_pairs  # noqa: E402
from sample_data.make_tokenizer import make_tokenizer  # noqa: E402
from sample_data.recipe import Progress, Recipe  # noqa: E402
from sample_data.train_model import make_model, publish, train  # noqa: E402

log = logging.getLogger("sample_data")

PLANTED = FOLDER / "planted" / "traces.jsonl"
HELD_OUT = FOLDER / "planted" / "held_out.jsonl"
HELD_OUT_SEED, HELD_OUT_COUNT = 0, 300
PLANTED_SEED, PLANTED_COUNT, CLEAN_SHARE = 0, 400, 0.4
FINISHED, EARLY = FOLDER / "tiny-reasoner", FOLDER / "tiny-reasoner-early"
STATE = FOLDER / "training.state.pt"
# What a rebuild must reach, here and on other processors, whose rounding leads elsewhere. An early
# model is more like a model at work: it solves most problems and still errs.
BOUNDS = {
    FINISHED.name: Bounds(share=(0.95, 1.0), perplexity=4.5),
    EARLY.name: Bounds(share=(0.7, 0.8), perplexity=9.0),
}
# Of 132 problems the share may lie so far from that of 660: only then is the long look worth it.
_QUICK_LOOK_ERRS = 0.08
THREADS = 2


def planted_lines() -> str:
    """The text of the file of planted traces."""
    traces = plant_many(PLANTED_SEED, PLANTED_COUNT, CLEAN_SHARE)
    return "".join(json.dumps(trace.row()) + "\n" for trace in traces)


def held_out_lines() -> str:
    """The text of the file of held-out problems, each with a clean trace."""
    traces = clean_of_test(HELD_OUT_SEED, HELD_OUT_COUNT)
    return "".join(json.dumps(trace.row()) + "\n" for trace in traces)


def build_data() -> None:
    """Writes the traces with planted errors and the held-out problems."""
    PLANTED.parent.mkdir(exist_ok=True)
    for file, text in ((PLANTED, planted_lines()), (HELD_OUT, held_out_lines())):
        part = file.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(file)
        log.info("wrote %s", file.relative_to(FOLDER))


def build_model() -> None:
    """Trains the tokenizer and the model, and keeps the model once on the way."""
    recipe = Recipe()
    gsm8k, held_out = read_pairs()
    chains = training_pairs(Random("tokenizer"), 60_000, MAX_STEPS)
    tokenizer = make_tokenizer(text for pair in [*gsm8k, *chains] for text in pair)
    untrained = perplexity(make_model(tokenizer, recipe.seed), tokenizer, held_out)
    finished = Progress(rounds=0, seconds=0.0)
    past_early = False

    def save(model: Qwen3ForCausalLM, progress: Progress, folder: Path, figures: Figures) -> None:
        card = model_card(folder.name, recipe, progress, figures, BOUNDS[folder.name])
        publish(model, tokenizer, card, folder)
        log.info("wrote %s: %s", folder.name, figures.summary())

    def after_round(progress: Progress, model: Qwen3ForCausalLM) -> None:
        nonlocal past_early, finished
        finished = progress
        if past_early:
            return
        low, high = BOUNDS[EARLY.name].share
        share = score_arithmetic(model, tokenizer, held_out_problems(1, per_cell=2)).share
        log.info("held-out problems solved: %.0f%%", 100 * share)
        if share < low - _QUICK_LOOK_ERRS:
            return
        figures = measure(model, tokenizer, untrained, per_cell=10)
        if low <= figures.share <= high:
            save(model, progress, EARLY, figures)
        past_early = figures.share >= low

    model = train(recipe, tokenizer, gsm8k, STATE, after_round)
    save(model, finished, FINISHED, measure(model, tokenizer, untrained, per_cell=10))
    STATE.unlink(missing_ok=True)


def measure(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, untrained: float, per_cell: int
) -> Figures:
    """Measures a model on held-out arithmetic and on held-out GSM8K."""
    solved = score_arithmetic(model, tokenizer, held_out_problems(0, per_cell))
    _, held_out = read_pairs()
    return Figures(
        problems=len(solved.problems),
        share=solved.share,
        by_steps=solved.by_steps(),
        by_theme=solved.by_theme(),
        perplexity=perplexity(model, tokenizer, held_out),
        untrained_perplexity=untrained,
        parameters=model.num_parameters(),
    )


def evaluate() -> list[str]:
    """Measures the models that are there, and returns a sentence for each figure out of bounds."""
    missed = []
    for folder in (EARLY, FINISHED):
        if not folder.exists():
            missed.append(f"{folder.name} is not there: run `build.py model` first")
            continue
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        untrained = perplexity(make_model(tokenizer, Recipe().seed), tokenizer, read_pairs()[1])
        figures = measure(model, tokenizer, untrained, per_cell=10)
        log.info("%s\n%s", folder.name, figures.table())
        missed += [f"{folder.name}: {what}" for what in BOUNDS[folder.name].missed_by(figures)]
    return missed


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Makes the sample data again.")
    parser.add_argument(
        "what", choices=("data", "model", "evaluate", "all"), default="all", nargs="?"
    )
    what = parser.parse_args().what
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(THREADS)
    if what in ("data", "all"):
        build_data()
    if what in ("model", "all"):
        build_model()
    if what != "data" and (missed := evaluate()):
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
