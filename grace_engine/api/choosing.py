"""How is a subset chosen from a scored run, saved, and found again?"""

import json
from collections.abc import Mapping
from typing import Literal, cast

import numpy as np
import pandas as pd

from grace_engine import selection, store
from grace_engine.api.annotating import Annotations, annotations
from grace_engine.api.duplicating import duplicates_in
from grace_engine.api.views import RunView, run_view
from grace_engine.config import (
    STRATEGIES,
    Budget,
    CurateConfig,
    History,
    ProblemStrategy,
    Strategy,
    Weights,
    require_name,
    require_one_of,
)
from grace_engine.digests import text_digest
from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import Annotation, Of, Selection, is_of_problems
from grace_engine.store import Workspace


def curate(
    workspace: Workspace,
    budget: str = "20%",
    *,
    run: str = "latest",
    weights: Weights | None = None,
    strategy: Strategy | ProblemStrategy = "grace",
    seed: int = 0,
    band: str = "0.25-0.75",
    zero_without_variance: bool = False,
    per: str = "",
    cap_per_prompt: int = 0,
    without_duplicates: Of | Literal[""] = "",
    overrides: bool = True,
    name: str = "",
    parent: str = "",
) -> Selection:
    """Choose a subset of a run's traces from stored Grams alone, and save it.

    Of problems, where the run is one of policy gradients (``g-…``) or a set of rollouts (``o-…``),
    or the strategy is one for problems alone: ``curate_problems``, under the same settings.

    The same choice has the same id, whenever it is made. What each setting means stands in
    ``CurateConfig``; ``parent`` is the selection that this one is branched from.

    Raises:
        InputError: A budget, strategy or column that is not known, more kept than it allows,
            duplicates to leave out that were never looked for, or the name of another selection.
        NotFoundError: No such run, or one without scored traces; no such parent.
    """
    config = CurateConfig(
        budget=budget,
        strategy=strategy,
        seed=seed,
        band=band,
        zero_without_variance=zero_without_variance,
        per=per,
        cap_per_prompt=cap_per_prompt,
        without_duplicates=without_duplicates,
        overrides=overrides,
    )
    if chooses_problems(run, strategy):
        from grace_engine.api.problems import curate_problems

        return curate_problems(workspace, config, run, name=name, parent=parent)
    view = run_view(workspace, run, weights)
    said = annotations(workspace) if overrides else None
    twins = duplicates_in(workspace, view, config)
    return save_choice(workspace, view, config, said, twins, name=name, parent=parent)


def chooses_problems(run: str, strategy: str) -> bool:
    """Whether a choice is one of problems: by the run, or by a strategy for problems alone."""
    return is_of_problems(run) or strategy not in STRATEGIES


def save_choice(
    workspace: Workspace,
    view: RunView,
    config: CurateConfig,
    said: Annotations | None,
    duplicates: selection.Duplicates | None = None,
    *,
    name: str = "",
    parent: str = "",
) -> Selection:
    """Save what ``live_choice`` shows, as ``curate`` does, from a view that is at hand."""
    if len(view.signals.trace_ids) == 0:
        raise NotFoundError(f"Run {view.run.id} has scored no trace yet. Run grace score.")
    candidates = candidates_of(view, config, said, duplicates)
    taken = ranked(view, config, candidates).take(Budget.parse(config.budget))
    return save_taken(
        workspace,
        candidates,
        taken,
        config,
        run_id=view.run.id,
        weights=view.weights,
        said=said,
        name=name,
        parent=parent,
    )


def save_taken(
    workspace: Workspace,
    candidates: selection.Candidates,
    taken: selection.Taken,
    config: CurateConfig,
    *,
    run_id: str,
    weights: Weights,
    said: Annotations | None,
    name: str,
    parent: str,
) -> Selection:
    """Save what was taken of candidates, traces or problems, with the reason of each."""
    above = store.get_selection(workspace, parent).id if parent else ""
    choices = selection.choices_of(candidates, taken)
    twins = candidates.duplicates
    spec = {
        "run_id": run_id,
        "strategy": config.strategy,
        "alpha": weights.alpha,
        "history": str(weights.history),
        "aggregate": weights.aggregate,
        "history_only": weights.history_only,
        "budget": config.budget.strip(),
        "seed": config.seed,
    }
    # Left out where not used, so that a choice keeps the id that it had before there were these.
    since = {
        "band": config.band if config.strategy == "band" else "",
        "zero_without_variance": config.zero_without_variance,
        "per": config.per,
        "cap_per_prompt": config.cap_per_prompt,
        "parent": above,
        "without_duplicates": config.without_duplicates,
        "duplicates_threshold": twins.threshold if twins else 0.0,
    }
    used = {field: value for field, value in since.items() if value}
    by_hand = [
        (str(taken.trace_ids[index]), int(taken.forced[index]))
        for index in np.flatnonzero(taken.forced)
    ]
    decided: list[object] = [spec | used, [(c.trace_id, c.selected) for c in choices]]
    decided += [by_hand] if by_hand else []
    digest = text_digest(json.dumps(decided, sort_keys=True), size=4)
    return store.save_selection(
        workspace,
        Selection(
            id=f"s-{digest}",
            name=checked_name(name),
            overrides=config.overrides,
            n_kept=taken.n_kept,
            n_dropped=taken.n_dropped,
            duplicates_older=twins is not None and twins.is_older,
            annotation_version=said.version if said and config.overrides else 0,
            choices=choices,
            **spec | since,  # type: ignore[arg-type]
        ),
    )


