"""Do README and docs show tables of choices for reinforcement learning where results are kept?"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from grace_engine.reproduce import (
    NOISY,
    UNBALANCED,
    GradientNoise,
    NoisyRewards,
    Results,
    ResultTable,
    Unbalanced,
    choice_tables,
    noise_tables,
    read_results,
)

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs" / "rl.md")
TASKS: dict[str, tuple[NoisyRewards | Unbalanced | GradientNoise, Callable[..., object]]] = {
    "noisy-rewards": (NoisyRewards(NOISY), choice_tables),
    "unbalanced": (Unbalanced(UNBALANCED), choice_tables),
    "gradient-noise": (GradientNoise(), noise_tables),
}


@pytest.mark.parametrize("name", TASKS)
def test_the_tables_stand_where_results_are_kept_and_are_theirs(name: str) -> None:
    kept = ROOT / "docs" / "reproductions" / f"{name}.json"
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    marked = [f"<!-- tables of grace reproduce {name} -->" in text for text in texts]
    assert marked == [kept.exists()] * len(PAGES)
    if not kept.exists():
        return
    task, tables_of = TASKS[name]
    found: Results = read_results(kept, name)
    assert found.settings == json.loads(json.dumps(task.settings)), "tuples are lists in JSON"
    assert set(found.asked) == set(task.cells)
    for table in tables_of(found):  # type: ignore[attr-defined]
        assert isinstance(table, ResultTable)
        for text in texts:
            assert table.markdown() in text
