"""Which colour stands for a value, in heatmap and text alike?

High is blue and low is orange, a pair that every common kind of colour blindness tells apart; the
middle of the diverging scale takes the page's own lightness, so that strong values stand out in
the light and in the dark theme.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grace_engine.signals import SignalTable

SIGNALS: dict[str, str] = {
    "score": "Score",
    "alignment": "Alignment",
    "consistency": "Consistency",
    "nll": "Loss",
    "fresh_loss": "Fresh loss",
    "norm": "Norm",
}
"""Signals that a page offers, with their names for people."""

JUDGE_SIGNALS: dict[str, str] = {
    "judge": "Judge",
    "factuality": "Factuality",
    "validity": "Validity",
    "coherence": "Coherence",
    "utility": "Utility",
}
"""Signals that a judge model gives, from 0 to 1, with their names for people."""

NAMES = SIGNALS | JUDGE_SIGNALS
"""All signals with their names."""

LINES: dict[str, tuple[str, str]] = {
    "alignment": ("#00745c", "#35c3a0"),
    "consistency": ("#8b3f86", "#e79be0"),
}
"""Colours of the two parts of a score where both are drawn, in the light and the dark theme."""

COSINES = ("score", "alignment", "consistency")
"""Signals between -1 and 1 whose zero means something."""

_COVERED = 0.98
"""Share of a run's steps inside a fitted scale; the rest take its end colours."""

_DIVERGING = {
    False: ("#8a3a02", "#d67628", "#f2c294", "#f3f3f1", "#a6c9e6", "#3f82ba", "#0b3c70"),
    True: ("#ffb673", "#d97b2e", "#7a4a25", "#2c3038", "#2d5678", "#4c97d0", "#a3d5ff"),
}
_SEQUENTIAL = {
    False: ("#f3f0f7", "#cbbbe0", "#906cb5", "#482774"),
    True: ("#2b2933", "#55437b", "#8f70c2", "#dccaff"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourScale:
    """Colours of one signal.

    Attributes:
        signal: Name of the signal.
        low: Value of the first stop; what is lower takes its colour.
        high: Value of the last stop; what is higher takes its colour.
        stops: Hex colours at even distances from ``low`` to ``high``.
        note: What the ends stand for, for a legend.
    """

    signal: str
    low: float
    high: float
    stops: tuple[str, ...]
    note: str

    @property
    def domain(self) -> list[float]:
        """The value of every stop."""
        return [float(value) for value in np.linspace(self.low, self.high, len(self.stops))]

    def colour(self, value: float) -> str | None:
        """Hex colour of ``value``; None where there is no value."""
        if np.isnan(value):
            return None
        where = np.clip((value - self.low) / (self.high - self.low), 0.0, 1.0)
        channels = np.array([rgb(stop) for stop in self.stops], dtype=float)
        at = np.linspace(0.0, 1.0, len(self.stops))
        mixed = [round(float(np.interp(where, at, channels[:, i]))) for i in range(3)]
        return "#{:02x}{:02x}{:02x}".format(*mixed)


def colour_limits(signals: SignalTable) -> dict[str, float]:
    """Where a fitted scale ends, per signal of a run.

    Alignment, consistency and score share one limit, so that their colours can be compared and
    stay put while α moves.
    """
    cosines = _quantile(np.abs(np.concatenate([signals.alignment, signals.consistency])))
    limit = min(1.0, max(0.05, float(np.ceil(cosines * 20) / 20)))
    return {
        **dict.fromkeys(COSINES, limit),
        "nll": _round_up(_quantile(signals.nll)),
        "fresh_loss": _round_up(_quantile(signals.fresh_loss)),
        "norm": _round_up(_quantile(signals.norm)),
    }


def colour_limits_of(losses: npt.NDArray[np.float64]) -> float:
    """Where a fitted scale of losses ends."""
    return _round_up(_quantile(losses))


def colour_scale(signal: str, limit: float, *, dark: bool, full: bool = False) -> ColourScale:
    """The scale of ``signal``, its ends at ``limit`` or, with ``full``, at -1 and 1.

    A judge's goes from 0 to 1.
    """
    if signal in JUDGE_SIGNALS:
        note = "share of labels that are positive" if signal == "judge" else "0: no, 1: yes"
        return ColourScale(signal=signal, low=0.0, high=1.0, stops=_DIVERGING[dark], note=note)
    if signal not in COSINES:
        note = f"{_COVERED:.0%} of steps below {limit:g}"
        return ColourScale(signal=signal, low=0.0, high=limit, stops=_SEQUENTIAL[dark], note=note)
    if full or limit >= 1.0:
        return ColourScale(
            signal=signal, low=-1.0, high=1.0, stops=_DIVERGING[dark], note="full range"
        )
    note = f"{_COVERED:.0%} of cosines within ±{limit:g}"
    return ColourScale(signal=signal, low=-limit, high=limit, stops=_DIVERGING[dark], note=note)


def rgb(colour: str) -> tuple[int, int, int]:
    """``#rrggbb`` as three channels from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def ink_on(colour: str | None) -> str:
    """White or near black, whichever a text on ``colour`` is read better in; black on none."""
    if colour is None:
        return _INKS[0]
    return max(_INKS, key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours by WCAG 2: from 1 to 21; text needs 4.5."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


_INKS = ("#000000", "#ffffff")


def _luminance(colour: str) -> float:
    channels = np.array(rgb(colour)) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _quantile(values: npt.NDArray[np.float64]) -> float:
    values = values[~np.isnan(values)]
    return float(np.quantile(values, _COVERED, method="higher")) if len(values) else 0.0


def _round_up(value: float) -> float:
    """Up to two significant digits; 1 where there is nothing to scale."""
    if value <= 0.0 or not np.isfinite(value):
        return 1.0
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.ceil(round(value / unit, 6)) * unit)
