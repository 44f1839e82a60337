r"""Which stretches of a text must not be cut through?

Formulas (``$…$``, ``$$…$$``, ``\(…\)``, ``\[…\]``), LaTeX environments, ``[asy]…[/asy]``
drawings, Markdown tables and fenced code. What is opened and never closed protects nothing, so that
it cannot swallow the rest.

Whether a dollar is money or math is decided as by Pandoc (``tex_math_dollars``), a little stricter:

- A formula begins with no white space and none of ``.,;:?)``, and ends with no white space; no
  digit follows it: "$20,000 and $30,000" are prices.
- The next dollar closes it, or nothing does. In "It costs $5. Add $x$." a space precedes the
  second, which cannot close, so the first is a price and ``$x$`` a formula.
- A formula that begins with a digit keeps to one line and one sentence: in "$5 each. That makes
  15$." both are prices.
- No blank line stands between dollars. Brackets and environments, whose ends are not their
  beginnings, may hold some.
- ``$<<`` opens a note of GSM8K's calculator, never a formula.
"""

import re
from collections.abc import Iterator

from grace_engine.ingest.spans import Span, trimmed

# A text whose dollars all stand before a number has no formula in dollars.
_CLOSING_DOLLAR = re.compile(r"\$(?!\.?\d|<<)")

# Possessive quantifiers keep all of these linear on long runs.
_FENCE = re.compile(r"^[ \t]*+(?P<mark>`{3,}+|~{3,}+)(?P<info>[^\n]*+)", re.MULTILINE)
_TABLE_RULE = re.compile(r"^[ \t\r|:-]++$", re.MULTILINE)  # the line below a table's header
_MATH_PARTS = re.compile(
    r"(?P<dollars>\$++)|(?P<blank>\n[ \t\r]*+\n)"
    r"|\[(?P<asy>/?)asy\]"
    r"|\\(?:(?P<bracket>[()\[\]])|(?P<edge>begin|end)\s*+\{(?P<name>[^{}\n]{1,40})\}|.)"
)
_NEVER_FIRST = frozenset(".,;:?)。，；：？）、")
_BREAK = re.compile(r"[.!?]\s|\n")


def protected_spans(text: str, start: int, end: int) -> list[Span]:
    """The half-open spans in ``text[start:end]`` that are one piece: ordered and disjoint.

    Of nested ones the outermost. Takes time in proportion to the text, whatever stands in it.
    """
    if not (
        "\\" in text
        or "|" in text
        or "`" in text
        or "~" in text
        or ("[" in text and "[asy]" in text)
        or ("$" in text and _CLOSING_DOLLAR.search(text, start, end))
    ):
        return []
    found: list[Span] = []
    position = start
    for fence in _fences(text, start, end):
        found += [*_outside_fences(text, position, fence[0]), fence]
        position = fence[1]
    return found + _outside_fences(text, position, end)


def _fences(text: str, start: int, end: int) -> Iterator[Span]:
    """Fenced code as in CommonMark, but that what is never closed is no code."""
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text, start, end):
        if opened is None:
            if fence["mark"][0] == "~" or "`" not in fence["info"]:
                opened = fence
        elif fence["mark"].startswith(opened["mark"]) and not fence["info"].strip():
            yield opened.start("mark"), fence.end("mark")
            opened = None


def _outside_fences(text: str, start: int, end: int) -> list[Span]:
    found: list[Span] = []
    for span in sorted([*_tables(text, start, end), *_Scan(text, end).formulas(start)]):
        if found and span[0] < found[-1][1]:
            found[-1] = (found[-1][0], max(span[1], found[-1][1]))
        else:
            found.append(span)
    return found


def _tables(text: str, start: int, end: int) -> Iterator[Span]:
    """Tables of GitHub's Markdown; a line without a bar is none of their rows."""
    if text.find("|", start, end) < 0:
        return
    low = start
    for rule in _TABLE_RULE.finditer(text, start, end):
        if rule.start() <= low or "|" not in rule[0] or "-" not in rule[0]:
            continue
        header = max(low, text.rfind("\n", low, rule.start() - 1) + 1)
        if text.find("|", header, rule.start()) < 0:
            continue
        low = _line_end(text, rule.end(), end)
        while low < end:
            line_end = _line_end(text, low + 1, end)
            if text.find("|", low + 1, line_end) < 0:
                break
            low = line_end
        yield trimmed(text, header, low)


