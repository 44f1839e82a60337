"""How are inner products kept where a gradient of millions of numbers is kept as some thousands?"""

from collections.abc import Iterable

import torch
from torch import Tensor

from grace_engine.digests import text_digest

SIZE = 8192
"""Numbers of a projection where nobody says otherwise."""


class Sketch:
    """The seeded sparse Rademacher projection P of a gradient that comes in named blocks.

    Every number of the gradient goes, with a random sign, to one of ``size`` sums (a count sketch):
    time and memory grow with the gradient, not with gradient × size. Inner products are unbiased,
    E⟨Pa, Pb⟩ = ⟨a, b⟩, with a standard deviation of at most √((‖a‖²‖b‖² + ⟨a, b⟩²) / size): of a
    cosine at most √(2 / size), 0.016 with 8,192.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed

    def __call__(self, blocks: Iterable[tuple[str, Tensor]]) -> Tensor:
        """``[size]`` float32 projection on the CPU; blocks are told apart by their names."""
        total = torch.zeros(self.size, dtype=torch.float64)
        for name, block in blocks:
            total += self.of_block(name, block).double().cpu()
        return total.float()

    def of_block(self, name: str, block: Tensor) -> Tensor:
        """``[size]`` what one block adds, on its device."""
        generator = torch.Generator().manual_seed(
            int(text_digest(f"{self.seed}:{name}", size=7), 16)
        )
        flat = block.reshape(-1).float()
        drawn = torch.randint(2 * self.size, (len(flat),), generator=generator)
        drawn = drawn.to(flat.device)
        signed = torch.where(drawn < self.size, flat, -flat)
        found = torch.zeros(self.size, device=flat.device)
        return found.index_add_(0, drawn % self.size, signed)
