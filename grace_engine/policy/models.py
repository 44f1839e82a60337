"""Which model is the policy, and is it the one that it was before?"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from grace_engine import store
from grace_engine.digests import file_digest
from grace_engine.models.fingerprint import files_digest, scorer_fingerprint
from grace_engine.models.load import (
    LoadedModel,
    length_limit,
    load_config,
    load_model,
    load_tokenizer,
    resolve_device,
    resolve_dtype,
)
from grace_engine.models.locate import ModelFiles, locate_adapter, locate_model
from grace_engine.policy.settings import ModelSettings
from grace_engine.store import Workspace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyModel:
    """A policy, found without loading weights.

    Attributes:
        settings: What was asked for.
        files: The model.
        adapter: The adapter, if any.
        tokenizer: The model's.
        device: Where it would run.
        dtype: Such as ``float32``.
        fingerprint: Digest of its files, adapter and dtype.
        limit: Longest sequence in tokens that it was made for; 0 where it does not say.
        tile_elements: Upper bound of elements in one tile over the vocabulary.
    """

    settings: ModelSettings
    files: ModelFiles
    adapter: ModelFiles | None
    tokenizer: Any
    device: torch.device
    dtype: str
    fingerprint: str
    limit: int
    tile_elements: int

    def load(self) -> LoadedModel:
        """Load its weights; ``ModelError`` where that is not possible."""
        return load_model(
            self.files,
            adapter=self.adapter,
            dtype=self.dtype,
            device=self.device,
            trust_remote_code=self.settings.trust_remote_code,
        )


def find_policy(workspace: Workspace, settings: ModelSettings) -> PolicyModel:
    """Find a policy and what tells it apart.

    Raises:
        ModelError: The model, its tokenizer or adapter cannot be used.
    """
    trust = settings.trust_remote_code
    files = locate_model(settings.model, revision=settings.revision, trust_remote_code=trust)
    adapter = locate_adapter(settings.adapter) if settings.adapter else None
    config = load_config(files, trust_remote_code=trust)
    device = resolve_device(settings.device)
    dtype = resolve_dtype(settings.dtype, device)

    def digest_of(path: Path) -> str:
        return store.remembered_digest(workspace, path, file_digest)

    return PolicyModel(
        settings=settings,
        files=files,
        adapter=adapter,
        tokenizer=load_tokenizer(files, trust_remote_code=trust),
        device=device,
        dtype=dtype,
        fingerprint=scorer_fingerprint(
            model_digest=files_digest(files, digest_of),
            adapter_digest=files_digest(adapter, digest_of),
            dtype=dtype,
            policy=True,
        ),
        limit=length_limit(config),
        tile_elements=1 << 21 if device.type == "cpu" else 1 << 25,
    )
