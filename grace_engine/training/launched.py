"""What does each process of a training do? ``accelerate launch`` runs this with a cell's folder."""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson

from grace_engine.progress import Silent
from grace_engine.training.examples import Example
from grace_engine.training.launching import EXAMPLES, LAUNCH, STOP
from grace_engine.training.settings import settings_of
from grace_engine.training.trainer import train

_LOOK = 1.0  # seconds between two looks for the process that launched all this


def main(folder: Path) -> int:
    """Take part in the training of a cell; the exit status."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from grace_engine.models.load import DTYPES, resolve_device, resolve_dtype

    _end_with(os.getppid())
    document: dict[str, Any] = orjson.loads((folder / LAUNCH).read_bytes())
    settings = settings_of(document["settings"])
    dtype = DTYPES[resolve_dtype(settings.dtype, resolve_device(settings.device))]
    model = AutoModelForCausalLM.from_pretrained(
        document["model"], dtype=dtype, use_safetensors=True, local_files_only=True
    )
    tokenizer = AutoTokenizer.from_pretrained(document["model"], local_files_only=True)
    try:
        train(
            model, tokenizer, _examples(folder), settings, folder, Silent(), stop_file=folder / STOP
        )
    except KeyboardInterrupt:
        return 0  # the checkpoint is written, and who launched this knows why it ended
    return 0


def _examples(folder: Path) -> list[Example]:
    found = [orjson.loads(line) for line in (folder / EXAMPLES).read_bytes().splitlines()]
    return [Example(**{**one, "token_ids": tuple(one["token_ids"])}) for one in found]


def _end_with(parent: int) -> None:
    """End where the launcher has ended: nobody would stop this, and it holds a device."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="launcher").start()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: accelerate launch -m grace_engine.training.launched CELL_FOLDER")
    sys.exit(main(Path(sys.argv[1])))
