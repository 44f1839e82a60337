"""Does a search find the traces that say it, and tell a bad expression in a sentence?"""

from collections.abc import Callable, Sequence

import pytest

from grace_engine import store
from grace_engine.errors import InputError, NotFoundError
from grace_engine.records import Trace
from grace_engine.store import Source, Workspace


@pytest.fixture
def stocked(
    workspace: Workspace, source: Source, make_trace: Callable[..., Trace]
) -> tuple[Workspace, Sequence[Trace]]:
    traces = [make_trace(number) for number in (1, 7, 17)]
    twin = make_trace(7, variant="twin")
    store.add_traces(workspace, "sums", source, [*traces, twin])
    return workspace, [*traces, twin]


@pytest.mark.parametrize(
    ("text", "regex", "expected"),
    [
        ("What is 7 + 1", False, [1, 3]),
        ("take 17.", False, [2]),
        ("#### 2", False, [0]),
        ("7", False, [1, 2, 3]),
        ("Take \\d\\.", False, []),
        ("Take \\d\\.", True, [0, 1, 3]),
        ("TAKE 1\\.", True, [0]),
        ("(?-i)TAKE 1\\.", True, []),
        ("", False, [0, 1, 2, 3]),
        ("'; DROP TABLE traces; --", False, []),
    ],
)
def test_prompt_steps_and_answer_are_searched(
    stocked: tuple[Workspace, Sequence[Trace]], text: str, regex: bool, expected: list[int]
) -> None:
    workspace, traces = stocked

    found = store.search_traces(workspace, ["sums"], text, regex=regex)

    assert found == {traces[i].id for i in expected}
    assert found == store.search_traces(workspace, (), text, regex=regex)


def test_an_expression_that_is_none_is_a_sentence(
    stocked: tuple[Workspace, Sequence[Trace]],
) -> None:
    with pytest.raises(
        InputError, match=r"'\(' is no regular expression of RE2 .*missing \)"
    ) as caught:
        store.search_traces(stocked[0], (), "(", regex=True)

    assert "search for plain text" in str(caught.value)


def test_a_dataset_that_is_not_there_is_named(
    stocked: tuple[Workspace, Sequence[Trace]],
) -> None:
    with pytest.raises(NotFoundError, match="no dataset 'gone'"):
        store.search_traces(stocked[0], ["gone"], "x")


def test_traces_with_one_prompt_are_found_together(
    stocked: tuple[Workspace, Sequence[Trace]],
) -> None:
    workspace, traces = stocked

    assert store.same_prompt(workspace, traces[1].id) == [traces[1].id, traces[3].id]
    assert store.same_prompt(workspace, traces[0].id) == [traces[0].id]
    assert store.same_prompt(workspace, "gone") == []