def rename_selection(workspace: Workspace, wanted: str, name: str) -> str:
    """Give a selection another name; its id.

    Raises:
        InputError: No name, or one that cannot be used, already means something, or is that of
            another selection.
        NotFoundError: No such selection.
    """
    require_name("Selection", name)
    return store.rename_selection(workspace, wanted, checked_name(name))


def checked_name(name: str) -> str:
    """A name without white space around it; "" for none.

    Raises:
        InputError: It cannot be used, or is ``latest``.
    """
    name = name.strip()
    if name == store.LATEST:
        raise InputError(
            f"A selection cannot be named {store.LATEST!r}: that means the one saved last."
        )
    if name:
        require_name("Selection", name)
    return name


def said_of_name(saved: Selection) -> str:
    """That a choice which was saved again keeps its name; "" where no other was asked for."""
    if not saved.refused_name:
        return ""
    return (
        f"This very choice is saved as {saved.name!r} already ({saved.id}) and keeps that name: "
        f"grace rename-selection {saved.id} {saved.refused_name!r} would rename it."
    )


def said_of_strata(saved: Selection) -> str:
    """That strata took more than the share of the whole, for each rounds it up; "" else."""
    if not saved.per:
        return ""
    return selection.rounded_up_text(
        Budget.parse(saved.budget),
        sum(choice.selected for choice in saved.choices),
        len(saved.choices),
        "problems" if is_of_problems(saved.run_id) else "traces",
    )


def live_choice(
    view: RunView,
    config: CurateConfig,
    annotations: Annotations | None = None,
    duplicates: selection.Duplicates | None = None,
) -> selection.Taken:
    """What ``curate`` would take from a run under these settings: nothing is stored.

    Where they leave duplicates out, ``duplicates_in`` finds those of the run.

    Raises:
        InputError: A column that is not there, more kept than the budget allows, or duplicates
            to leave out that are not given.
    """
    candidates = candidates_of(view, config, annotations, duplicates)
    return ranked(view, config, candidates).take(Budget.parse(config.budget))


def ranked(
    view: RunView, config: CurateConfig, candidates: selection.Candidates
) -> selection.Ranked:
    """A run's candidates in rank order, ready for any budget."""
    strata = None
    if config.per:
        require_column(view, config.per)
        strata = selection.Strata.of(view.traces[config.per])
    return selection.Ranked(candidates, strata=strata, cap=config.cap_per_prompt)


def candidates_of(
    view: RunView,
    config: CurateConfig,
    annotations: Annotations | None,
    duplicates: selection.Duplicates | None = None,
) -> selection.Candidates:
    """A run's traces with what they are ranked by, what curators say of them, and duplicates.

    Raises:
        InputError: Duplicates are to be left out and those given are none, or of something else.
    """
    left_out = duplicates.of if duplicates else ""
    if config.without_duplicates and config.without_duplicates != left_out:
        raise InputError(
            f"A choice without duplicate {config.without_duplicates} needs to be told of them: "
            "api.duplicates_in does that."
        )
    ids = view.signals.trace_ids
    keep, drop, said = by_hand_of(ids, annotations, config)
    groups = None
    if config.cap_per_prompt:
        groups = pd.factorize(view.traces["prompt_digest"])[0].astype(np.int64)
    return selection.Candidates(
        trace_ids=ids,
        record_digests=view.traces["record_digest"].to_numpy(dtype=object),
        values=ranked_by(view, config),
        n_tokens=view.traces["n_tokens"].to_numpy(dtype=np.int64),
        no_value="has no value: one step, and with history only the first step does not count",
        keep=keep,
        drop=drop,
        groups=groups,
        duplicates=duplicates if config.without_duplicates else None,
        said=said,
    )


