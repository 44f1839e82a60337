"""What does a model card of the sample models say?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sample_data.grade_school import HELD_OUT
from sample_data.recipe import Progress, Recipe

_CARD = """\
---
license: apache-2.0
language: en
pipeline_tag: text-generation
---

# {name}

A Qwen3 model of {parameters:,} parameters that solves chained-arithmetic problems step by step and
has read the GSM8K training questions. It is here so that a first run needs no download; it is far
too small for anything else.

{stage}

## Figures

Greedy decoding, exact final answer, problems whose numbers were kept out of training.

{table}

## Training data

- Chained arithmetic by `grace_engine/generator`, drawn anew in each round; problems that hash
  into the test or the planted split are never drawn.
- GSM8K `train.jsonl` without its last {held_out} rows. Every second row ends in "A: 72", the others
  in "#### 72"; so does a tenth of the arithmetic.

## Making it again

`python sample_data/build.py model` trains both models from this repository alone.
`python sample_data/build.py evaluate` measures them. This one was reached after {minutes:.0f}
minutes on two CPU cores. The order of the data and the first weights are fixed by the seed; other
processors and thread counts round differently, so the weights agree in kind and not bit by bit:
{bounds} is what every rebuild must reach, or the build says so and fails.

{settings}

Prompts and answers are rendered as ChatML; the loss is on the answer, and lightly on the prompt.
Weights are stored as 32-bit floats; products were taken in bfloat16 during training.

## Licence

The weights are under Apache-2.0. GSM8K is by OpenAI under the MIT licence, which stands in
`sample_data/gsm8k/LICENSE`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of a model: shares of solved problems, and perplexities on GSM8K."""

    problems: int
    share: float
    by_steps: Mapping[int, float]
    by_theme: Mapping[str, float]
    perplexity: float
    untrained_perplexity: float
    parameters: int

    def summary(self) -> str:
        """One line for the log."""
        return f"{self.share:.1%} solved, GSM8K perplexity {self.perplexity:.2f}"

    def table(self) -> str:
        """The figures as a table."""
        rows = [(f"all {self.problems} problems", f"{self.share:.1%}")]
        rows += [(f"{steps} steps", f"{share:.0%}") for steps, share in self.by_steps.items()]
        rows += [(f"told as {theme}", f"{share:.0%}") for theme, share in self.by_theme.items()]
        what = f"perplexity of the {HELD_OUT} held-out GSM8K answers"
        rows.append((what, f"{self.perplexity:.2f}"))
        rows.append(("the same, untrained model", f"{self.untrained_perplexity:,.0f}"))
        return _table("measured on", "figure", rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a rebuild must reach: the share of solved problems, and at most this perplexity."""

    share: tuple[float, float]
    perplexity: float

    def sentence(self) -> str:
        """The bounds in words."""
        low, high = self.share
        reach = f"at least {low:.0%}" if high == 1 else f"{low:.0%} to {high:.0%}"
        return f"{reach} of the problems solved, a GSM8K perplexity of at most {self.perplexity:g}"

    def missed_by(self, figures: Figures) -> list[str]:
        """What figures lie outside, a sentence each."""
        low, high = self.share
        missed = []
        if not low <= figures.share <= high:
            missed.append(f"solves {figures.share:.1%}, not {low:.0%} to {high:.0%}")
        if figures.perplexity > self.perplexity:
            missed.append(f"GSM8K perplexity {figures.perplexity:.2f} is over {self.perplexity:g}")
        return missed


def model_card(
    name: str, recipe: Recipe, progress: Progress, figures: Figures, bounds: Bounds
) -> str:
    """Writes the card of the model that `recipe` gives at `progress`."""
    rounds = progress.rounds
    stage = f"The run was taken to its end: {rounds} rounds."
    if rounds < recipe.rounds:
        stage = (
            f"Kept on the way, after {rounds} of {recipe.rounds} rounds: it solves most problems "
            "and still errs, as a model at work does."
        )
    settings = _table("setting", "value", [(k, f"{v:g}") for k, v in asdict(recipe).items()])
    return _CARD.format(
        name=name,
        parameters=figures.parameters,
        stage=stage,
        table=figures.table(),
        held_out=HELD_OUT,
        minutes=progress.seconds / 60,
        bounds=bounds.sentence(),
        settings=settings,
    )


def _table(left: str, right: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"| {left} | {right} |", "|---|---|"]
    return "\n".join(lines + [f"| {name} | {value} |" for name, value in rows])
