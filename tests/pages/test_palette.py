"""Can colours be read, by everybody, in both themes?"""

import re
import tomllib
from collections.abc import Callable

import numpy as np
import pytest

from grace_engine.api import RunView
from grace_engine.figures import palette
from grace_engine.ui import STYLE
from tests.pages.conftest import ROOT

THEMES = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]


def channels(colour: str) -> np.ndarray:
    return np.array(palette.rgb(colour), dtype=float)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """Contrast ratio of WCAG 2.1."""

    def luminance(rgb: np.ndarray) -> float:
        c = rgb / 255
        linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def share(pattern: str) -> float:
    """A percentage of the style sheet."""
    found = re.search(pattern, STYLE.read_text())
    assert found
    return int(found[1]) / 100


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("signal", palette.SIGNALS)
def test_text_on_every_shade_keeps_a_contrast_of_4_5(signal: str, dark: bool) -> None:
    theme = THEMES["dark" if dark else "light"]
    page, ink = channels(theme["backgroundColor"]), channels(theme["textColor"])
    tint = share(r"background: color-mix\(in srgb, var\(--c\) (\d+)%")
    fade = share(r"color: color-mix\(in srgb, currentColor (\d+)%")
    scale = palette.colour_scale(signal, 0.5, dark=dark)

    for value in np.linspace(scale.low, scale.high, 101):
        colour = scale.colour(value)
        assert colour
        shade = tint * channels(colour) + (1 - tint) * page
        faded = fade * ink + (1 - fade) * shade
        assert contrast(ink, shade) >= 4.5
        assert contrast(faded, shade) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_the_ends_of_the_diverging_scale_differ_for_colour_blind_people(dark: bool) -> None:
    scale = palette.colour_scale("score", 1.0, dark=dark)
    # Red-green blindness leaves the blue-yellow axis: there, low and high stand far apart.
    low, high = channels(scale.stops[1]), channels(scale.stops[-2])

    def yellow(rgb: np.ndarray) -> float:
        return float(rgb[:2].mean() - rgb[2])

    assert yellow(low) - yellow(high) > 100


def test_a_scale_is_centred_at_zero_and_clamped() -> None:
    scale = palette.colour_scale("alignment", 0.4, dark=False)

    assert scale.domain[3] == 0.0
    assert (scale.domain[0], scale.domain[-1]) == (-0.4, 0.4)
    assert scale.colour(0.0) == scale.stops[3]
    assert scale.colour(2.0) == scale.colour(0.4) == scale.stops[-1]
    assert scale.colour(-2.0) == scale.stops[0]
    assert scale.colour(float("nan")) is None
    assert "±0.4" in scale.note


def test_the_full_range_goes_from_minus_one_to_one() -> None:
    scale = palette.colour_scale("score", 0.4, dark=False, full=True)

    assert (scale.low, scale.high) == (-1.0, 1.0)


def test_cosines_share_one_limit_that_holds_nearly_all_steps(
    view_of_lengths: Callable[..., RunView],
) -> None:
    view = view_of_lengths(*[6] * 40)

    limits = palette.colour_limits(view.signals)

    assert limits["score"] == limits["alignment"] == limits["consistency"] <= 1.0
    assert np.mean(np.abs(view.signals.alignment) <= limits["score"]) > 0.95
    assert np.mean(view.signals.nll <= limits["nll"]) >= 0.98


def test_a_run_without_steps_has_a_scale_too(view_of_lengths: Callable[..., RunView]) -> None:
    signals = view_of_lengths(1).signals

    limits = palette.colour_limits(signals)

    assert all(limit > 0 for limit in limits.values())