def by_hand_of(
    ids: np.ndarray, annotations: Annotations | None, config: CurateConfig
) -> tuple[np.ndarray | None, np.ndarray | None, dict[str, str]]:
    """``[N]`` what curators keep, ``[N]`` what they drop, and by id who said so."""
    overrides = annotations.overrides if annotations and config.overrides else {}
    if not overrides:
        return None, None, {}
    found = pd.Index(ids).get_indexer(pd.Index(list(overrides)))
    kept = np.array([entry.word == "keep" for entry in overrides.values()])
    here = found >= 0
    keep, drop = (np.zeros(len(ids), dtype=bool) for _ in range(2))
    keep[found[here & kept]] = True
    drop[found[here & ~kept]] = True
    return keep, drop, said_of(overrides)


def ranked_by(view: RunView, config: CurateConfig) -> np.ndarray:
    """``[N]`` the number that the strategy ranks by.

    Raises:
        InputError: The strategy is one for problems.
    """
    if config.strategy == "grace":
        return view.values
    require_one_of("Strategy for traces", config.strategy, STRATEGIES)
    strategy = cast(Strategy, config.strategy)
    return selection.strategy_values(view.signals, strategy, view.weights, config.seed)


def said_of(overrides: Mapping[str, Annotation]) -> dict[str, str]:
    """Who keeps or drops each trace, and why: ``kept by ana: clean reasoning``."""
    words = {"keep": "kept", "drop": "dropped"}
    return {
        name: f"{words[entry.word]} by {entry.author}"
        + (f": {' '.join(entry.note.split())}" if entry.note.strip() else "")
        for name, entry in overrides.items()
    }


def require_column(view: RunView, column: str) -> None:
    """``InputError`` where the run's traces have no such column to split a budget over."""
    if column not in view.traces.columns:
        offered = [name for name in view.traces.columns if name.startswith("label.")]
        raise InputError(
            f"The traces of run {view.run.id} have no column {column!r}: use one of "
            f"{', '.join(['dataset', 'variant', 'path', 'answer_check', *offered])}."
        )


def weights_of(chosen: Selection) -> Weights:
    """The weights that a selection was made with."""
    return Weights(
        alpha=chosen.alpha,
        history=History.parse(chosen.history),
        aggregate=chosen.aggregate,  # type: ignore[arg-type]
        history_only=chosen.history_only,
    )


def config_of(chosen: Selection) -> CurateConfig:
    """The settings that a selection was made with."""
    return CurateConfig(
        budget=chosen.budget,
        strategy=chosen.strategy,  # type: ignore[arg-type]
        seed=chosen.seed,
        **({"band": chosen.band} if chosen.band else {}),
        zero_without_variance=chosen.zero_without_variance,
        per=chosen.per,
        cap_per_prompt=chosen.cap_per_prompt,
        without_duplicates=chosen.without_duplicates,  # type: ignore[arg-type]
        overrides=chosen.overrides,
    )


def summary(chosen: Selection) -> dict[str, object]:
    """How many traces and tokens are in, of how many, and where the cut lies."""
    taken = [choice for choice in chosen.choices if choice.selected]
    values = [choice.value for choice in taken if choice.value is not None]
    return {
        "selection": chosen.id,
        "name": chosen.name,
        "run": chosen.run_id,
        "strategy": chosen.strategy,
        "alpha": chosen.alpha,
        "history": chosen.history,
        "aggregate": chosen.aggregate,
        "history_only": chosen.history_only,
        "budget": chosen.budget,
        "seed": chosen.seed,
        **({"band": chosen.band} if chosen.band else {}),
        **({"zero_without_variance": True} if chosen.zero_without_variance else {}),
        "per": chosen.per,
        "cap_per_prompt": chosen.cap_per_prompt,
        "without_duplicates": chosen.without_duplicates,
        "duplicates_threshold": chosen.duplicates_threshold,
        "duplicates_older": chosen.duplicates_older,
        "overrides": chosen.overrides,
        "n_kept": chosen.n_kept,
        "n_dropped": chosen.n_dropped,
        "annotation_version": chosen.annotation_version,
        "parent": chosen.parent,
        "n_selected": len(taken),
        "n_traces": len(chosen.choices),
        "tokens_selected": sum(choice.n_tokens for choice in taken),
        "tokens": sum(choice.n_tokens for choice in chosen.choices),
        "lowest_value_selected": float(np.min(values)) if values else None,
    }
