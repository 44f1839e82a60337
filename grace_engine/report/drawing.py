"""How does a report draw distributions and differences, as SVG that needs nothing else?

Colours are the page's classes ``s0``, ``s1``, …, so that they follow its light or dark theme.
"""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from grace_engine.report.subjects import Bounds, Difference
from grace_engine.report.wording import number

N_COLOURS = 6
_BINS = 28
_WIDTH, _HEIGHT, _FOOT = 320, 96, 22
_ROW, _LABELS, _PLOT = 26, 170, 420


def histogram(
    values: Mapping[str, npt.NDArray[np.float64]], title: str, bounds: Bounds = (None, None)
) -> str:
    """Share of traces by value, an outline each; the ends hold what lies beyond the 1% and 99%.

    Args:
        values: By subject, in order: ``[n]`` values, NaN left out.
        title: What they are.
        bounds: Between which each lies.
    """
    known = {name: column[~np.isnan(column)] for name, column in values.items()}
    every = np.concatenate([column for column in known.values() if len(column)])
    low, high = (float(edge) for edge in np.quantile(every, [0.01, 0.99]))
    is_share = None not in bounds  # not a number of something, though it may be 0 or 1
    counts = not is_share and bool((every == np.round(every)).all())
    whole = counts and 0 < high - low < _BINS
    is_one = low == high
    if is_one and bounds[0] is not None and bounds[1] is not None:
        low, high = bounds[0], bounds[1]
    elif whole:  # a bar for each number
        low, high = np.floor(low) - 0.5, np.ceil(high) + 0.5
    elif is_one:  # a narrow bar in the middle
        low, high = low - 0.5, high + 0.5
    n_bins = round(high - low) if whole else _BINS + is_one
    edges = np.linspace(low, high, n_bins + 1)
    shares = {
        name: np.histogram(np.clip(column, low, high), edges)[0] / len(column)
        for name, column in known.items()
        if len(column)
    }
    top = max(float(share.max()) for share in shares.values())
    parts = []
    for k, name in enumerate(known):
        if name not in shares:
            continue
        colour = k % N_COLOURS
        x = np.repeat(np.linspace(0, _WIDTH, n_bins + 1), 2)
        y = _HEIGHT - np.concatenate([[0], np.repeat(shares[name], 2), [0]]) / top * (_HEIGHT - 8)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        mean = float(np.clip((known[name].mean() - low) / (high - low), 0, 1)) * _WIDTH
        parts.append(
            f'<polyline class="s{colour}{" first" if k == 0 else ""}" points="{points}"/>'
            f'<line class="s{colour} mean" x1="{mean:.1f}" x2="{mean:.1f}" y1="{_HEIGHT}" '
            f'y2="{_HEIGHT + 6}"/>'
        )
    marks = (low, (low + high) / 2, high)
    if whole:
        marks = (low + 0.5, np.round((low + high) / 2), high - 0.5)
    ticks = "".join(
        f'<text x="{(value - low) / (high - low) * _WIDTH:.1f}" y="{_HEIGHT + 19}" '
        f'text-anchor="{"middle" if whole else anchor}">'
        f"{f'{value:,.0f}' if counts and not is_one else number(value)}</text>"
        for anchor, value in zip(("start", "middle", "end"), marks, strict=True)
    )
    return (
        f'<svg class="chart" viewBox="-2 0 {_WIDTH + 4} {_HEIGHT + _FOOT}" role="img" '
        f'aria-label="{escape(title)}: share of traces by value"><title>{escape(title)}</title>'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>'
        f"{''.join(parts)}{ticks}</svg>"
    )


def forest(rows: Sequence[tuple[str, Mapping[str, Difference]]], others: Sequence[str]) -> str:
    """Differences in standard deviations of traces, with 95% intervals: a row a metric.

    Those without an interval, and those of traces that are all alike, are left out.

    Args:
        rows: Title of a metric, and its differences by other subject.
        others: The other subjects, in order.
    """
    shown = [
        (title, k, difference)
        for title, by_other in rows
        for k, other in enumerate(others, start=1)
        if (difference := by_other.get(other)) and difference.is_drawn
    ]
    if not shown:
        return ""
    reach = max(_farthest(difference) for _, _, difference in shown) or 1.0
    step = _nice(reach / 2)
    reach = max(reach, step)

    def at(value: float) -> float:
        return _LABELS + _PLOT / 2 * (1 + float(np.clip(value / (1.05 * reach), -1, 1)))

    parts, y, last = [], 8.0, ""
    for title, k, difference in shown:
        if title != last:
            y += _ROW if last else _ROW / 2
            label = f'<text class="row" x="{_LABELS - 14}" y="{y + 4}" text-anchor="end">'
            parts.append(f"{label}{escape(title)}</text>")
        else:
            y += _ROW * 0.55
        last = title
        colour = k % N_COLOURS
        unit = difference.deviation
        ends = at((difference.low or 0.0) / unit), at((difference.high or 0.0) / unit)
        parts.append(
            f'<line class="s{colour} whisker" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" '
            f'y1="{y}" y2="{y}"/>'
        )
        kind = "dot" if difference.is_clear else "dot open"
        parts.append(
            f'<circle class="s{colour} {kind}" cx="{at(difference.mean / unit):.1f}" cy="{y}" '
            'r="4.5"/>'
        )
    foot = y + _ROW / 2
    values = [value for value in (-2 * step, -step, 0.0, step, 2 * step) if abs(value) <= reach]
    grid = "".join(
        f'<line class="{"zero" if value == 0 else "grid"}" x1="{at(value):.1f}" '
        f'x2="{at(value):.1f}" y1="6" y2="{foot}"/><text x="{at(value):.1f}" y="{foot + 16}" '
        f'text-anchor="middle">{value:+g}</text>'.replace("+0<", "0<").replace(">-", ">−")
        for value in values
    )
    return (
        f'<svg class="forest" viewBox="0 0 {_LABELS + _PLOT + 10} {foot + 24}" role="img" '
        f'aria-label="Differences in standard deviations">{grid}{"".join(parts)}</svg>'
    )


def _farthest(difference: Difference) -> float:
    ends = (difference.mean, difference.low or 0.0, difference.high or 0.0)
    return max(abs(end) for end in ends) / difference.deviation


def _nice(value: float) -> float:
    """1, 2 or 5 times a power of ten, at most ``value``."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step for step in (1.0, 2.0, 5.0) if step <= value / power * 1.0001) * power)
