"""What was measured of each trace, by which recipe, and does it still hold?

A value belongs to the recipe that made it and to the text that was read: where either is another
one, it counts no more, and the trace is to be measured anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from grace_engine.store.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

_HOLDS = """
SELECT metrics.trace_id, metrics.metric, metrics.value, metrics.word
FROM trace_metrics AS metrics
JOIN traces ON traces.trace_id = metrics.trace_id
    AND metrics.text_digest = md5(concat(traces.prompt, chr(0), traces.text, traces.appended))
JOIN wanted_recipes AS wanted
    ON wanted.metric = metrics.metric AND wanted.recipe = metrics.recipe
WHERE metrics.trace_id IN (SELECT trace_id FROM wanted_traces)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTrace:
    """One metric of one trace.

    Attributes:
        trace_id: The trace.
        prompt: What was read: its prompt,
        text: and its text as it is trained on, an appended answer included.
        metric: Name of the metric.
        value: The number; None where the trace has none.
        word: Why it has none; for a metric that is a word (``language``) that word.
    """

    trace_id: str
    prompt: str
    text: str
    metric: str
    value: float | None
    word: str = ""


def trace_metrics(
    workspace: Workspace, ids: Sequence[str], recipes: Mapping[str, str]
) -> "pd.DataFrame":
    """A row a trace and metric whose value holds: trace_id, metric, value, word.

    Args:
        workspace: Where they are.
        ids: Traces.
        recipes: The recipe by which each metric is wanted.
    """
    with workspace.database.reading() as connection:
        connection.register("wanted_traces", pa.table({"trace_id": pa.array(ids, pa.string())}))
        connection.register("wanted_recipes", _recipes(recipes))
        frame: pd.DataFrame = connection.sql(_HOLDS).to_arrow_table().to_pandas()
    return frame


def add_trace_metrics(
    workspace: Workspace, measured: Sequence[MeasuredTrace], recipes: Mapping[str, str]
) -> None:
    """Commit these values in the place of earlier ones of the same traces, metrics and recipes."""
    columns = ("trace_id", "prompt", "text", "metric", "value", "word")
    rows = pa.table(
        {
            name: pa.array(
                [getattr(each, name) for each in measured],
                pa.float64() if name == "value" else pa.string(),
            )
            for name in columns
        }
    )
    with workspace.database.unit() as connection:
        connection.register("incoming_metrics", rows)
        connection.register("wanted_recipes", _recipes(recipes))
        connection.execute(
            "DELETE FROM trace_metrics WHERE (trace_id, metric, recipe) IN (SELECT trace_id, "
            "metric, recipe FROM incoming_metrics JOIN wanted_recipes USING (metric))"
        )
        connection.execute(
            "INSERT INTO trace_metrics SELECT trace_id, metric, recipe, "
            "md5(concat(prompt, chr(0), text)), value, word "
            "FROM incoming_metrics JOIN wanted_recipes USING (metric)"
        )


def _recipes(recipes: Mapping[str, str]) -> pa.Table:
    return pa.table(
        {
            "metric": pa.array(list(recipes), pa.string()),
            "recipe": pa.array(list(recipes.values()), pa.string()),
        }
    )
