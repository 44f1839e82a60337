"""What is the running sum within each group of a sequence?"""

import numpy as np

from grace_engine.selection.candidates import Ints


class Grouped:
    """A sequence of N items that belong to groups, counted from 0."""

    def __init__(self, codes: Ints, n_groups: int) -> None:
        self.n_groups = n_groups
        self._sizes = np.bincount(codes, minlength=n_groups)
        # Numpy sorts 16-bit integers in linear time.
        narrow = codes.astype(np.int16) if n_groups <= np.iinfo(np.int16).max else codes
        self._order = np.argsort(narrow, kind="stable") if n_groups > 1 else None
        self._starts = np.cumsum(self._sizes) - self._sizes

    def running(self, amounts: Ints) -> Ints:
        """``[N]`` → ``[N]`` the sum over the items of the same group up to and with each."""
        if self._order is None:
            return np.cumsum(amounts)
        sums = np.cumsum(amounts[self._order])
        before = np.concatenate(([0], sums))[self._starts]
        found = np.empty_like(sums)
        found[self._order] = sums - np.repeat(before, self._sizes)
        return found

    def members(self) -> list[Ints]:
        """Indices of each group, rising."""
        if self._order is None:
            return [np.arange(int(self._sizes.sum()))] * self.n_groups
        return np.split(self._order, self._starts[1:])
