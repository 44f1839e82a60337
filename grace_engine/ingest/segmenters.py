"""How is a text cut into steps?

A segmenter yields spans over the unchanged text: ordered, disjoint, trimmed of white space, never
empty. Think tags separate steps whatever the segmenter.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from grace_engine.errors import InputError, TraceRejected
from grace_engine.ingest.drafts import GivenStep
from grace_engine.ingest.fragments import without_fragments
from grace_engine.ingest.protected import protected_spans
from grace_engine.ingest.sentences import sentence_ends
from grace_engine.ingest.spans import Span, is_inside, trimmed
from grace_engine.ingest.step_marks import find_step_marks
from grace_engine.ingest.thoughts import LONG_TRACE, readable_steps, thinks_aloud
from grace_engine.records import StepParts

AUTO, GIVEN, REGEX = "auto", "given", "regex:"

_THINK_TAG = re.compile(r"</?think>")

_Cut = Callable[[str, int, int], list[StepParts]]


def _line_spans(text: str, start: int, end: int) -> list[Span]:
    """Lines without the white space around them, but for those of nothing else.

    They end at line feeds only: a carriage return before one is trimmed.
    """
    spans = []
    for line in text[start:end].split("\n"):
        content = line.strip()
        if content:
            first = start if content == line else start + len(line) - len(line.lstrip())
            spans.append((first, first + len(content)))
        start += len(line) + 1
    return spans


def _lines(text: str, start: int, end: int) -> list[StepParts]:
    """Every line that is not blank."""
    return _steps(_line_spans(text, start, end))


def _blank_lines(text: str, start: int, end: int) -> list[StepParts]:
    """Every paragraph: lines with no blank line between them."""
    return _steps(_paragraphs(text, _line_spans(text, start, end)))


def _paragraphs(text: str, lines: list[Span]) -> list[Span]:
    paragraphs = lines[:1]
    for start, end in lines[1:]:
        first, last = paragraphs[-1]
        if start - last > 1 and text.count("\n", last, start) > 1:
            paragraphs.append((start, end))
        else:
            paragraphs[-1] = (first, end)
    return paragraphs


def _markers(text: str, start: int, end: int) -> list[StepParts]:
    """What follows each step's mark, and what precedes the first."""
    return _marked(text, start, end, find_step_marks(text, _line_spans(text, start, end)))


def _marked(text: str, start: int, end: int, marks: list[Span]) -> list[StepParts]:
    marks = [(start, start), *marks]  # what precedes the first mark
    ends = [*(mark_start for mark_start, _ in marks[1:]), end]
    steps: list[StepParts] = []
    for (mark_start, mark_end), step_end in zip(marks, ends, strict=True):
        first, last = trimmed(text, mark_end, step_end)
        if first < last:
            mark = first if mark_start == mark_end else mark_start
            steps.append((first, last, mark, None))
    return steps


def _sentences(text: str, start: int, end: int) -> list[StepParts]:
    """Every sentence; none ends inside a formula, a table or code."""
    return _steps(_sentence_spans(text, start, end, protected_spans(text, start, end)))


def _sentence_spans(text: str, start: int, end: int, protected: list[Span]) -> list[Span]:
    return _contents(text, pairwise([start, *sentence_ends(text, start, end, protected), end]))


def _auto(text: str, start: int, end: int) -> list[StepParts]:
    """The first of markers, blank lines and lines that finds two steps; else sentences.

    No cut falls inside a formula, a table or code. A long trace becomes readable steps, and what
    is but the beginning of a step, such as "So", is none.
    """
    protected = protected_spans(text, start, end)
    lines = _line_spans(text, start, end)
    if protected:
        lines = _unbroken(lines, protected)
    is_long = end - start > LONG_TRACE
    if len(lines) < 2 and not is_long:
        sentences = _sentence_spans(text, start, end, protected)
        return _steps(without_fragments(text, sentences))
    marks = find_step_marks(text, lines)
    if protected:
        marks = [mark for mark in marks if not is_inside(protected, mark[1])]
    if len(marks) > 1 and not (is_long and _lists_only(text, start, lines, marks, end)):
        return _marked(text, start, end, marks)
    # More line breaks than lie between neighbours: a blank line may be among them.
    if lines and text.count("\n", lines[0][0], lines[-1][0]) >= len(lines):
        paragraphs = _paragraphs(text, lines)
        lines = paragraphs if len(paragraphs) > 1 else lines
    pieces = readable_steps(text, lines, protected) if is_long else lines
    return _steps(without_fragments(text, pieces))


