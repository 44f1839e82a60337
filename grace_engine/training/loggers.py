"""Which other program may draw a training's curves, and where does it find them?"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from grace_engine.config import require_one_of
from grace_engine.errors import MissingExtraError
from grace_engine.training.settings import TrainSettings

Logger: TypeAlias = Literal["", "tensorboard", "trackio"]

# The variable that names its folder, for TRL's callback.
_FOLDERS: Mapping[str, str] = MappingProxyType(
    {"tensorboard": "TENSORBOARD_LOGGING_DIR", "trackio": "TRACKIO_DIR"}
)


def require_logger(settings: TrainSettings, folder: Path | None = None) -> str:
    """What TRL's ``report_to`` is called; where its files go, if the folder of a cell is given.

    TensorBoard's go into a folder of that name there. Trackio asks once a process where its one
    database is: in the folder of the run, with a trackio run for each cell.

    Raises:
        InputError: It is not known.
        MissingExtraError: It is not installed.
    """
    name = settings.log_to
    if not name:
        return "none"
    require_one_of("Log", name, tuple(_FOLDERS))
    if find_spec(name) is None:
        # trackio asks for older versions of what others need newer, so it is no extra of ours.
        wanted = "'grace-studio[tensorboard]'" if name == "tensorboard" else name
        raise MissingExtraError(f"Logging to {name} needs the {name} library: pip install {wanted}")
    if folder is not None:
        os.environ[_FOLDERS[name]] = str(
            (folder if name == "tensorboard" else folder.parents[1]) / name
        )
    return name
