"""How is a pool of generated traces made, scored, and chosen from?"""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from grace_engine import api, selection, store, training
from grace_engine.config import Budget, IngestConfig, ScoreConfig
from grace_engine.generator import plant_pool
from grace_engine.jobs import having_device
from grace_engine.models.load import device_name, load_tokenizer, resolve_device
from grace_engine.models.locate import ModelFiles
from grace_engine.progress import Progress
from grace_engine.reproduce.subset_arms import Arm
from grace_engine.store import Workspace
from grace_engine.training import Example, TrainSettings
from grace_engine.training.loading import weights_of

_Scoring = tuple[str, float]
"""Proxy and entropy discount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """What pools are like, and what scores them.

    Attributes:
        n_traces: Traces of each.
        bad_share: Share of them with a planted fault.
        warm_up: Share of the pool that the scoring model has read once (γ of GRACE, section 2.4);
            0 scores with the model as it is.
        seed: Of the traces and of that share.
    """

    n_traces: int = 2000
    bad_share: float = 0.6
    warm_up: float = 0.05
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A subset.

    Attributes:
        examples: As the trainer sees them, in the order of the pool.
        facts: Numbers of it, as JSON values.
    """

    examples: tuple[Example, ...]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredPool:
    """A pool that was scored: N traces.

    Attributes:
        views: The scored traces by proxy and entropy discount, all in the same order.
        examples: ``N`` of them, in that order.
        kinds: ``[N]`` ``clean``, or the fault.
    """

    views: Mapping[_Scoring, api.RunView]
    examples: tuple[Example, ...]
    kinds: npt.NDArray[np.object_]

    def choose(self, arm: Arm, percent: int, seed: int) -> Chosen:
        """The traces that an arm takes for a share of the pool's tokens of steps and answers."""
        view = self.views[arm.proxy, arm.entropy_discount]
        n_tokens = view.traces["n_tokens"].to_numpy(dtype=np.int64)
        if arm.way == "full":
            return self._chosen(np.ones(len(n_tokens), dtype=bool), n_tokens)
        strategy = "random" if arm.way == "clean" else arm.way
        values = selection.strategy_values(view.signals, strategy, arm.weights, seed)  # type: ignore[arg-type]
        if arm.way == "clean":
            values = np.where(self.kinds == "clean", values, np.nan)
        candidates = selection.Candidates(
            trace_ids=view.signals.trace_ids,
            record_digests=view.traces["record_digest"].to_numpy(dtype=object),
            values=values,
            n_tokens=n_tokens,
        )
        budget = Budget.parse(f"{percent * int(n_tokens.sum()) // 100}tok")
        return self._chosen(selection.take(candidates, budget).selected, n_tokens)

    def _chosen(self, taken: npt.NDArray[np.bool_], n_tokens: npt.NDArray[np.int64]) -> Chosen:
        kinds = Counter(self.kinds[taken].tolist())
        return Chosen(
            examples=tuple(self.examples[place] for place in np.flatnonzero(taken)),
            facts={
                "n_traces": int(taken.sum()),
                "n_tokens": int(n_tokens[taken].sum()),
                "kinds": dict(sorted(kinds.items())),
            },
        )


def score_pools(
    folder: Path,
    names: Iterable[str],
    arms: Sequence[Arm],
    settings: PoolSettings,
    train: TrainSettings,
    model: ModelFiles,
    progress: Progress,
) -> dict[str, ScoredPool]:
    """Make the pools in ``folder``, warm a scorer up on each, and score them for these arms.

    What is there already is not made again: files are written whole, and Grams are kept as any run
    of ``grace score`` keeps them.
    """
    workspace = api.open_workspace(folder / "workspace", create=True)
    wanted: set[_Scoring] = {(arm.proxy, arm.entropy_discount) for arm in arms}
    found = {}
    for name in names:
        file = folder / "pools" / f"{name}.jsonl"
        if not file.exists():
            progress.say(f"Making the pool {name}: {settings.n_traces:,} traces.")
            _write_pool(file, name, settings)
        api.ingest(workspace, [file], IngestConfig(dataset=name), progress)
        traces = [one for batch in store.iter_traces(workspace, [name]) for one in batch]
        examples = {
            one.trace_id: one
            for one in training.examples_of(traces, load_tokenizer(model))
            if isinstance(one, Example)
        }
        scorer = _scorer(folder, name, list(examples.values()), settings, train, model, progress)
        views = {
            scoring: _view(workspace, name, scorer, scoring, progress) for scoring in sorted(wanted)
        }
        any_view = next(iter(views.values()))
        found[name] = ScoredPool(
            views=views,
            examples=tuple(examples[str(one)] for one in any_view.signals.trace_ids),
            kinds=any_view.traces["label.kind"].to_numpy(dtype=object),
        )
    return found


def _write_pool(file: Path, name: str, settings: PoolSettings) -> None:
    file.parent.mkdir(exist_ok=True)
    part = file.with_suffix(".part")
    traces = plant_pool(name, settings.n_traces, settings.bad_share, settings.seed)
    part.write_bytes(b"".join(orjson.dumps(trace.row()) + b"\n" for trace in traces))
    part.replace(file)


def _scorer(
    folder: Path,
    name: str,
    examples: Sequence[Example],
    settings: PoolSettings,
    train: TrainSettings,
    model: ModelFiles,
    progress: Progress,
) -> Path:
    """The model that scores a pool: it has read a seeded share of it once."""
    n_read = round(settings.warm_up * len(examples))
    if not n_read:
        return model.folder
    finished, part = folder / "scorers" / name, folder / "scorers" / f".{name}.part"
    device = device_name(resolve_device(train.device))
    with having_device(device, f"reproduction in {folder}", progress.say):
        if not finished.exists():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            drawn = np.random.default_rng(settings.seed).choice(
                len(examples), n_read, replace=False
            )
            read = [examples[place] for place in sorted(drawn)]
            weights = weights_of(model.folder, train)
            training.train(weights, load_tokenizer(model), read, train, part, progress)
            (part / "model").rename(finished)
            shutil.rmtree(part)
    return finished


def _view(
    workspace: Workspace, name: str, scorer: Path, scoring: _Scoring, progress: Progress
) -> api.RunView:
    proxy, discount = scoring
    config = ScoreConfig(
        model=str(scorer),
        proxy=proxy,  # type: ignore[arg-type]
        entropy_discount=discount,
        datasets=(name,),
    )
    return api.run_view(workspace, api.score(workspace, config, progress).run.id)
