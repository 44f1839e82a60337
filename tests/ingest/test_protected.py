"""Is no formula, environment, table or code cut in two, and is money no formula?"""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings, strategies as st

from grace_engine.ingest.protected import protected_spans
from grace_engine.ingest.spans import is_inside

PROTECTED = [
    # text, what must not be cut
    ("So $x. Y$ and $2+3$.", ["$x. Y$", "$2+3$"]),
    ("So $x$$y$ and $$x\n= 3$$ end", ["$x$", "$y$", "$$x\n= 3$$"]),
    (r"\[ a. \] and \( b. \)", [r"\[ a. \]", r"\( b. \)"]),
    ("\\[\na\n\nb\n\\]", ["\\[\na\n\nb\n\\]"]),
    (r"\[ open, \[ closed \]", [r"\[ closed \]"]),
    (r"\begin{align} x \\[5pt] \begin{matrix} 1 \end{matrix} \end{align}.",
     [r"\begin{align} x \\[5pt] \begin{matrix} 1 \end{matrix} \end{align}"]),
    ("\\begin{a} \\begin{b} $x$ \\end{a}", ["\\begin{a} \\begin{b} $x$ \\end{a}"]),
    ("\\begin{b} $x$ \\end{c}", ["$x$"]),
    ("```py\n$x\n\ny\n``` \nz", ["```py\n$x\n\ny\n```"]),
    ("~~~~\n~~~\n\n~~~~\nz", ["~~~~\n~~~\n\n~~~~"]),
    ("```py\nnever closed\n\n$x$", ["$x$"]),
    ("Sum:\n| a | b |\n|---|:-:|\n| 1 | 2 |\nSo 3.", ["| a | b |\n|---|:-:|\n| 1 | 2 |"]),
    ("a | b\n\nc", []),
    ("$20,000 and $30,000", []),
    ("It costs $5. Add $x$.", ["$x$"]),
    ("$5 each. That makes 15$.", []),
    ("A pen is 5$.\nTwo are 10$.", []),
    ("It is $18*2=$<<18*2=36>>36.\nSo $3=$<<3=3>>3", []),
    (r"\$5 and \$6.", []),
    ("never $closed\n\nsays$ he", []),
    ("$$ never closed\n\nit says", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "spans"), PROTECTED)
def test_what_is_closed_is_protected_and_what_is_not_protects_nothing(
    text: str, spans: list[str]
) -> None:
    assert [text[low:high] for low, high in protected_spans(text, 0, len(text))] == spans


BLOCKS = [
    "$x. Y$", "$$\nx. Y\n$$", "\\(x. Y\\)", "\\[\nx.\n\nY\n\\]",
    "\\begin{align}\nx.\n\n1. Y\n\\end{align}",
    "```py\nx.\n\nStep 1: y\n```", "~~~\n1. x\n\n2. y\n~~~", "1. a | b\n---|---\nx. | Y\n2. c | d",
]  # fmt: skip
PROSE = [
    "Half is 9.", "Step 1: halve.", "2. Add it.", "It costs $5.", "Wait, no.",
    "So I pay $12 and $13.",
    "一半是九。", "आधा नौ है।", "كم هو؟", "### Step 3: x", "(4) Then.",
     "He said: “Is it?”", "That is long. " * 60,
]  # fmt: skip


EDGES = [
    *"$\\()[]{}|`~-\n 5x.", "$$", "```\n", "\\begin{a}", "\\end{a}", "|-|\n", "\\[", "\\)",
    "Step 1: ", "1. ", "So ", "Wait, no. " * 300,
]  # fmt: skip


@pytest.mark.parametrize("segmenter", ["auto", "sentences"])
@given(
    pieces=st.lists(st.sampled_from(BLOCKS + PROSE), min_size=1, max_size=12),
    gap=st.sampled_from(["\n", "\n\n", "\r\n\r\n"]),
)
@example(pieces=["1. a | b\n---|---\nx. | Y\n2. c | d", "2. Add it."], gap="\n")
@settings(max_examples=150, deadline=None)
def test_every_block_lies_whole_in_one_step(
    build: Callable, segmenter: str, pieces: list[str], gap: str
) -> None:
    text = gap.join(pieces)
    trace = build(text, segmenter, answer="18")
    position = 0
    for piece in pieces:
        if piece in BLOCKS:
            low, high = position, position + len(piece)
            assert any(step.start <= low and high <= step.end for step in trace.steps), piece
        position += len(piece) + len(gap)


@given(st.lists(st.sampled_from(EDGES), max_size=30).map("".join))
@settings(max_examples=300, deadline=None)
def test_spans_are_ordered_and_disjoint_and_no_step_begins_or_ends_inside_one(
    build: Callable, text: str
) -> None:
    text = f"Go. {text}"
    spans = protected_spans(text, 0, len(text))
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= low < high <= len(text) for low, high in spans)
    for segmenter in ("auto", "sentences"):
        trace = build(text, segmenter, answer="18")
        for step in trace.steps:
            for cut in (step.mark_start, step.start, step.end):
                assert cut == step.end == len(text) or not is_inside(spans, cut)


@pytest.mark.long
@pytest.mark.parametrize(
    "piece",
    ["$", "(", ".", "`", "~", "|", "\\", "\\(", "\\begin{a}", "\\end{a}", "\\begin{a}\\end{b}",
     "$a", "$x$ ", "```\n", "\n```", "a|\n-|\n", "|-\n", "\\[ \\] ", "$$ ", " ", "\n \n", "Wait. "],
)  # fmt: skip
def test_a_megabyte_of_anything_is_cut(build: Callable, piece: str) -> None:
    # Seconds at most; a quadratic search would take hours and be seen as a hang.
    text = "Go. " + piece * (1_000_000 // len(piece))
    assert build(text, "auto", answer="18").steps


def test_a_drawing_is_one_piece() -> None:
    drawing = "[asy]\ndraw((0,0)--(1,1));\n\ndot(a);\n[/asy]"
    text = f"Look.\n{drawing}\nSo it is 5."
    assert [text[a:b] for a, b in protected_spans(text, 0, len(text))] == [drawing]
    assert protected_spans("[asy] never closed", 0, 18) == []
