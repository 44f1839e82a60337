"""Which datasets hold the same problems and answers in other words, and what is each trained on?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson

from grace_engine import api, store, training
from grace_engine.api.measuring import measure
from grace_engine.config import IngestConfig
from grace_engine.errors import TraceRejected
from grace_engine.generator import WORDINGS, PlantedTrace, Wording, draw_problems, reword
from grace_engine.models.load import load_tokenizer
from grace_engine.models.locate import ModelFiles
from grace_engine.progress import Progress
from grace_engine.records import Trace
from grace_engine.store import Workspace
from grace_engine.supervision import MeasureConfig
from grace_engine.training import Example

WARM_UP = "warm-up"
"""Name of the dataset that the smaller model learns to solve problems from."""

METRICS = ("tokens", "n_steps", "semantic_alignment", "semantic_flow", "redundancy",
           "symbolic_fraction", "perplexity")  # fmt: skip
"""What is correlated with accuracy. Syntactic depth needs a parser, which is not shipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A dataset of all problems.

    Attributes:
        name: In names of cells.
        wordings: How its solutions are told; two take the problems by turns.
    """

    name: str
    wordings: tuple[Wording, ...]

    @property
    def title(self) -> str:
        """In tables."""
        return self.name if len(self.wordings) == 1 else "half " + ", half ".join(self.wordings)

    def wording_of(self, place: int) -> Wording:
        """How the problem at this place is solved."""
        return self.wordings[place % len(self.wordings)]


VARIANTS = {
    variant.name: variant
    for variant in (
        *(Variant(name=one, wordings=(one,)) for one in WORDINGS),
        *(Variant(name=f"{a}-{b}", wordings=(a, b)) for a, b in combinations(WORDINGS, 2)),
    )
}
"""By name: the four wordings, then each pair by halves. With ten a rank correlation can have a
small p; with four, as in the paper, none can be below .083."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSettings:
    """What the datasets are like.

    Attributes:
        n_problems: Problems of each.
        fewest: Moves of the shortest.
        most: Moves of the longest.
        n_tokens: Tokens, prompts and all, that every model reads of a variant in its one pass.
        seed: Of problems and wordings.
    """

    n_problems: int = 600
    fewest: int = 3
    most: int = 10
    n_tokens: int = 40_000
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WordedPools:
    """Every problem in every wording: N problems.

    Attributes:
        examples: ``N`` as the trainer sees them, by wording.
        metrics: ``N`` values by wording and metric, NaN where a trace has none.
    """

    examples: dict[Wording, tuple[Example, ...]]
    metrics: dict[Wording, dict[str, list[float]]]

    def chosen(self, variant: Variant, n_tokens: int, seed: int) -> list[Example]:
        """A seeded draw of a variant's traces, up to so many tokens."""
        n = len(next(iter(self.examples.values())))
        pool = [self.examples[variant.wording_of(place)][place] for place in range(n)]
        return training.random_examples(pool, n_tokens, seed)

    def means(self, variant: Variant) -> dict[str, float]:
        """Mean of each metric over all traces of a variant that have one."""
        found = {}
        n = len(next(iter(self.examples.values())))
        for name in METRICS:
            values = [self.metrics[variant.wording_of(place)][name][place] for place in range(n)]
            known = [value for value in values if value == value]
            found[name] = sum(known) / len(known)
        return found


def word_pools(
    folder: Path,
    settings: VariantSettings,
    measured_by: Path,
    model: ModelFiles,
    progress: Progress,
) -> WordedPools:
    """Make the pools in ``folder`` and measure them; what is there already is not made again."""
    workspace = api.open_workspace(folder / "workspace", create=True)
    tokenizer = load_tokenizer(model)
    examples: dict[Wording, tuple[Example, ...]] = {}
    metrics: dict[Wording, dict[str, list[float]]] = {}
    problems = draw_problems(
        settings.seed, settings.n_problems, "planted", settings.fewest, settings.most
    )
    for wording in WORDINGS:
        rows = reword(problems, wording, settings.seed)
        traces = _ingested(workspace, folder, wording, rows, progress)
        examples[wording] = _examples(traces, tokenizer)
        ids = [trace.id for trace in traces]
        config = MeasureConfig(model=str(measured_by))
        table = measure(workspace, ids, config, progress).table.loc[ids]
        table = table.assign(n_steps=[float(len(trace.steps)) for trace in traces])
        metrics[wording] = {name: table[name].tolist() for name in METRICS}
    return WordedPools(examples=examples, metrics=metrics)


def warm_up_examples(
    folder: Path, n: int, settings: VariantSettings, model: ModelFiles, progress: Progress
) -> tuple[Example, ...]:
    """Detailed solutions of other problems, such as the shipped models learned from."""
    workspace = api.open_workspace(folder / "workspace", create=True)
    problems = draw_problems(settings.seed, n, "train", 2, settings.most)
    rows = reword(problems, "detailed", settings.seed)
    traces = _ingested(workspace, folder, WARM_UP, rows, progress)
    return _examples(traces, load_tokenizer(model))


def _ingested(
    workspace: Workspace,
    folder: Path,
    name: str,
    rows: Sequence[PlantedTrace],
    progress: Progress,
) -> list[Trace]:
    """The rows as traces of a dataset, in their order."""
    file = folder / "pools" / f"{name}.jsonl"
    if not file.exists():
        progress.say(f"Making {name}: {len(rows):,} traces.")
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_bytes(b"".join(orjson.dumps(row.row()) + b"\n" for row in rows))
        part.replace(file)
    api.ingest(workspace, [file], IngestConfig(dataset=name), progress)
    traces = [trace for batch in store.iter_traces(workspace, [name]) for trace in batch]
    return sorted(traces, key=lambda trace: trace.record.line)


def _examples(traces: Sequence[Trace], tokenizer: Any) -> tuple[Example, ...]:
    found = []
    for one in training.examples_of(traces, tokenizer):
        if not isinstance(one, Example):
            raise TraceRejected(one.reason, one.detail)
        found.append(one)
    return tuple(found)
