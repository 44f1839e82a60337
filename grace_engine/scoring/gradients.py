"""What are the segment gradients at a model's output layer, and their inner products?

All functions take the hidden states that enter the head at the positions that predict a trace's
segment tokens, and walk the vocabulary in tiles of bounded size: no tokens × vocabulary tensor is
ever made, however long the traces or large the vocabulary.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from grace_engine.models.heads import AutogradHead, Head

# More rows than this in a tile only add work to the segment sums.
_TILE_ROWS = 256
# Numbers that are summed in a row before their sum joins others.
_SUMMED = 4096


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
    rest, chosen = _log_rest(head, hidden, targets, columns)
    losses = nn.functional.softplus(rest - chosen)
    total = torch.zeros((n, n) if by_pairs else (n_segments, n_segments), device=hidden.device)
    bounds = [0, *torch.cumsum(lengths.cpu(), 0).tolist()]
    for first in range(0, head.vocabulary, columns):
        part = slice(first, min(first + columns, head.vocabulary))
        raw = _raw_gradient_slice(head, hidden, targets, rest, chosen + losses, part)
        if by_pairs:
            total += raw @ raw.T
        else:
            raw *= shares[:, None]
            pieces = [raw[i:j].T @ states[i:j] for i, j in pairwise(bounds)]
            total += row_products(torch.stack(pieces).flatten(1))
    if by_pairs:
        spread = torch.zeros((n_segments, n), device=hidden.device)
        spread[segment, torch.arange(n, device=hidden.device)] = shares
        total = spread @ (total * (states @ states.T)) @ spread.T
    return SegmentGram(gram=total, nll=_segment_means(losses, segment, shares, lengths))


def row_products(rows: Tensor) -> Tensor:
    """``[S, S]`` inner products of ``[S, m]`` rows, m in the millions.

    Summed in blocks: one float32 sum over millions of numbers loses four digits.
    """
    whole = rows.shape[1] // _SUMMED * _SUMMED
    blocks = rows[:, :whole].unflatten(1, (-1, _SUMMED)).transpose(0, 1)
    last = rows[:, whole:]
    return (blocks @ blocks.mT).sum(dim=0) + last @ last.T


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """``[n]`` −log p_y of ``[n, V]`` logits, as log(1 + Σ_(j≠y) exp(z_j − z_y)).

    Of a token that the model is sure of, p_y − 1 would be left over from a cancellation: here the
    other tokens' share is summed by itself, in the loss and in its gradient.
    """
    others = logits.scatter(1, targets[:, None], -torch.inf)
    chosen = logits.gather(1, targets[:, None])[:, 0]
    return nn.functional.softplus(torch.logsumexp(others, dim=1) - chosen)


def _segment_means(nll: Tensor, segment: Tensor, shares: Tensor, lengths: Tensor) -> Tensor:
    means = torch.zeros(lengths.shape[0], device=nll.device)
    return means.index_add_(0, segment, nll * shares)


def _raw_gradient(head: Head, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """δ ``[n, V]`` = ∂L/∂(W h + b) and the loss ``[n]`` of each token.

    The target's entry is −Σ_(j≠y) p_j: p_y − 1 cancels for tokens that the model is sure of.
    """
    logits = head.logits(hidden)
    rows = torch.arange(len(targets), device=hidden.device)
    chosen = logits[rows, targets]
    # The logits are needed again with a softcap only; without one their memory is used over.
    kept = logits.clone() if head.softcap else None
    logits[rows, targets] = -torch.inf
    rest = torch.logsumexp(logits, dim=1)
    losses = nn.functional.softplus(rest - chosen)
    normaliser = chosen + losses
    residual = logits.sub_(normaliser[:, None]).exp_()
    residual[rows, targets] = -torch.exp(rest - normaliser)
    return head.raw_gradient_(residual, kept), losses


def _autograd_gradient(
    head: AutogradHead, hidden: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """U ``[n, d]`` by autograd of the loss with respect to h, and the loss ``[n]``."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaf = hidden.detach().clone().requires_grad_()
        losses = token_losses(head.logits(leaf), targets.clone())
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
    return gradient.float(), losses.detach()


def _log_rest(head: Head, hidden: Tensor, targets: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """Log Σ_(j≠y) exp(z_j) ``[n]`` and z_y ``[n]``, a slice of the vocabulary at a time."""
    n = hidden.shape[0]
    rest = torch.full((n,), -torch.inf, device=hidden.device)
    chosen = torch.zeros(n, device=hidden.device)
    for first in range(0, head.vocabulary, columns):
        part = slice(first, min(first + columns, head.vocabulary))
        logits = head.logits(hidden, part)
        rows, entries = _targets_in(targets, part)
        chosen[rows] = logits[rows, entries]
        logits[rows, entries] = -torch.inf
        rest = torch.logaddexp(rest, torch.logsumexp(logits, dim=1))
    return rest, chosen


def _raw_gradient_slice(
    head: Head, hidden: Tensor, targets: Tensor, rest: Tensor, normaliser: Tensor, part: slice
) -> Tensor:
    """δ ``[n, v]`` of a slice of the vocabulary, the target's entry summed as in ``_log_rest``."""
    logits = head.logits(hidden, part)
    residual = torch.exp(logits - normaliser[:, None])
    rows, entries = _targets_in(targets, part)
    residual[rows, entries] = -torch.exp(rest - normaliser)[rows]
    return head.raw_gradient_(residual, logits)


def _targets_in(targets: Tensor, part: slice) -> tuple[Tensor, Tensor]:
    """Rows whose target lies in a slice of the vocabulary, and where in it."""
    rows = torch.nonzero((targets >= part.start) & (targets < part.stop)).flatten()
    return rows, targets[rows] - part.start
