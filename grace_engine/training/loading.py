"""How are the weights of a local model loaded to be trained or asked?"""

from pathlib import Path
from typing import Any

from grace_engine.models.load import DTYPES, resolve_device, resolve_dtype
from grace_engine.training.settings import TrainSettings


def weights_of(folder: Path, settings: TrainSettings) -> Any:
    """The model in ``folder``, of the settings' number type and on their device."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    device = resolve_device(settings.device)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=DTYPES[resolve_dtype(settings.dtype, device)],
        use_safetensors=True,
        local_files_only=True,
    )
    return model.to(device)
