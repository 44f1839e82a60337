"""How does the text of a trace reach a page without ever becoming markup?

Traces are untrusted. Whatever a trace says passes through ``_shown``: escaped, and with direction
marks replaced by their names, so that it reads as it stands and runs nothing. ``st.html`` reads no
Markdown. The blocks of ``trace_html`` hold every character of the full text, in order.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grace_engine.errors import GraceError
from grace_engine.figures.frames import plain
from grace_engine.marks import DIRECTION
from grace_engine.records import Trace
from grace_engine.ui.frames import text_block

_BLANKS = {"\n": "↵", "\t": "⇥", "\r": "␍", " ": "·"}
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLook:
    """What stands beside a step's text.

    Attributes:
        colour: Hex colour of its value; None where it has none.
        number: The chosen signal, as text.
        details: The other numbers, as text.
        verdict: What a curator said of it; "" for nothing.
        judge: What a judge model says of it; "" for nothing.
    """

    colour: str | None
    number: str
    details: str
    verdict: str = ""
    judge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A step (``index`` from 0) or the answer (-1): its mark, its text, what follows it."""

    index: int
    mark: str
    text: str
    after: str


def trace_html(
    trace: Trace, looks: Sequence[StepLook], answer: StepLook, *, selected: int = 0
) -> str:
    """The full text of a trace as blocks: one a step, then the answer.

    Args:
        trace: The trace.
        looks: One per step.
        answer: What stands beside the answer.
        selected: The step to outline, counted from 1; 0 for none.
    """
    *steps, last = _pieces(trace)
    shown = text_block(selected)
    blocks = zip(steps[shown], looks[shown], strict=True)
    body = [
        _note(shown.start, "earlier") or _gap(trace.full_text[: _begin(trace)]),
        *(_block(piece, look, selected) for piece, look in blocks),
        _note(len(steps) - shown.stop, "later"),
        _block(last, answer, selected),
    ]
    return f'<div class="g-trace" role="list">{"".join(body)}</div>'


def step_html(trace: Trace, look: StepLook, step: int) -> str:
    """One step of a trace, counted from 1, as it stands in ``trace_html``."""
    piece = list(_pieces(trace))[step - 1]
    return f'<div class="g-trace" role="list">{_block(piece, look, step)}</div>'


def facts_html(facts: dict[str, str]) -> str:
    """Named facts, each value shown as it stands; names are the studio's own."""
    rows = (
        f'<dt>{html.escape(name)}</dt><dd dir="auto">{_shown(value)}</dd>'
        for name, value in facts.items()
    )
    return f'<dl class="g-head">{"".join(rows)}</dl>'


def answer_of(trace: Trace) -> str:
    """The answer, and the reference where it says something else.

    A reference that nobody gave is the answer of the data's own field, and is not worth a word.
    """
    reference = (trace.reference or "").strip()
    said = reference and reference != trace.answer.text.strip()
    return trace.answer.text + (f"   reference {reference}" if said else "")


def plain_html(text: str) -> str:
    """A text as it stands."""
    return f'<div class="g-trace"><div class="g-text" dir="auto">{_shown(text)}</div></div>'


def scroll_html(pane: str, index: int, step: int, turn: int = 0) -> str:
    """A fixed script, run whenever a number changes, that brings the open step into view, whole.

    Step 1 shows the pane from its top, where the prompt is, if both fit. Charts below are drawn
    later and take room from the pane: the script looks twice.

    Args:
        pane: Key of the container that scrolls.
        index: Any number that tells the traces apart.
        step: The open step, from 1.
        turn: Another number whenever something was done to the trace.
    """
    return (
        f"<script>/* {index:d} {turn:d} */ for (const wait of [60, 600]) setTimeout(() => {{"
        f"const pane = document.querySelector('.st-key-{pane}');"
        f"if ({step:d} === 1 && wait === 60) pane?.scrollTo(0, 0);"
        "pane?.querySelector('[aria-current]')?.scrollIntoView({block: 'nearest'});"
        "}, wait)</script>"
    )


def fault_markdown(fault: GraceError) -> str:
    """What a fault says on a page, for a widget that reads Markdown."""
    return as_markdown(fault.on_page)


