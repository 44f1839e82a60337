"""Where is the data and the model that ship with the studio, and how do they become a workspace?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grace_engine.api.reading import FileIngest, ingest
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.errors import NotFoundError
from grace_engine.progress import Progress, Silent
from grace_engine.store import Workspace

if TYPE_CHECKING:
    from grace_engine.scoring import ScoreReport

DATASET = "gsm8k-solutions"
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReport:
    """What the sample workspace holds now.

    Attributes:
        ingested: The shipped file.
        scored: The run of the shipped model.
    """

    ingested: FileIngest
    scored: "ScoreReport"


def prepare_sample(workspace: Workspace, progress: Progress | None = None) -> SampleReport:
    """Ingest the shipped traces and score them with the shipped model; done twice it adds nothing.

    Raises:
        NotFoundError: The sample is missing from this installation.
    """
    from grace_engine.api.scoring import score

    progress = progress or Silent()
    config = IngestConfig(dataset=DATASET)
    ingested = ingest(workspace, [sample_traces()], config, progress)[0]
    if ingested.fault:
        raise NotFoundError(f"The sample cannot be read: {ingested.fault}")
    return SampleReport(
        ingested=ingested, scored=score(workspace, ScoreConfig(datasets=(DATASET,)), progress)
    )


def sample_folder() -> Path:
    """The shipped sample: inside an installed package, or beside it in a checkout.

    Raises:
        NotFoundError: Neither is there.
    """
    for folder in (_PACKAGE / "_sample", _PACKAGE.parent / "sample_data"):
        if (folder / "gsm8k" / "model_solutions.jsonl").is_file():
            return folder
    raise NotFoundError("The sample data is missing from this installation: install it again.")


def sample_traces() -> Path:
    """The shipped GSM8K model solutions."""
    return sample_folder() / "gsm8k" / "model_solutions.jsonl"


def app_script() -> Path:
    """The Streamlit entry point: inside an installed package, or beside it in a checkout."""
    for script in (_PACKAGE / "_app" / "app.py", _PACKAGE.parent / "app.py"):
        if script.is_file():
            return script
    raise NotFoundError("The app is missing from this installation: install it again.")
