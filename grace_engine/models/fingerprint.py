"""Is this the same scorer as before, down to the bytes of its files?"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from grace_engine.digests import file_digest, text_digest
from grace_engine.models.locate import ModelFiles

# Raised when a change of the engine moves Grams, so that older ones are not taken for fresh.
ENGINE = "gram-1"

FileDigest: TypeAlias = Callable[[Path], str]


def files_digest(files: ModelFiles | None, digest_of: FileDigest = file_digest) -> str:
    """Digest of the names and bytes of a model's files; "" for none.

    Args:
        files: The model or adapter.
        digest_of: Digest of one file; the store remembers those of unchanged files.
    """
    if files is None:
        return ""
    lines = [f"{path.name} {digest_of(path.resolve())}" for path in files.list()]
    return text_digest("\n".join(lines))


def scorer_fingerprint(*, model_digest: str, adapter_digest: str, **flags: object) -> str:
    """Digest of everything that moves a Gram apart from the trace itself.

    Tokenizer and chat template are among the model's files; what they make of a trace is in the
    trace's own digest of token ids and ranges. ``flags`` are dtype, proxy, parameters and, where
    there is one, the entropy discount: a flag that came later is left out at its old meaning, so
    that Grams from before stay known.
    """
    parts = {"engine": ENGINE, "model": model_digest, "adapter": adapter_digest, **flags}
    return text_digest(json.dumps(parts, sort_keys=True, default=list))
