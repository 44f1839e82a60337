"""Which way do the problems of a target set ask a policy to go, on the whole?"""

import math
from pathlib import Path

import torch
from torch import Tensor

from grace_engine.errors import ResourceError
from grace_engine.policy.gradients import Blocks, inner

_COUNT, _SEEN, _DIGEST = "count", "seen", "digest"


class MeanGradient:
    """The running mean ḡ of gradients that come in blocks: one gradient's memory, whatever came.

    It is written down on the way (``save``), so that a run that was killed goes on with the sum
    that it had and ends with the same bits.

    Attributes:
        count: Gradients that were added.
        n_seen: Problems that were seen: those, and those that were passed over.
    """

    def __init__(self, digest: str) -> None:
        """``digest`` says what it is the mean of: a file of something else is not taken for it."""
        self.count = self.n_seen = 0
        self._digest = digest
        self._sums: dict[str, Tensor] = {}

    def add(self, blocks: Blocks) -> None:
        """Take one more gradient."""
        for name, block in blocks:
            if name in self._sums:
                self._sums[name] += block
            else:
                self._sums[name] = block.clone().float()
        self.count += 1
        self.n_seen += 1

    def pass_over(self) -> None:
        """A problem that turned out to have no gradient."""
        self.n_seen += 1

    def of(self, name: str) -> Tensor:
        """The mean's block of this name."""
        return self._sums[name] / self.count

    def norm(self) -> float:
        """‖ḡ‖."""
        # Exactly rounded: a file gives the blocks back in another order.
        return math.sqrt(math.fsum(inner(one, one) for one in self._sums.values())) / self.count

    def save(self, path: Path) -> None:
        """Write the sum down, whole or not at all.

        Raises:
            ResourceError: The disk has no room for it.
        """
        from safetensors.torch import save_file

        part = path.with_name(f"{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(
                {name: one.cpu().contiguous() for name, one in self._sums.items()},
                part,
                metadata={
                    _COUNT: str(self.count),
                    _SEEN: str(self.n_seen),
                    _DIGEST: self._digest,
                },
            )
            part.replace(path)
        except Exception as fault:
            part.unlink(missing_ok=True)
            if not isinstance(fault, OSError) and "No space" not in str(fault):
                raise
            raise ResourceError(
                f"The target's mean gradient cannot be written to {path}: {fault}. Free some "
                "space, or use --kind representation, which is small."
            ) from fault

    def load(self, path: Path, device: torch.device) -> bool:
        """Take up the sum that ``save`` wrote; False where there is none of the same gradients."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get(_DIGEST) != self._digest:
                    return False
                self._sums = {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118
                self.count, self.n_seen = int(metadata[_COUNT]), int(metadata[_SEEN])
        except (OSError, SafetensorError):
            return False
        return True
