"""What are the segment gradients at a model's output layer, and their inner products?

All functions take the hidden states that enter the head at the positions that predict a trace's
segment tokens, and walk the vocabulary in tiles of bounded size: no tokens × vocabulary tensor is
ever made, however long the traces or large the vocabulary.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from grace_engine.models.heads import AutogradHead, Head

# More rows than this in a tile only add work to the segment sums.
_TILE_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentGradients:
    """Mean gradients of segments and their losses.

    Attributes:
        gradients: ``[S, d]`` float32 mean over the segment's tokens of ∂L_t/∂h_t.
        nll: ``[S]`` float32 mean negative log-likelihood per token, nats.
    """

    gradients: Tensor
    nll: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentGram:
    """Inner products of the segment gradients of one trace.

    Attributes:
        gram: ``[S, S]`` float32.
        nll: ``[S]`` float32 mean negative log-likelihood per token, nats.
    """

    gram: Tensor
    nll: Tensor


def upstream_gradients(
    head: Head | AutogradHead,
    hidden: Tensor,
    targets: Tensor,
    lengths: Tensor,
    tile_elements: int,
) -> SegmentGradients:
    """Mean hidden-state gradients u_t = Wᵀ(p_t − e_y) of segments (GRACE, section 2.3).

    Wᵀ is applied to the residuals' segment sums, not to each token: half the work.

    Args:
        head: The model's output layer.
        hidden: ``[n, d]`` states that predict the segments' tokens, segment after segment.
        targets: ``[n]`` the tokens themselves.
        lengths: ``[S]`` tokens per segment, summing to n.
        tile_elements: Upper bound of elements in one rows × vocabulary tile.
    """
    n, n_segments = hidden.shape[0], lengths.shape[0]
    segment = torch.repeat_interleave(torch.arange(n_segments, device=lengths.device), lengths).to(
        hidden.device
    )
    shares = (1.0 / lengths.to(hidden.device).float())[segment]
    gradients = torch.zeros((n_segments, hidden.shape[1]), device=hidden.device)
    nll = torch.zeros(n, device=hidden.device)
    rows = max(1, min(_TILE_ROWS, tile_elements // head.vocabulary))
    ends = segment.tolist()
    for first in range(0, n, rows):
        tile = slice(first, min(first + rows, n))
        seen = slice(ends[tile.start], ends[tile.stop - 1] + 1)
        if isinstance(head, Head):
            raw, nll[tile] = _raw_gradient(head, hidden[tile], targets[tile])
            spread = torch.zeros((seen.stop - seen.start, raw.shape[0]), device=raw.device)
            here = segment[tile] - seen.start
            spread[here, torch.arange(raw.shape[0], device=raw.device)] = shares[tile]
            gradients[seen] += head.pull_back(spread @ raw, tile_elements)
        else:
            u, nll[tile] = _autograd_gradient(head, hidden[tile], targets[tile])
            gradients.index_add_(0, segment[tile], u * shares[tile, None])
    return SegmentGradients(gradients=gradients, nll=_segment_means(nll, segment, shares, lengths))


def lm_head_gram(
    head: Head, hidden: Tensor, targets: Tensor, lengths: Tensor, tile_elements: int
) -> SegmentGram:
    """Inner products of ∂L/∂W of one trace's segments, W the output layer's weight.

    ∂L_t/∂W = δ_t ⊗ h_t, so ⟨g_i, g_j⟩ = mean over token pairs of (δ_t·δ_s)(h_t·h_s): no gradient is
    formed. Long traces go by segments instead (each V × d, a slice of the vocabulary at a time)
    where that is cheaper. Arguments as ``upstream_gradients``.
    """
    n, d = hidden.shape
    n_segments = lengths.shape[0]
    segment = torch.repeat_interleave(torch.arange(n_segments), lengths.cpu()).to(hidden.device)
    shares = (1.0 / lengths.to(hidden.device).float())[segment]
    # Multiply-adds per vocabulary entry: n² by pairs, n·d and the products of S segments otherwise.
    by_pairs = n * n <= d * (n + n_segments**2) and n * n <= 4 * tile_elements
    states = hidden.float()
    columns = max(1, tile_elements // (n if by_pairs else max(n, n_segments * d)))
    normaliser, chosen = _log_normaliser(head, hidden, targets, columns)
    total = torch.zeros((n, n) if by_pairs else (n_segments, n_segments), device=hidden.device)
    bounds = [0, *torch.cumsum(lengths.cpu(), 0).tolist()]
    for first in range(0, head.vocabulary, columns):
        part = slice(first, min(first + columns, head.vocabulary))
        raw = _raw_gradient_slice(head, hidden, targets, normaliser, part)
        if by_pairs:
            total += raw @ raw.T
        else:
            raw *= shares[:, None]
            pieces = [raw[i:j].T @ states[i:j] for i, j in pairwise(bounds)]
            flat = torch.stack(pieces).flatten(1)
            total += flat @ flat.T
    if by_pairs:
        spread = torch.zeros((n_segments, n), device=hidden.device)
        spread[segment, torch.arange(n, device=hidden.device)] = shares
        total = spread @ (total * (states @ states.T)) @ spread.T
    nll = _segment_means(normaliser - chosen, segment, shares, lengths)
    return SegmentGram(gram=total, nll=nll)


def _segment_means(nll: Tensor, segment: Tensor, shares: Tensor, lengths: Tensor) -> Tensor:
    means = torch.zeros(lengths.shape[0], device=nll.device)
    return means.index_add_(0, segment, nll * shares)


def _raw_gradient(head: Head, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """δ ``[n, V]`` = ∂L/∂(W h + b) and the loss ``[n]`` of each token."""
    logits = head.logits(hidden)
    rows = torch.arange(len(targets), device=hidden.device)
    normaliser = torch.logsumexp(logits, dim=1)
    losses = normaliser - logits[rows, targets]
    # The logits are needed again with a softcap only; without one their memory is used over.
    kept = logits.clone() if head.softcap else None
    residual = logits.sub_(normaliser[:, None]).exp_()
    residual[rows, targets] -= 1.0
    return head.raw_gradient_(residual, kept), losses


def _autograd_gradient(
    head: AutogradHead, hidden: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """U ``[n, d]`` by autograd of the loss with respect to h, and the loss ``[n]``."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaf = hidden.detach().clone().requires_grad_()
        losses = torch.nn.functional.cross_entropy(
            head.logits(leaf), targets.clone(), reduction="none"
        )
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
    return gradient.float(), losses.detach()


