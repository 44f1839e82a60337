"""Which traces share a forward pass?"""

from collections.abc import Sequence


def batches_by_tokens(lengths: Sequence[int], tokens_per_batch: int) -> list[list[int]]:
    """Group traces of like length so that padded batches stay within a token budget.

    Longest first: memory that does not suffice is met at once, and the remaining time only shrinks.

    Args:
        lengths: ``[N]`` tokens of each trace.
        tokens_per_batch: Rows times longest row of a batch; a longer trace goes alone.

    Returns:
        Indices into ``lengths``, every one in exactly one batch.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    batches: list[list[int]] = []
    for index in order:
        # Lengths fall, so the first row of a batch is its longest.
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= tokens_per_batch:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
