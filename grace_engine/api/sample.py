"""Where are the data and the models that ship with the studio, and how do they become runs?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grace_engine.api.reading import FileIngest, ingest
from grace_engine.config import IngestConfig, Proxy, ScoreConfig
from grace_engine.errors import NotFoundError
from grace_engine.progress import Progress, Silent
from grace_engine.store import Workspace

if TYPE_CHECKING:
    from grace_engine.policy.running import GradientReport
    from grace_engine.scoring import ScoreReport

SAMPLE_DATASETS = {
    "gsm8k-solutions": "gsm8k/model_solutions.jsonl",
    "planted": "planted/traces.jsonl",
}
"""Names of the shipped datasets, and their files in the sample folder."""

SAMPLE_MODELS = ("tiny-reasoner-early", "tiny-reasoner")
"""Folders of the shipped models in the sample folder: on the way, and trained to the end."""

SAMPLE_SCORERS: tuple[tuple[Proxy, float, int], ...] = (
    ("upstream", 0.0, 0),
    ("lm_head", 0.0, 0),
    ("upstream", 10.0, 0),
    ("lm_head", 10.0, 0),
    # A backward pass a segment: all 798 traces would take as long as all the rest three times.
    ("exact", 0.0, 300),
)
"""Proxies and entropy discounts that the shipped traces are compared under, and how many of the
traces each scores; 0 for all."""

SAMPLE_PROBLEMS, SAMPLE_TARGETS = 64, 48
"""Shipped problems that the example of policy gradients chooses from, and holds them against."""

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReport:
    """What the sample workspace holds now.

    Attributes:
        ingested: The shipped files.
        scored: The run of the shipped model.
    """

    ingested: tuple[FileIngest, ...]
    scored: "ScoreReport"


def prepare_sample(workspace: Workspace, progress: Progress | None = None) -> SampleReport:
    """Ingest the shipped traces and score them with the shipped model; done twice it adds nothing.

    Raises:
        NotFoundError: The sample is missing from this installation.
    """
    from grace_engine.api.scoring import score

    progress = progress or Silent()
    return SampleReport(
        ingested=_ingest_sample(workspace, progress),
        scored=score(workspace, ScoreConfig(datasets=tuple(SAMPLE_DATASETS)), progress),
    )


def prepare_problem_sample(
    workspace: Workspace, progress: Progress | None = None
) -> "GradientReport":
    """Have a shipped model answer some shipped problems, and take policy gradients of them.

    It is the one that errs: what is always solved has no gradient. Candidates are problems of
    ``planted``, the target some of its held-out ones. Done twice it adds nothing.

    Raises:
        NotFoundError: The sample is missing from this installation.
    """
    from grace_engine.api.rollouts import GradientSettings, RolloutSettings, gradients, rollout

    progress = progress or Silent()
    _ingest_sample(workspace, progress)
    found = [
        rollout(
            workspace,
            problems,
            RolloutSettings(
                model=str(sample_folder() / SAMPLE_MODELS[0]),
                n=8,
                sample=sample,
                max_new_tokens=400,
                rows_per_batch=128,
            ),
            progress,
        ).rollouts.id
        for problems, sample in (
            (str(sample_folder() / "planted" / "held_out.jsonl"), SAMPLE_TARGETS),
            ("planted", SAMPLE_PROBLEMS),
        )
    ]
    settings = GradientSettings(kind="lm_head", target=found[0], projection=1024, split_half=True)
    return gradients(workspace, found[1], settings, progress)


def score_sample(workspace: Workspace, progress: Progress | None = None) -> list[str]:
    """Score the shipped traces under both shipped models with every proxy; the runs' ids.

    What is scored already is not scored again.

    Raises:
        NotFoundError: The sample is missing from this installation.
    """
    from grace_engine.api.scoring import score

    progress = progress or Silent()
    _ingest_sample(workspace, progress)
    runs = []
    for model in SAMPLE_MODELS:
        for proxy, discount, traces in SAMPLE_SCORERS:
            config = ScoreConfig(
                model=str(sample_folder() / model),
                proxy=proxy,
                entropy_discount=discount,
                sample=traces,
                datasets=tuple(SAMPLE_DATASETS),
            )
            runs.append(score(workspace, config, progress).run.id)
    # It finds all done, and is the latest run again: what pages and commands open by themselves.
    score(workspace, ScoreConfig(datasets=tuple(SAMPLE_DATASETS)), progress)
    return runs


def sample_folder() -> Path:
    """The shipped sample: inside an installed package, or beside it in a checkout.

    Raises:
        NotFoundError: Neither is there.
    """
    for folder in (_PACKAGE / "_sample", _PACKAGE.parent / "sample_data"):
        if all((folder / file).is_file() for file in SAMPLE_DATASETS.values()):
            return folder
    raise NotFoundError("The sample data is missing from this installation: install it again.")


def named_or_shipped(model: str) -> str:
    """A model as it is named, or the folder of the shipped one on the way where none is."""
    return model or str(sample_folder() / "tiny-reasoner-early")


def app_script() -> Path:
    """The Streamlit entry point: inside an installed package, or beside it in a checkout."""
    for script in (_PACKAGE / "_app" / "app.py", _PACKAGE.parent / "app.py"):
        if script.is_file():
            return script
    raise NotFoundError("The app is missing from this installation: install it again.")


def _ingest_sample(workspace: Workspace, progress: Progress) -> tuple[FileIngest, ...]:
    found = []
    for name, file in SAMPLE_DATASETS.items():
        report = ingest(workspace, [sample_folder() / file], IngestConfig(dataset=name), progress)
        if report[0].fault:
            raise NotFoundError(f"The sample cannot be read: {report[0].fault}")
        found.append(report[0])
    return tuple(found)
