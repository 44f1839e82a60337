"""How do bytes, seconds, paces and shares read to a person?"""

import math

# Units a second below which the time of one says more, and seconds that need a decimal.
_SLOW, _SHORT = 1.0, 10.0


def size(n_bytes: float) -> str:
    """Bytes for people: ``1.5 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds for people: ``45 s``, ``3 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def percent(share: float) -> str:
    """A share for people, to a tenth of a percent, halves up: 9 of 80 is ``11.3%``; – for NaN."""
    if math.isnan(share):
        return "–"
    return f"{_tenths(share):.1f}%"


def points(difference: float) -> str:
    """A difference of shares in percentage points: ``+10.0``, ``−6.3``; halves away from 0."""
    tenths = _tenths(abs(difference))
    return f"{'−' if difference < 0 and tenths else '+'}{tenths:.1f}"


def _tenths(share: float) -> float:
    """A share in percent, to a tenth, halves up."""
    # What is a half on paper may be a hair less in binary.
    return math.floor(round(1000 * share, 9) + 0.5) / 10


def pace(rate: float, unit: str) -> str:
    """Units a second for people: ``1.3 steps a second``, below 1 ``2.5 s a step``.

    Args:
        rate: Units a second, above 0.
        unit: Its plural.
    """
    if rate >= _SLOW:
        return f"{rate:,.1f} {unit} a second"
    one = unit.removesuffix("s")
    seconds = 1 / rate
    time = f"{seconds:.1f} s" if seconds < _SHORT else duration(seconds)
    return f"{time} {'an' if one[:1] in 'aeiou' else 'a'} {one}"


def counted(count: int, what: str, several: str = "") -> str:
    """How many of what: ``1 trace``, ``2,000 traces``; ``several`` where an s does not do."""
    return f"{count:,} {what if count == 1 else several or what + 's'}"