def _unbroken(lines: list[Span], protected: list[Span]) -> list[Span]:
    """The lines, those joined between which a protected span goes on."""
    joined = lines[:1]
    for start, end in lines[1:]:
        if is_inside(protected, start):
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _lists_only(text: str, begin: int, lines: list[Span], marks: list[Span], end: int) -> bool:
    """Whether these numbers are those of lists in a long trace, not of its steps.

    They are where the trace thinks aloud, or where what precedes the first, or one of them
    announces, is itself a long trace.
    """
    if text[marks[0][0]] not in "(0123456789":
        return False
    edges = [begin, *(start for start, _ in marks), end]
    is_spread = any(high - low > LONG_TRACE for low, high in pairwise(edges))
    return is_spread or thinks_aloud(text, lines)


def _separated_by(pattern: re.Pattern[str]) -> _Cut:
    def cut(text: str, start: int, end: int) -> list[StepParts]:
        edges = [start]
        for separator in pattern.finditer(text, start, end):
            edges += separator.span()
        edges.append(end)
        return _steps(_contents(text, zip(edges[::2], edges[1::2], strict=True)))

    return cut


def _given_only(_text: str, _start: int, _end: int) -> list[StepParts]:
    raise TraceRejected("no-given-steps", "the record lists no steps: use another --segment")


_CUTS: dict[str, _Cut] = {
    AUTO: _auto,
    GIVEN: _given_only,
    "markers": _markers,
    "blank-lines": _blank_lines,
    "lines": _lines,
    "sentences": _sentences,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmenter:
    """A way to cut a text into steps; made by ``parse_segmenter``.

    Attributes:
        name: As the user gave it.
        cut: ``(text, start, end)`` to the steps in ``text[start:end]``.
    """

    name: str
    cut: _Cut

    def steps(
        self, text: str, end: int, given: tuple[GivenStep, ...] | None = None
    ) -> list[StepParts]:
        """The steps in ``text[:end]``.

        Args:
            text: The whole reasoning.
            end: Where steps have to end: the start of the answer's mark.
            given: Steps that the record sets apart; ``given`` and ``auto`` keep to them.

        Raises:
            TraceRejected: ``no-given-steps`` or ``given-step-not-found``.
        """
        if given is not None and self.name in (AUTO, GIVEN):
            return list(_located(text, end, given))
        if "think>" not in text:
            return self.cut(text, 0, end)
        edges = [0]
        for tag in _THINK_TAG.finditer(text, 0, end):
            edges += tag.span()
        edges.append(end)
        pieces = zip(edges[::2], edges[1::2], strict=True)
        return [step for piece in pieces for step in self.cut(text, *piece)]


def parse_segmenter(name: str) -> Segmenter:
    """The segmenter that ``--segment`` names.

    ``auto`` and ``sentences`` never cut inside a formula, a LaTeX environment, a table or fenced
    code. ``lines``, ``blank-lines``, ``markers`` and ``regex:PATTERN`` are literal: they cut
    wherever their separator stands.

    ``regex:PATTERN`` cuts at each match of a Python pattern. Nested repetitions such as ``(a+)+``
    can take exponential time on a long text: nothing guards against that.

    Raises:
        InputError: There is no segmenter of that name, or the pattern is not valid.
    """
    if name in _CUTS:
        return Segmenter(name=name, cut=_CUTS[name])
    if not name.startswith(REGEX):
        raise InputError(
            f"Segmenter {name!r} is not known: use one of {', '.join(_CUTS)} or regex:PATTERN."
        )
    pattern = name.removeprefix(REGEX)
    if not pattern:
        raise InputError(r"Segmenter 'regex:' has no pattern: write one such as 'regex:\n---\n'.")
    try:
        return Segmenter(name=name, cut=_separated_by(re.compile(pattern)))
    except (re.error, OverflowError, RecursionError) as fault:
        raise InputError(
            f"Segmenter {name!r} is not a valid Python pattern: {fault}. Escape special characters."
        ) from fault


def _located(text: str, end: int, given: tuple[GivenStep, ...]) -> Iterator[StepParts]:
    """The given steps, found one after the other in the text and cut at ``end``."""
    position = 0
    for number, step in enumerate(given, start=1):
        content = step.text.strip()
        if not content:
            continue
        start = text.find(content, position)
        if start < 0:
            detail = f"step {number} of the record is not in its text: {content[:60]!r}"
            raise TraceRejected("given-step-not-found", detail)
        position = start + len(content)
        kept = text[start : min(position, end)].rstrip()
        if kept:
            yield start, start + len(kept), start, step.label


def _contents(text: str, spans: Iterable[Span]) -> list[Span]:
    """These spans, trimmed; those of nothing but white space vanish."""
    contents = (trimmed(text, start, end) for start, end in spans)
    return [(start, end) for start, end in contents if start < end]


def _steps(spans: list[Span]) -> list[StepParts]:
    return [(start, end, start, None) for start, end in spans]