def _line_end(text: str, start: int, end: int) -> int:
    found = text.find("\n", start, end)
    return found if found >= 0 else end


class _Scan:
    """One pass over a text that pairs the edges of formulas and environments.

    Attributes:
        formulas_open: By their delimiter, where formulas were opened that are not closed yet.
        environments_open: Where environments were opened that are not closed yet, with their names.
        depths: By name, the indices in ``environments_open``.
        found: The outermost spans that were closed.
    """

    def __init__(self, text: str, end: int) -> None:
        self.text, self.end = text, end
        self.formulas_open: dict[str, int] = {}
        self.environments_open: list[tuple[int, str]] = []
        self.depths: dict[str, list[int]] = {}
        self.found: list[Span] = []

    def formulas(self, start: int) -> list[Span]:
        """The outermost formulas and environments from ``start`` on: ordered and disjoint."""
        for part in _MATH_PARTS.finditer(self.text, start, self.end):
            match part.lastgroup:
                case "dollars":
                    self._dollars(*part.span())
                case "blank":
                    self.formulas_open.pop("$", None)
                    self.formulas_open.pop("$$", None)
                case "asy":
                    self._environment("end" if part["asy"] else "begin", "[asy]", *part.span())
                case "bracket":
                    self._bracket(part["bracket"], *part.span())
                case "name":
                    self._environment(part["edge"], part["name"], *part.span())
        return self.found

    def _dollars(self, start: int, end: int) -> None:
        count = end - start
        inline = self.formulas_open.pop("$", None)
        if count == 2 and "$$" in self.formulas_open:
            self._close(self.formulas_open["$$"], end)
        elif count <= 2 and inline is not None and self._is_formula(inline, start):
            self._close(inline, start + 1)
            if count == 2:  # "$x$$y$"
                self._open_dollar(start + 1)
        elif count == 2:
            self.formulas_open["$$"] = start
        elif count == 1:
            self._open_dollar(start)

    def _open_dollar(self, at: int) -> None:
        following = self.text[at + 1 : at + 3]
        if not following or following[0].isspace() or following == "<<":
            return
        if following[0] not in _NEVER_FIRST or _begins_number(following):
            self.formulas_open["$"] = at

    def _is_formula(self, start: int, last: int) -> bool:
        """Whether the dollars at ``start`` and ``last`` hold a formula."""
        if self.text[last - 1].isspace() or not _CLOSING_DOLLAR.match(self.text, last, self.end):
            return False
        is_number = _begins_number(self.text[start + 1 : start + 3])
        return not (is_number and _BREAK.search(self.text, start, last))

    def _bracket(self, bracket: str, start: int, end: int) -> None:
        if bracket in "([":
            self.formulas_open[bracket] = start
        else:
            opened = self.formulas_open.get("(" if bracket == ")" else "[")
            if opened is not None:
                self._close(opened, end)

    def _environment(self, edge: str, name: str, start: int, end: int) -> None:
        depths = self.depths.setdefault(name, [])
        if edge == "begin":
            depths.append(len(self.environments_open))
            self.environments_open.append((start, name))
        elif depths:
            self._close(self.environments_open[depths[-1]][0], end)

    def _close(self, start: int, end: int) -> None:
        """Keep a span; what was found or opened inside it counts no longer."""
        while self.found and self.found[-1][0] >= start:
            self.found.pop()
        self.found.append((start, end))
        for delimiter in [d for d, at in self.formulas_open.items() if at >= start]:
            del self.formulas_open[delimiter]
        while self.environments_open and self.environments_open[-1][0] >= start:
            self.depths[self.environments_open.pop()[1]].pop()


def _begins_number(characters: str) -> bool:
    return characters.removeprefix(".")[:1].isdigit()
