"""How is a subset chosen from a scored run, saved, and found again?"""

import json

import numpy as np

from grace_engine import selection, store
from grace_engine.config import STRATEGIES, Budget, Strategy, Weights, require_one_of
from grace_engine.digests import text_digest
from grace_engine.errors import NotFoundError
from grace_engine.records import Selection
from grace_engine.signals import signals_of, trace_tokens
from grace_engine.store import Workspace


def curate(
    workspace: Workspace,
    budget: str = "20%",
    *,
    run: str = "latest",
    weights: Weights | None = None,
    strategy: Strategy = "grace",
    seed: int = 0,
    name: str = "",
) -> Selection:
    """Choose a subset of a run's traces from stored Grams alone, and save it.

    The same choice has the same id, whenever it is made.

    Raises:
        InputError: A budget or strategy that is not known.
        NotFoundError: No such run, or one without scored traces.
    """
    require_one_of("Strategy", strategy, STRATEGIES)
    parsed, weights = Budget.parse(budget), weights or Weights()
    found = store.get_run(workspace, run)
    grams = store.read_grams(workspace, found.id)
    if len(grams.table.trace_ids) == 0:
        raise NotFoundError(f"Run {found.id} has scored no trace yet. Run grace score.")
    signals = signals_of(grams.table, weights.history)
    candidates = selection.Candidates(
        trace_ids=signals.trace_ids,
        record_digests=grams.record_digests,
        values=selection.strategy_values(signals, strategy, weights, seed),
        n_tokens=trace_tokens(signals),
        no_value="has no value: one step, and with history only the first step does not count",
    )
    choices = selection.choose(candidates, parsed)
    spec = {
        "run_id": found.id,
        "strategy": strategy,
        "alpha": weights.alpha,
        "history": str(weights.history),
        "aggregate": weights.aggregate,
        "history_only": weights.history_only,
        "budget": budget.strip(),
        "seed": seed,
    }
    decided = json.dumps([spec, [(c.trace_id, c.selected) for c in choices]], sort_keys=True)
    return store.save_selection(
        workspace,
        Selection(id="s-" + text_digest(decided, size=4), name=name, choices=choices, **spec),  # type: ignore[arg-type]
    )


def weights_of(chosen: Selection) -> Weights:
    """The weights that a selection was made with."""
    from grace_engine.config import History

    return Weights(
        alpha=chosen.alpha,
        history=History.parse(chosen.history),
        aggregate=chosen.aggregate,  # type: ignore[arg-type]
        history_only=chosen.history_only,
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
        "n_selected": len(taken),
        "n_traces": len(chosen.choices),
        "tokens_selected": sum(choice.n_tokens for choice in taken),
        "tokens": sum(choice.n_tokens for choice in chosen.choices),
        "lowest_value_selected": float(np.min(values)) if values else None,
    }
