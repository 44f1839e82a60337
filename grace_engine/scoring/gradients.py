"""What are the segment gradients at a model's output layer, and their inner products?

All functions take the hidden states that enter the head at the positions that predict a trace's
segment tokens, and walk the vocabulary in tiles of bounded size: no tokens × vocabulary tensor is
ever made, however long the traces or large the vocabulary.

A segment's gradient is g(T) = Σ_{t∈T} w_t·u_t: the mean over its tokens, or with an entropy
discount c > 0 the softmax of −c·H_t over them, H_t the entropy in nats of the model's prediction of
token t. The weights are constants: no gradient flows through H.
"""

from collections.abc import Sequence
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
    """Gradients of segments and their losses.

    Attributes:
        gradients: ``[S, d]`` float32 weighted mean over the segment's tokens of ∂L_t/∂h_t.
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
    *,
    entropy_discount: float = 0.0,
) -> SegmentGradients:
    """Mean hidden-state gradients u_t = Wᵀ(p_t − e_y) of segments (GRACE, section 2.3).

    Wᵀ is applied to the residuals' segment sums, not to each token: half the work.

    Args:
        head: The model's output layer.
        hidden: ``[n, d]`` states that predict the segments' tokens, segment after segment.
        targets: ``[n]`` the tokens themselves.
        lengths: ``[S]`` tokens per segment, summing to n.
        tile_elements: Upper bound of elements in one rows × vocabulary tile.
        entropy_discount: c of the tokens' weights, nats⁻¹; 0 takes the plain mean.
    """
    n, n_segments = hidden.shape[0], lengths.shape[0]
    segment = torch.repeat_interleave(torch.arange(n_segments, device=lengths.device), lengths).to(
        hidden.device
    )
    means = (1.0 / lengths.to(hidden.device).float())[segment]
    shares = means
    if entropy_discount:
        entropies = token_entropies(head, hidden, tile_elements)
        shares = discounted_shares(entropies, lengths.tolist(), entropy_discount)
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
    return SegmentGradients(gradients=gradients, nll=_segment_means(nll, segment, means, lengths))


def lm_head_gram(
    head: Head,
    hidden: Tensor,
    targets: Tensor,
    lengths: Tensor,
    tile_elements: int,
    *,
    entropy_discount: float = 0.0,
) -> SegmentGram:
    """Inner products of ∂L/∂W of one trace's segments, W the output layer's weight.

    ∂L_t/∂W = δ_t ⊗ h_t, so ⟨g_i, g_j⟩ = mean over token pairs of (δ_t·δ_s)(h_t·h_s): no gradient is
    formed. Long traces go by segments instead (each V × d, a slice of the vocabulary at a time)
    where that is cheaper. Arguments as ``upstream_gradients``.
    """
    n, d = hidden.shape
    n_segments = lengths.shape[0]
    segment = torch.repeat_interleave(torch.arange(n_segments), lengths.cpu()).to(hidden.device)
    means = (1.0 / lengths.to(hidden.device).float())[segment]
    # Multiply-adds per vocabulary entry: n² by pairs, n·d and the products of S segments otherwise.
    by_pairs = n * n <= d * (n + n_segments**2) and n * n <= 4 * tile_elements
    states = hidden.float()
    columns = max(1, tile_elements // (n if by_pairs else max(n, n_segments * d)))
    entropies = _Entropies(hidden) if entropy_discount else None
    rest, chosen = log_rest(head, hidden, targets, columns, entropies)
    shares = means
    if entropies is not None:
        shares = discounted_shares(entropies.found(), lengths.tolist(), entropy_discount)
    losses = nn.functional.softplus(rest - chosen)
    total = torch.zeros((n, n) if by_pairs else (n_segments, n_segments), device=hidden.device)
    bounds = [0, *torch.cumsum(lengths.cpu(), 0).tolist()]
    for first in range(0, head.vocabulary, columns):
        part = slice(first, min(first + columns, head.vocabulary))
        raw = raw_gradient_slice(head, hidden, targets, rest, chosen + losses, part)
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
    return SegmentGram(gram=total, nll=_segment_means(losses, segment, means, lengths))


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


def token_entropies(head: Head | AutogradHead, hidden: Tensor, tile_elements: int) -> Tensor:
    """``[n]`` entropies in nats of the predictions made from ``[n, d]`` states, no gradient kept.

    Of the final logits: scaled, softcapped and with their bias where the head has these.
    """
    rows = max(1, tile_elements // head.vocabulary)
    found = []
    with torch.no_grad():
        for part in hidden.split(rows):
            entropies = _Entropies(part)
            entropies.add(head.logits(part))
            found.append(entropies.found())
    return torch.cat(found)


def discounted_shares(entropies: Tensor, lengths: Sequence[int], discount: float) -> Tensor:
    """``[n]`` weights of tokens in their segments: the softmax of −c·H over each segment."""
    # Counted from the segment's surest token, so that a large c·H rounds no digits away.
    return torch.cat(
        [
            torch.softmax(discount * (own.min() - own), dim=0)
            for own in entropies.split(list(lengths))
        ]
    )


class _Entropies:
    """Entropies of n predictions whose logits z come a slice of the vocabulary at a time.

    H = log Σ e^s − Σ s·e^s / Σ e^s with s = z − max z: no term is negative, so none cancels.
    """

    def __init__(self, states: Tensor) -> None:
        n, device = states.shape[0], states.device
        self._highest = torch.full((n,), torch.finfo(torch.float32).min, device=device)
        self._mass = torch.zeros(n, device=device)
        self._moment = torch.zeros(n, device=device)

    def add(self, logits: Tensor) -> None:
        """Take ``[n, v]`` logits of the next slice."""
        highest = torch.maximum(self._highest, logits.amax(dim=1))
        lowered = self._highest - highest
        kept = torch.exp(lowered)
        # Clamped where e^s is nothing, so that an entry of −∞ does not make 0 · ∞.
        shifted = (logits - highest[:, None]).clamp_(min=-100.0)
        mass = torch.exp(shifted)
        self._moment = kept * (self._moment + lowered * self._mass)
        self._mass = kept * self._mass + mass.sum(dim=1)
        self._moment += mass.mul_(shifted).sum(dim=1)
        self._highest = highest

    def found(self) -> Tensor:
        """``[n]`` nats."""
        return torch.log(self._mass) - self._moment / self._mass


def _segment_means(nll: Tensor, segment: Tensor, means: Tensor, lengths: Tensor) -> Tensor:
    found = torch.zeros(lengths.shape[0], device=nll.device)
    return found.index_add_(0, segment, nll * means)


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


def log_rest(
    head: Head, hidden: Tensor, targets: Tensor, columns: int, entropies: _Entropies | None
) -> tuple[Tensor, Tensor]:
    """Log Σ_(j≠y) exp(z_j) ``[n]`` and z_y ``[n]``, a slice of the vocabulary at a time.

    ``entropies`` is shown every slice on the way, where there is one.
    """
    n = hidden.shape[0]
    rest = torch.full((n,), -torch.inf, device=hidden.device)
    chosen = torch.zeros(n, device=hidden.device)
    for first in range(0, head.vocabulary, columns):
        part = slice(first, min(first + columns, head.vocabulary))
        logits = head.logits(hidden, part)
        if entropies is not None:
            entropies.add(logits)
        rows, entries = _targets_in(targets, part)
        chosen[rows] = logits[rows, entries]
        logits[rows, entries] = -torch.inf
        rest = torch.logaddexp(rest, torch.logsumexp(logits, dim=1))
    return rest, chosen


def raw_gradient_slice(
    head: Head, hidden: Tensor, targets: Tensor, rest: Tensor, normaliser: Tensor, part: slice
) -> Tensor:
    """δ ``[n, v]`` of a slice of the vocabulary, the target's entry summed as in ``log_rest``."""
    logits = head.logits(hidden, part)
    residual = torch.exp(logits - normaliser[:, None])
    rows, entries = _targets_in(targets, part)
    residual[rows, entries] = -torch.exp(rest - normaliser)[rows]
    return head.raw_gradient_(residual, logits)


def _targets_in(targets: Tensor, part: slice) -> tuple[Tensor, Tensor]:
    """Rows whose target lies in a slice of the vocabulary, and where in it."""
    rows = torch.nonzero((targets >= part.start) & (targets < part.stop)).flatten()
    return rows, targets[rows] - part.start
