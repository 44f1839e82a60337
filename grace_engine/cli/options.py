"""Which flags do several commands share, and what do they read as?"""

import os
from pathlib import Path
from typing import Annotated

import typer

from grace_engine.config import (
    AGGREGATES,
    OF,
    PROBLEM_STRATEGIES,
    STRATEGIES,
    CurateConfig,
    History,
    Weights,
)

DEFAULT_WORKSPACE = Path(os.environ.get("GRACE_WORKSPACE", "workspace"))

WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", "-w", help="Folder of the workspace.", envvar="GRACE_WORKSPACE"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
DatasetsArgument = Annotated[
    list[str] | None, typer.Argument(help="Datasets; all when none is named.")
]
BackgroundOption = Annotated[
    bool,
    typer.Option("--background", help="Go on without this shell: see grace runs, grace cancel."),
]
LimitOption = Annotated[int, typer.Option(min=0, help="At most that many; 0 for all.")]
RunOption = Annotated[
    str,
    typer.Option(
        "--run",
        help="Scoring run: its id, a unique beginning of it, or latest, the one scored with last.",
    ),
]
JudgeOption = Annotated[
    str,
    typer.Option(
        "--judge",
        help="Judge whose labels are shown: its id, latest, or most-read, the one that has read "
        "most of these traces; see grace judges.",
    ),
]
AlphaOption = Annotated[
    float, typer.Option("--alpha", help="Weight of alignment against consistency, 0 to 1.")
]
HistoryOption = Annotated[
    str, typer.Option("--history", help="Weights of earlier steps: uniform, window:W or ema:β.")
]
AggregateOption = Annotated[
    str,
    typer.Option("--aggregate", help=f"From step scores to a value: {', '.join(AGGREGATES)}."),
]
HistoryOnlyOption = Annotated[
    bool,
    typer.Option("--history-only", help="Consistency alone, step 1 left out (an ablation)."),
]
BudgetOption = Annotated[
    str, typer.Option("--budget", help="A share (20%), traces (500) or tokens (1.2Mtok).")
]
StrategyOption = Annotated[str, typer.Option("--strategy", help=f"One of {', '.join(STRATEGIES)}.")]
ChoiceOption = Annotated[
    str,
    typer.Option(
        "--strategy",
        help=f"Of traces: {', '.join(STRATEGIES)}. Of problems: {', '.join(PROBLEM_STRATEGIES)}.",
    ),
]
ChosenRunOption = Annotated[
    str,
    typer.Option(
        "--run",
        help="Scoring run (r-…), or of problems a run of policy gradients (g-…) or a set of "
        "rollouts (o-…): its id, a unique beginning of it, or latest.",
    ),
]
BandOption = Annotated[
    str, typer.Option("--band", help="Pass rates that the strategy band takes: LOW-HIGH.")
]
ZeroOption = Annotated[
    bool,
    typer.Option(
        "--zero-without-variance",
        help="Problems whose rewards are all equal have the value 0, in the place of none.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the strategies random and band.")]
PerOption = Annotated[
    str,
    typer.Option("--per", help="A budget within each value of a column: dataset, label.level, …"),
]
CapOption = Annotated[
    int, typer.Option("--cap", min=0, help="Most traces of one prompt; 0 for any number.")
]
WithoutDuplicatesOption = Annotated[
    str,
    typer.Option(
        "--without-duplicates",
        help=f"Of each group of duplicate {' or '.join(OF)} take the best alone; see grace "
        "duplicates.",
    ),
]
NoOverridesOption = Annotated[
    bool, typer.Option("--no-overrides", help="As if no trace were kept or dropped by hand.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace another file that stands there.")
]


def config_from(
    strategy: str,
    seed: int,
    per: str,
    cap: int,
    without_duplicates: str,
    no_overrides: bool,
    budget: str = "20%",
    *,
    band: str = "0.25-0.75",
    zero_without_variance: bool = False,
) -> CurateConfig:
    """The other settings of a choice that flags ask for; ``InputError`` where one is none."""
    return CurateConfig(
        budget=budget,
        strategy=strategy,  # type: ignore[arg-type]
        seed=seed,
        band=band,
        zero_without_variance=zero_without_variance,
        per=per,
        cap_per_prompt=cap,
        without_duplicates=without_duplicates,  # type: ignore[arg-type]
        overrides=not no_overrides,
    )


def weights_from(alpha: float, history: str, aggregate: str, history_only: bool) -> Weights:
    """The weights that flags ask for; ``InputError`` where one is out of range."""
    return Weights(
        alpha=alpha,
        history=History.parse(history),
        aggregate=aggregate,  # type: ignore[arg-type]
        history_only=history_only,
    )
