"""Which fields of unknown records look like labels, and what are the labels called?"""

import re
from collections import Counter
from collections.abc import Collection, Sequence

from grace_engine.ingest.guessing import FieldSample

IS_CORRECT = "is_correct"
"""The label that says whether a trace's answer is right."""

_SINGLE = ("text", "a number", "true or false")
# Texts with more different values than this, or as many as there are records, name nothing.
_MOST_TEXTS = 30
_RIGHT = frozenset(
    {"correct", "is_correct", "iscorrect", "ok", "right", "passed", "pass", "solved"}
)
_COUNTERS = frozenset({"id", "idx", "index", "line", "row", "uid", "uuid", "key", "hash"})
_WORD = re.compile(r"[^\W_]+")


def likely_labels(
    fields: Sequence[FieldSample], n_records: int, taken: Collection[str] = ()
) -> list[str]:
    """Paths of fields that look like labels: true or false, numbers, and texts of few values.

    Args:
        fields: The fields of the records.
        n_records: Records that were looked at.
        taken: Paths that have another role.
    """
    return [f.path for f in fields if f.path not in taken and _is_likely(f, n_records)]


def label_names(fields: Sequence[FieldSample]) -> dict[str, str]:
    """Path → name of its label, each another: the path's last name, or all of it.

    A true-or-false field with a name such as ``correct`` or ``ok`` is ``is_correct``.
    """
    names = {field.path: _name(field) for field in fields}
    count = Counter(names.values())
    return {path: name if count[name] == 1 else path for path, name in names.items()}


def _is_likely(field: FieldSample, n_records: int) -> bool:
    if field.kind not in _SINGLE or set(field.path) & set(",="):
        return False
    if field.kind == "true or false":
        return True
    if set(_WORD.findall(_last(field).lower())) & _COUNTERS:
        return False
    if field.kind == "a number":
        return field.n_values > 1
    return 2 <= field.n_values <= min(_MOST_TEXTS, n_records / 2)


def _name(field: FieldSample) -> str:
    last = _last(field)
    return IS_CORRECT if field.kind == "true or false" and last.lower() in _RIGHT else last


def _last(field: FieldSample) -> str:
    names = [name for name in field.path.split(".") if name and not name.isdecimal()]
    return names[-1] if names else field.path
