"""Which fields of unknown records look like prompt, trace and answer?

Every field gets points for its name, for what its values are like and, for an answer, for standing
in the trace; the three different fields with the most points together are the guess.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import TypeAlias

from grace_engine.ingest.drafts import Fields, kind_of

_MOST_FIELDS, _MOST_DEPTH, _MOST_ITEMS = 60, 3, 4
_SAMPLES, _SAMPLE_LENGTH = 3, 200
# Candidates of each role that are tried with those of the others.
_CANDIDATES = 8

_NAMES = {
    "prompt": (
        "prompt question problem instruction query task input user ask puzzle exercise",
        "content text statement",
    ),
    "trace": (
        "trace solution reasoning cot thought thoughts chain rationale thinking steps working "
        "derivation explanation trajectory scratchpad process",
        "response output completion generation assistant answer text content",
    ),
    "answer": (
        "answer final result gold label truth expected target key ans conclusion",
        "correct value output reference",
    ),
}
_WORD = re.compile(r"[a-z]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ASKS = re.compile(
    r"[?？؟]|^\s*(?:what|how|find|compute|solve|prove|if|let|calculate|determine|evaluate)\b", re.I
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSample:
    """A field of the records and what stands in it.

    Attributes:
        path: As a mapping names it: names joined by dots, numbers count into lists.
        kind: What its first value is, in words.
        share: Share of the records that have it, 0 to 1.
        samples: The beginnings of its first values, as text.
        n_values: Different values that it has.
    """

    path: str
    kind: str
    share: float
    samples: tuple[str, ...]
    n_values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """The texts of one field, one a record; None where it holds none."""

    path: str
    kind: str
    texts: tuple[str | None, ...]

    @property
    def present(self) -> list[str]:
        return [text for text in self.texts if text is not None]

    @property
    def length(self) -> float:
        return median(map(len, self.present)) if self.present else 0.0

    @property
    def distinct(self) -> float:
        return len(set(self.present)) / max(1, len(self.present))


_Points: TypeAlias = Callable[[_Column, float], float]


def field_samples(records: Sequence[Fields]) -> list[FieldSample]:
    """The fields of records, in their order, nested ones by their path."""
    return [
        FieldSample(
            path=column.path,
            kind=column.kind,
            share=len(column.present) / len(records),
            samples=tuple(text[:_SAMPLE_LENGTH] for text in column.present[:_SAMPLES]),
            n_values=len(set(column.present)),
        )
        for column in _columns(records)
    ]


def guess_mapping(records: Sequence[Fields]) -> dict[str, str]:
    """Path of ``prompt``, ``trace`` and ``answer``, as far as records have such fields.

    Empty where no field could be the prompt or none the trace.
    """
    columns = [
        column
        for column in _columns(records)
        if len(column.present) * 2 >= len(records) and not set(column.path) & set(",=")
    ]
    texts = [column for column in columns if column.kind in ("text", "a list")]
    prompts = _best([column for column in texts if column.kind == "text"], _as_prompt)
    traces = _best(texts, _as_trace)
    answers = _best([c for c in columns if c.kind not in ("a list", "null")], _as_answer)
    best: tuple[float, dict[str, str]] = (0.0, {})
    for (a, prompt), (b, trace) in product(prompts, traces):
        if prompt.path == trace.path:
            continue
        found = {"prompt": prompt.path, "trace": trace.path}
        points = a + b
        # Without points an answer is left out: the trace may hold its own.
        third = max(
            (
                (c + _stands_in(answer, trace), answer.path)
                for c, answer in answers
                if answer.path not in (prompt.path, trace.path) and answer.length < trace.length
            ),
            default=(0.0, ""),
        )
        if third[0] >= 2.0:
            points, found = points + third[0], found | {"answer": third[1]}
        if points > best[0]:
            best = (points, found)
    return best[1]


def _best(columns: list[_Column], points: _Points) -> list[tuple[float, _Column]]:
    longest = max((column.length for column in columns), default=1.0) or 1.0
    ranked = sorted(((points(c, longest), c) for c in columns), key=lambda pair: -pair[0])
    return ranked[:_CANDIDATES]


def _as_prompt(column: _Column, _longest: float) -> float:
    asks = sum(bool(_ASKS.search(text)) for text in column.present) / len(column.present)
    short = 1.0 if column.length < 12 or " " not in "".join(column.present[:5]) else 0.0
    return _named("prompt", column.path) + 2 * asks + column.distinct - 3 * short


def _as_trace(column: _Column, longest: float) -> float:
    lines = sum("\n" in text for text in column.present) / len(column.present)
    return _named("trace", column.path) + 4 * column.length / longest + lines


def _as_answer(column: _Column, _longest: float) -> float:
    brief = 1.0 if column.length <= 40 else 0.0
    # A number that counts up, a truth value or one word for all is no answer.
    same = 2.0 if column.distinct < 0.05 and len(column.present) > 20 else 0.0
    verdict = 4.0 if column.kind == "true or false" else 0.0
    return _named("answer", column.path) + brief - same - verdict


def _stands_in(answer: _Column, trace: _Column) -> float:
    """Points for an answer whose values end the traces."""
    pairs = [
        (a.strip(), t) for a, t in zip(answer.texts, trace.texts, strict=True) if a and t and a != t
    ]
    found = sum(bool(a) and a in t[-max(200, 2 * len(a)) :] for a, t in pairs)
    return 3.0 * found / len(pairs) if pairs else 0.0


def _named(role: str, path: str) -> float:
    """4 points where a word of the path's last name is the role's own, 2 where it often is."""
    names = [name for name in path.split(".") if not name.isdecimal()]
    words = _WORD.findall(_CAMEL.sub("_", names[-1]).lower()) if names else []
    own, often = (set(line.split()) for line in _NAMES[role])
    if own & set(words):
        return 4.0
    return 2.0 if often & set(words) else 0.0


def _columns(records: Sequence[Fields]) -> list[_Column]:
    found: dict[str, dict[int, object]] = {}
    for index, record in enumerate(records):
        for path, value in _leaves(record):
            if path in found or len(found) < _MOST_FIELDS:
                found.setdefault(path, {})[index] = value
    return [
        _Column(
            path=path,
            kind=_kind(values.values()),
            texts=tuple(
                _text(values[i]) if i in values and values[i] is not None else None
                for i in range(len(records))
            ),
        )
        for path, values in found.items()
    ]


def _leaves(record: Fields, before: str = "", depth: int = 1) -> Iterator[tuple[str, object]]:
    """Paths and values; a list of texts is one value, other lists and objects are opened."""
    for name, value in record.items():
        path = f"{before}{name}"
        if depth < _MOST_DEPTH and isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}.", depth + 1)
        elif depth < _MOST_DEPTH and isinstance(value, list) and value and not _is_texts(value):
            items = {str(i): item for i, item in enumerate(value[:_MOST_ITEMS])}
            yield from _leaves(items, f"{path}.", depth + 1)
        else:
            yield path, value


def _is_texts(value: list[object]) -> bool:
    return all(isinstance(item, str) for item in value)


def _kind(values: Iterable[object]) -> str:
    return next((kind_of(value) for value in values if value is not None), "null")


def _text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return value if isinstance(value, str) else str(value)