def scroll_row_html(pane: str, place: int, n_rows: int, index: int) -> str:
    """A fixed script, run whenever a number changes, that brings a row of a heatmap into view.

    A chart is drawn some time after the page: the script looks until there is one, and once more.

    Args:
        pane: Key of the container that scrolls.
        place: The row, from 0.
        n_rows: Rows of the heatmap.
        index: Any number that tells the traces apart.
    """
    return (
        f"<script>/* {index:d} */ for (const wait of [60, 300, 1000]) setTimeout(() => {{"
        f"const pane = document.querySelector('.st-key-{pane}');"
        "const plot = pane?.querySelector('.role-frame.root .background')?.getBoundingClientRect();"
        "if (!plot) return;"
        f"const row = plot.height / {max(n_rows, 1):d}, top = plot.top + {place:d} * row;"
        "const seen = pane.getBoundingClientRect();"
        "if (top + row > seen.bottom) pane.scrollBy(0, top + 2 * row - seen.bottom);"
        "else if (top < seen.top) pane.scrollBy(0, top - row - seen.top);"
        "}, wait)</script>"
    )


def as_markdown(text: str) -> str:
    """``text`` for a widget that reads Markdown: every punctuation mark is escaped."""
    return _PUNCTUATION.sub(r"\\\1", plain(text))


def _begin(trace: Trace) -> int:
    """Where the first step's (or answer's) mark begins."""
    return trace.steps[0].mark_start if trace.steps else trace.answer.mark_start


def _pieces(trace: Trace) -> Iterator[_Piece]:
    """Steps and answer with their marks and what follows them, gapless from the first mark on."""
    text, answer = trace.full_text, trace.answer
    spans = [(s.mark_start, s.start, s.end, i) for i, s in enumerate(trace.steps)]
    spans.append((answer.mark_start, answer.start, answer.end, -1))
    ends = [mark for mark, *_ in spans[1:]] + [len(text)]
    for (mark, start, end, index), following in zip(spans, ends, strict=True):
        yield _Piece(
            index=index, mark=text[mark:start], text=text[start:end], after=text[end:following]
        )


def _block(piece: _Piece, look: StepLook, selected: int) -> str:
    is_answer = piece.index == -1
    name = "answer" if is_answer else f"step {piece.index + 1}"
    current = ' aria-current="step"' if piece.index + 1 == selected and not is_answer else ""
    mark = f'<span class="g-mark">{_shown(piece.mark)}</span>' if piece.mark else ""
    return (
        f'<div class="g-step{" g-answer" if is_answer else ""}" role="listitem"{current} '
        f'aria-label="{name}, {html.escape(look.number)}" style="--c:{look.colour or "#8a9099"}">'
        f'<span class="g-no">{"=" if is_answer else piece.index + 1}</span>'
        f'<div class="g-text" dir="auto">{mark}{_shown(piece.text)}{_gap(piece.after)}</div>'
        f'<div class="g-side"><b>{html.escape(look.number)}</b>{html.escape(look.details)}</div>'
        f"{_verdict(look.verdict)}{_verdict(look.judge)}</div>"
    )


def _verdict(words: str) -> str:
    return f'<div class="g-verdict g-note" dir="auto">{_shown(words)}</div>' if words else ""


def _gap(text: str) -> str:
    """What belongs to no step; white space is drawn as small signs."""
    if not text:
        return ""
    if text.isspace():
        signs = "".join(_BLANKS.get(char, "␣") for char in text)
        return f'<span class="g-gap g-blank" data-shown="{signs}">{_shown(text)}</span>'
    return f'<span class="g-gap">{_shown(text)}</span>'


def _note(count: int, which: str) -> str:
    return (
        f'<div class="g-rest g-note">{count} {which} steps are not shown</div>' if count > 0 else ""
    )


def _shown(text: str) -> str:
    """Escaped text; a direction mark is isolated and drawn by its code point."""
    escaped = html.escape(text).replace("\r", "&#13;")
    return DIRECTION.sub(
        lambda m: f'<bdi class="g-direction" data-shown="U+{ord(m[0]):04X}">{m[0]}</bdi>', escaped
    )
