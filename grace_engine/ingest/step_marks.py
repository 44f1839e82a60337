"""Which lines announce a step, and with which characters?"""

import re

from grace_engine.ingest.spans import Span

# "Step 3:", "Step 3.", "Step 3 -", "**Step 3:**", "**Step 3**:", "### Step 3", or alone
# on its line; "步骤3：", "第三步，". Without any of these, "Step 3 gives 7." is a sentence.
_END = r"[ \t]*(?:[:：.)](?!\d)|[-–—](?=[ \t]))"
_CHINESE = r"(?:步[骤驟][ \t]*[\d一二三四五六七八九十]+|第[ \t]*[\d一二三四五六七八九十]+[ \t]*步)"
_CHINESE_END = r"[ \t]*[:：.)）、，,](?!\d)|(?=[ \t])"
_NAMED = re.compile(
    rf"""
    (?: \#{{1,6}}[ \t]*(?:\*\*)? Step[ \t]+\d+ (?:{_END})?
      | \*\* Step[ \t]+\d+ (?: {_END} | (?=\*\*))
      | Step[ \t]+\d+ (?: {_END} | \Z)
      | (?: \#{{1,6}}[ \t]*)? (?:\*\*)? {_CHINESE} (?: {_CHINESE_END} | (?=\*\*) | \Z)
    )
    (?: \*\* (?:[ \t]*[:：])? )?
    """,
    re.IGNORECASE | re.VERBOSE,
)
# "3.", "3)", "(3)" before white space or alone: not the decimal "3.5", not the year "1999. Then".
_NUMBERED = re.compile(r"(?:\d{1,3}[.)]|\(\d{1,3}\))(?=\s|\Z)")
# Most lines begin with none of these and need not be matched.
_FIRST_OF_NAMED, _FIRST_OF_NUMBERED = frozenset("#*Ss步第"), frozenset("(0123456789")


def find_step_marks(text: str, lines: list[Span]) -> list[Span]:
    """The half-open spans of the marks at the starts of ``lines``, themselves spans.

    Named steps ("Step 3:") go before numbers, so that a numbered list inside a step is not cut;
    numbers count only where fewer than two steps are named.
    """
    named = _marks_of(text, lines, _FIRST_OF_NAMED, _NAMED)
    if len(named) > 1:
        return named
    return _marks_of(text, lines, _FIRST_OF_NUMBERED, _NUMBERED) or named


def _marks_of(
    text: str, lines: list[Span], first: frozenset[str], pattern: re.Pattern[str]
) -> list[Span]:
    marks = [pattern.match(text, *line) for line in lines if text[line[0]] in first]
    return [mark.span() for mark in marks if mark] if marks else []
