"""Is a trace's text shown whole and as text?"""

from html.parser import HTMLParser

import pytest
from hypothesis import given, strategies as st

from grace_engine.records import Trace
from grace_engine.ui import text
from tests.pages.conftest import HOSTILE_STEPS, make_trace

LOOK = text.StepLook(colour="#3f82ba", number="+0.100", details="align. +0.1")
BESIDE = {"g-no", "g-side", "g-note"}


class Seen(HTMLParser):
    """What a browser makes of it: tags, attributes, and the text that is the trace's."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.shown = ""
        self._open: list[bool] = []
        self.feed(markup)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        classes = set((attributes.get("class") or "").split())
        self.tags.append(tag)
        self.attributes.append(attributes)
        self._open.append(bool(classes & BESIDE))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open):
            self.shown += data


def shown(trace: Trace, selected: int = 1) -> Seen:
    looks = [LOOK] * len(trace.steps)
    return Seen(text.trace_html(trace, looks, LOOK, selected=selected))


@st.composite
def traces(draw: st.DrawFn) -> tuple[str, list[tuple[int, int, int]], tuple[int, int, int], str]:
    """Text with ordered, disjoint marks and spans; the answer last, now and then appended."""
    alphabet = st.sampled_from(list("ab1 \n\r\t<>&\"'$:[]`*_\\\u202e\u200f\u05e9é💡#"))
    body = draw(st.text(alphabet, min_size=1, max_size=60))
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), min_size=3, max_size=30)))
    spans = [tuple(cuts[i : i + 3]) for i in range(0, len(cuts) - 2, 3)]
    if draw(st.booleans()):
        return body, spans, (len(body), len(body) + 2, len(body) + 3), "A:7"
    return body, spans[:-1], spans[-1], ""


@given(traces())
def test_the_shown_text_is_the_traces_text(
    parts: tuple[str, list[tuple[int, int, int]], tuple[int, int, int], str],
) -> None:
    trace = make_trace(*parts)

    assert shown(trace).shown == trace.full_text


@given(traces())
def test_no_tag_comes_from_the_text(
    parts: tuple[str, list[tuple[int, int, int]], tuple[int, int, int], str],
) -> None:
    seen = shown(make_trace(*parts))

    assert set(seen.tags) <= {"div", "span", "bdi", "b"}
    allowed = {"class", "role", "aria-label", "aria-current", "style", "dir", "data-shown"}
    assert {name for attributes in seen.attributes for name in attributes} <= allowed


def test_hostile_steps_stay_text() -> None:
    body = "\n".join(HOSTILE_STEPS)
    starts = [body.index(step) for step in HOSTILE_STEPS]
    spans = [(s, s, s + len(step)) for s, step in zip(starts, HOSTILE_STEPS, strict=True)]

    seen = shown(make_trace(body, spans, (len(body), len(body), len(body) + 1), "7"))

    assert seen.shown == body + "7"
    assert set(seen.tags) <= {"div", "span", "bdi", "b"}


def test_direction_marks_are_isolated_and_named() -> None:
    markup = text.facts_html({"Prompt": "a\u202eb"})

    assert '<bdi class="g-direction" data-shown="U+202E">\u202e</bdi>' in markup


def test_marks_separators_and_answer_are_told_apart() -> None:
    #       0123456789012345678901234
    body = "Step 1: one\n\nThe answer: 7!"
    markup = text.trace_html(make_trace(body, [(0, 8, 11)], (13, 25, 26)), [LOOK], LOOK)

    assert '<span class="g-mark">Step 1: </span>one' in markup
    assert '<span class="g-gap g-blank" data-shown="↵↵">\n\n</span>' in markup
    assert '<span class="g-mark">The answer: </span>7<span class="g-gap">!</span>' in markup


def test_exactly_the_selected_step_is_outlined() -> None:
    trace = make_trace("a\nb\n7", [(0, 0, 1), (2, 2, 3)], (4, 4, 5))

    current = [a for a in shown(trace, selected=2).attributes if "aria-current" in a]

    assert [a["aria-label"] for a in current] == ["step 2, +0.100"]


def test_a_verdict_stands_under_its_step_as_text() -> None:
    trace = make_trace("a\nb\n7", [(0, 0, 1), (2, 2, 3)], (4, 4, 5))
    judged = text.StepLook(colour=None, number="+0.100", details="", verdict=HOSTILE_STEPS[0])

    markup = text.trace_html(trace, [LOOK, judged], LOOK)

    assert Seen(markup).shown == "a\nb\n7"
    assert "&lt;script&gt;" in markup
    assert "<script" not in markup
    assert markup.count("g-verdict") == 1


def test_a_long_trace_shows_the_steps_around_the_selected_one() -> None:
    spans = [(2 * i, 2 * i, 2 * i + 1) for i in range(500)]
    trace = make_trace("x\n" * 500 + "7", spans, (1000, 1000, 1001))

    markup = text.trace_html(trace, [LOOK] * 500, LOOK, selected=250)

    assert markup.count('role="listitem"') == 101
    assert "200 earlier steps are not shown" in markup
    assert "200 later steps are not shown" in markup
    assert 'aria-label="step 250, +0.100"' in markup


@pytest.mark.parametrize("source", [*HOSTILE_STEPS, "plain", "# h", "1. a", "- b", "~~s~~"])
def test_markdown_is_escaped_mark_by_mark(source: str) -> None:
    escaped = text.as_markdown(source)

    for i, char in enumerate(escaped):
        if char in "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~":
            assert escaped[i - 1] == "\\"
