"""How do bytes, seconds and shares read to a person?"""

import math


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
    # What is a half on paper may be a hair less in binary.
    tenths = math.floor(round(1000 * share, 9) + 0.5)
    return f"{tenths / 10:.1f}%"


def counted(count: int, what: str) -> str:
    """How many of what: ``1 trace``, ``2,000 traces``."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")
