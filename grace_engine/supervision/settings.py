"""Which models measure a trace?"""

from dataclasses import dataclass

from grace_engine.config import DTYPES, Dtype, require_one_of
from grace_engine.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureConfig:
    """What decides the metrics of a trace.

    Attributes:
        model: Folder or hub id of the causal LM whose tokenizer counts tokens and whose loss is
            the perplexity; without ``embeddings`` its hidden states are the embeddings, too.
        revision: Branch, tag or commit of a hub id.
        embeddings: Folder or hub id of a sentence-transformers model; "" for hidden states.
        parser: A spaCy pipeline (package or folder), ``auto`` for the installed one of each
            trace's language, "" to leave syntactic depth out.
        dtype: ``auto`` is bfloat16 where the device computes in it, else float32.
        device: ``auto`` takes CUDA, then Apple MPS, then the CPU.
        tokens_per_batch: Padded tokens of one forward pass; 0 for what suits the device.
        trust_remote_code: Allow Python code that comes with a model to run.
    """

    model: str
    revision: str = ""
    embeddings: str = ""
    parser: str = ""
    dtype: Dtype = "auto"
    device: str = "auto"
    tokens_per_batch: int = 0
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Refuse values that nothing could be measured with."""
        require_one_of("Dtype", self.dtype, DTYPES)
        if self.tokens_per_batch < 0:
            raise InputError(f"Tokens per batch must be 0 or more, not {self.tokens_per_batch}.")
