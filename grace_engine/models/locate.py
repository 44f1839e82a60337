"""Where are a model's files, and may they be used?

A model is a local folder or a Hugging Face hub id. Weights are read from safetensors only, and
Python code that comes with a model runs only where the user asked for it by name.
"""

from dataclasses import dataclass
from pathlib import Path

from grace_engine.errors import ModelError

WEIGHTS = "*.safetensors"
_DATA = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """A model's folder on this machine.

    Attributes:
        name: As the user named it.
        folder: Where its files are.
        revision: Commit of a hub model; "" for a folder.
    """

    name: str
    folder: Path
    revision: str = ""

    def list(self) -> list[Path]:
        """Files that decide what the model computes, sorted by name."""
        patterns = (WEIGHTS, *_DATA, "*.py")
        return sorted({path for pattern in patterns for path in self.folder.glob(pattern)})


def locate_model(name: str, *, revision: str = "", trust_remote_code: bool = False) -> ModelFiles:
    """Find a causal LM's folder, downloading it from the hub where it is not a local one.

    Raises:
        ModelError: The folder or hub id is missing, gated, offline or holds no safetensors.
    """
    files = _locate(name, revision=revision, extra=("*.py",) if trust_remote_code else ())
    if not (files.folder / "config.json").is_file():
        raise ModelError(f"{name} is not a model: {files.folder} holds no config.json.")
    _require_safetensors(files)
    return files


def locate_adapter(name: str) -> ModelFiles:
    """Find a PEFT adapter's folder; raises ``ModelError`` as ``locate_model`` does."""
    files = _locate(name, revision="", extra=())
    if not (files.folder / "adapter_config.json").is_file():
        raise ModelError(f"{name} is not an adapter: {files.folder} holds no adapter_config.json.")
    _require_safetensors(files)
    return files


def _locate(name: str, *, revision: str, extra: tuple[str, ...]) -> ModelFiles:
    folder = Path(name).expanduser()
    if folder.is_dir():
        if revision:
            raise ModelError(f"{name} is a folder: a revision goes with a hub id only.")
        return ModelFiles(name=name, folder=folder.resolve())
    looks_local = name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name
    if looks_local or folder.exists():
        raise ModelError(f"{name} is not a folder here. Check the path, or give a hub id.")
    return _download(name, revision=revision, patterns=(WEIGHTS, *_DATA, *extra))


def _download(name: str, *, revision: str, patterns: tuple[str, ...]) -> ModelFiles:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        folder = snapshot_download(name, revision=revision or None, allow_patterns=list(patterns))
    except HFValidationError as error:
        raise ModelError(f"{name!r} is neither a folder here nor a hub id.") from error
    except GatedRepoError as error:
        raise ModelError(
            f"{name} is gated: accept its terms on its hub page and log in with `hf auth login`, "
            "then run this again."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{name} has no revision {revision!r} on the hub.") from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"{name} is not on the hub under that name, or is private and you are not logged in "
            "(`hf auth login`)."
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"{name} is not a folder here and the hub cannot be reached. Check the network, or "
            "give the path of a downloaded model."
        ) from error
    # The cache names a snapshot's folder by its commit.
    return ModelFiles(name=name, folder=Path(folder), revision=Path(folder).name)


def _require_safetensors(files: ModelFiles) -> None:
    if any(files.folder.glob(WEIGHTS)):
        return
    if any(path for pattern in _PICKLED for path in files.folder.glob(pattern)):
        raise ModelError(
            f"{files.name} has only pickled weights, which can run code when opened. Convert them "
            "once with `model.save_pretrained(folder)` where you trust them, and give that folder."
        )
    where = files.folder if files.revision else "it"
    raise ModelError(f"{files.name} holds no weights: no {WEIGHTS} in {where}.")
