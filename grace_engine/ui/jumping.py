"""Which row of a list does someone mean who types a place, an id or a name?"""

import numpy as np
import pandas as pd

from grace_engine.figures.frames import row_name


def place_of(rows: pd.DataFrame, wanted: str) -> int | None:
    """Place, from 0, of the row that is meant by its place from 1, its id or its name.

    An id may be cut short. A name is taken as the heatmap draws it (``✓ 868b75a9 · 92``), as the
    facts say it (``6b_finetuning · line 65``), or a part of either; of several it is the first.
    """
    if wanted.isdecimal() and len(wanted) < 8 and 1 <= int(wanted) <= len(rows):
        return int(wanted) - 1
    ids = rows["trace_id"].astype(str)
    begins = ids.str.startswith(wanted.lower()).to_numpy(bool) & (len(wanted) > 2)
    found = np.flatnonzero(begins)
    if not len(found):
        name, _, begun = wanted.strip("✓✗⊕⊖ ").lower().replace("· line ", "· ").partition(" #")
        fields = zip(rows["variant"], rows["line"], ids, rows["dataset"], strict=True)
        names = [
            _names_of(variant, line, trace, dataset) if trace.startswith(begun) else ()
            for variant, line, trace, dataset in fields
        ]
        found = np.flatnonzero([name in own for own in names])
        if not len(found):
            found = np.flatnonzero([any(name in one for one in own) for own in names])
    return int(found[0]) if len(found) else None


def _names_of(variant: str, line: int, trace: str, dataset: str) -> tuple[str, ...]:
    """In lower case what a page calls a trace, without signs: in the heatmap and in the facts."""
    said = f"{variant or trace[:12]} · {dataset} · {line}"
    names = (f"{variant or trace[:8]} · {line}", row_name(variant, line, trace, None), said)
    return tuple(name.lower() for name in names)