def _log_normaliser(
    head: Head, hidden: Tensor, targets: Tensor, columns: int
) -> tuple[Tensor, Tensor]:
    """Log Σ exp(z) ``[n]`` and the target's logit ``[n]``, a slice of the vocabulary at a time."""
    n = hidden.shape[0]
    total = torch.full((n,), -torch.inf, device=hidden.device)
    chosen = torch.zeros(n, device=hidden.device)
    for first in range(0, head.vocabulary, columns):
        part = slice(first, min(first + columns, head.vocabulary))
        logits = head.logits(hidden, part)
        total = torch.logaddexp(total, torch.logsumexp(logits, dim=1))
        rows = torch.nonzero((targets >= part.start) & (targets < part.stop)).flatten()
        chosen[rows] = logits[rows, targets[rows] - part.start]
    return total, chosen


def _raw_gradient_slice(
    head: Head, hidden: Tensor, targets: Tensor, normaliser: Tensor, part: slice
) -> Tensor:
    """δ ``[n, v]`` of a slice of the vocabulary.

    The one-hot is subtracted inside the slice: expanded products p·p − p_y − p_y + 1 cancel for
    confident tokens.
    """
    logits = head.logits(hidden, part)
    residual = torch.exp(logits - normaliser[:, None])
    rows = torch.nonzero((targets >= part.start) & (targets < part.stop)).flatten()
    residual[rows, targets[rows] - part.start] -= 1.0
    return head.raw_gradient_(residual, logits)
