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
from grace_engine.ingest.field_names import name_points

_MOST_FIELDS, _MOST_DEPTH, _MOST_ITEMS = 60, 6, 4
_SAMPLES, _SAMPLE_LENGTH = 3, 200
# Candidates of each role that are tried with those of the others.
_CANDIDATES = 8

# Longer texts may reason.
_LONGEST_ANSWER = 80

# Blanks between words, or a script that has none.
_MORE_THAN_A_WORD = re.compile(
    r"\S\s+\S|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]{4}"
)
_ASKS = re.compile(
    r"[?？؟]|^\s*(?:what|how|find|compute|solve|prove|if|let|calculate|determine|evaluate)\b", re.I
)
# Who speaks, as a field beside the text of a message says it, and which part that text is.
_SPEAKER_FIELDS = ("role", "from", "speaker")
_SPEAKERS = {
    "user": "prompt",
    "human": "prompt",
    "assistant": "trace",
    "gpt": "trace",
    "system": "",
}


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

    Without ``trace`` where they only pose problems: a text that asks, a short answer, and no other
    text that could be reasoning. Empty where no field could be the prompt, or none the trace.
    """
    columns = [
        column
        for column in _columns(records)
        if len(column.present) * 2 >= len(records) and not set(column.path) & set(",=")
    ]
    texts = [column for column in columns if column.kind in ("text", "a list")]
    spoken = _spoken(columns)
    prompts = _best([c for c in texts if c.kind == "text"], _as_prompt, "prompt", spoken)
    traces = _best([c for c in texts if _is_prose(c)], _as_trace, "trace", spoken)
    single = [c for c in columns if c.kind not in ("a list", "null")]
    answers = _best(single, _as_answer, "answer", spoken)
    if not spoken and (posed := _posed(texts, prompts, answers)):
        return posed
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


def _posed(
    texts: list[_Column],
    prompts: list[tuple[float, _Column]],
    answers: list[tuple[float, _Column]],
) -> dict[str, str]:
    """Prompt and answer of records that hold no reasoning; empty where they may hold some."""
    named = [c for _, c in prompts if _is_prose(c) and name_points("prompt", c.path) > 0]
    if not named:
        return {}
    prompt = named[0]
    for column in texts:
        # Short words under a name that is an answer's own reason nothing.
        reasons = _is_prose(column) and name_points("answer", column.path) < 4.0
        if column is not prompt and (column.length > _LONGEST_ANSWER or reasons):
            return {}
    for points, answer in answers:
        told = name_points("answer", answer.path) > 0
        if answer is not prompt and told and points >= 2.0:
            return {"prompt": prompt.path, "answer": answer.path}
    return {}


def _best(
    columns: list[_Column], points: _Points, role: str, spoken: dict[str, str]
) -> list[tuple[float, _Column]]:
    """The columns with the most points for a role; who speaks counts more than what is said."""
    longest = max((column.length for column in columns), default=1.0) or 1.0

    def total(column: _Column) -> float:
        said = spoken.get(column.path, role)
        told = 0.0 if column.path not in spoken else 5.0 if said == role else -6.0
        return points(column, longest) + name_points(role, column.path) + told

    ranked = sorted(((total(c), c) for c in columns), key=lambda pair: -pair[0])
    return ranked[:_CANDIDATES]


def _spoken(columns: list[_Column]) -> dict[str, str]:
    """The role of every text beside a field that names its speaker, by path; "" for none."""
    speakers: dict[str, str] = {}
    for column in columns:
        parent, _, name = column.path.rpartition(".")
        said = column.present[0].lower() if column.present else ""
        if name in _SPEAKER_FIELDS and said in _SPEAKERS:
            speakers[parent] = _SPEAKERS[said]
    found: dict[str, str] = {}
    for column in columns:
        parent, _, name = column.path.rpartition(".")
        if parent in speakers and name not in _SPEAKER_FIELDS:
            found[column.path] = speakers[parent]
    return found


def _as_prompt(column: _Column, _longest: float) -> float:
    asks = sum(bool(_ASKS.search(text)) for text in column.present) / len(column.present)
    some = "".join(column.present[:5])
    # Scripts that need no spaces say much in few characters.
    short = 3.0 if some.isascii() and (column.length < 12 or " " not in some) else 0.0
    return 2 * asks + column.distinct - short - _repeats(column)


def _is_prose(column: _Column) -> bool:
    """Whether half of the texts are more than one word: a style or a name reasons nothing."""
    more = sum(bool(_MORE_THAN_A_WORD.search(text)) for text in column.present)
    return 2 * more >= len(column.present)


def _as_trace(column: _Column, longest: float) -> float:
    lines = sum("\n" in text for text in column.present) / len(column.present)
    return 4 * column.length / longest + lines - _repeats(column)


def _as_answer(column: _Column, _longest: float) -> float:
    brief = 1.0 if column.length <= 40 else 0.0
    # A truth value or one word for all is no answer.
    same = 2.0 if column.distinct < 0.05 and len(column.present) > 20 else 0.0
    verdict = 4.0 if column.kind == "true or false" else 0.0
    return brief - same - verdict


def _repeats(column: _Column) -> float:
    """Points off for a text that is nearly the same in all records: an instruction, a template."""
    return 5.0 if column.distinct < 0.1 and len(column.present) > 10 else 0.0


def _stands_in(answer: _Column, trace: _Column) -> float:
    """Points for an answer whose values end the traces."""
    pairs = [
        (a.strip(), t) for a, t in zip(answer.texts, trace.texts, strict=True) if a and t and a != t
    ]
    found = sum(bool(a) and a in t[-max(200, 2 * len(a)) :] for a, t in pairs)
    return 3.0 * found / len(pairs) if pairs else 0.0


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
