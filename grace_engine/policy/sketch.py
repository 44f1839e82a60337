"""How are inner products kept where a gradient of millions of numbers is kept as some thousands?"""

from collections.abc import Iterable

import torch
from torch import Tensor

from grace_engine.digests import text_digest

SIZE = 8192
"""Numbers of a projection where nobody says otherwise."""

_REMEMBERED = 1 << 23
"""Numbers of a gradient whose signs and places are kept between problems: 4 bytes each."""


class Sketch:
    """The seeded sparse Rademacher projection P of a gradient that comes in named blocks.

    Every number of the gradient goes, with a random sign, to one of ``size`` sums (a count sketch):
    time and memory grow with the gradient, not with gradient × size. Inner products are unbiased,
    E⟨Pa, Pb⟩ = ⟨a, b⟩, with a standard deviation of at most √((‖a‖²‖b‖² + ⟨a, b⟩²) / size): of a
    cosine at most √(2 / size), 0.016 with 8,192.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        self._drawn: dict[str, Tensor] = {}

    def __call__(self, blocks: Iterable[tuple[str, Tensor]]) -> Tensor:
        """``[size]`` float32 projection on the CPU; blocks are told apart by their names."""
        total = torch.zeros(self.size, dtype=torch.float64)
        for name, block in blocks:
            total += self.of_block(name, block).double().cpu()
        return total.float()

    def of_block(self, name: str, block: Tensor) -> Tensor:
        """``[size]`` what one block adds, on its device."""
        flat = block.reshape(-1).float()
        drawn = self._draw(name, len(flat)).to(flat.device)
        signed = torch.where(drawn < self.size, flat, -flat)
        found = torch.zeros(self.size, device=flat.device)
        return found.index_add_(0, drawn % self.size, signed)

    def _draw(self, name: str, length: int) -> Tensor:
        """``[length]`` where each number goes, and beyond ``size`` with which sign."""
        if name in self._drawn and len(self._drawn[name]) == length:
            return self._drawn[name]
        generator = torch.Generator().manual_seed(
            int(text_digest(f"{self.seed}:{name}", size=7), 16)
        )
        drawn = torch.randint(2 * self.size, (length,), generator=generator).int()
        if length + sum(map(len, self._drawn.values())) <= _REMEMBERED:
            self._drawn[name] = drawn
        return drawn
