"""Which saved selection is meant, and what is there to see of it in a notebook?"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from grace_engine import store
from grace_engine.api.comparing import compare
from grace_engine.errors import NotFoundError
from grace_engine.records import Selection
from grace_engine.selection import Comparison
from grace_engine.store import Workspace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparisonView(Comparison):
    """Two saved selections, compared; ``figure`` draws it as the Curate page does.

    Attributes:
        a: The one that was asked.
        b: The one that it was compared with.
    """

    a: Selection
    b: Selection

    def figure(self, *, dark: bool = False) -> Any:
        """Ranks of the traces that are in either, as a Plotly figure."""
        from grace_engine.figures.selection import comparison_chart

        return comparison_chart(self.traces, (name_of(self.a), name_of(self.b)), dark=dark)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionView:
    """A saved selection, ready to be compared.

    Attributes:
        workspace: Where it is saved.
        selection: It, with the reason of every trace.
    """

    workspace: Workspace
    selection: Selection

    def compare(self, other: "SelectionView | Selection | str") -> ComparisonView:
        """Who is in this selection (a) and not in the other (b), as ``api.compare`` says it.

        Args:
            other: Another one, or its id or name.

        Raises:
            NotFoundError: No such selection.
        """
        if isinstance(other, str):
            other = store.get_selection(self.workspace, other)
        b = other.selection if isinstance(other, SelectionView) else other
        found = compare(self.selection, b)
        known = {field.name: getattr(found, field.name) for field in fields(found)}
        return ComparisonView(**known, a=self.selection, b=b)


def selection_view(workspace: Workspace, selection: str = store.LATEST) -> SelectionView:
    """A saved selection by its id or name.

    Raises:
        NotFoundError: No such selection.
    """
    return SelectionView(workspace=workspace, selection=store.get_selection(workspace, selection))


def name_of(selection: Selection) -> str:
    """Its name, or its id where it has none."""
    return selection.name or selection.id


def selection_beside(workspace: Workspace, name: str, datasets: Iterable[str]) -> Selection:
    """The selection of a name that is no dataset's.

    Args:
        workspace: Where it is saved.
        name: Name or id.
        datasets: Those of the workspace, for the sentence.

    Raises:
        NotFoundError: There is none.
    """
    try:
        return store.get_selection(workspace, name)
    except NotFoundError as fault:
        raise NotFoundError(
            f"There is neither a dataset nor a selection {name!r} in this workspace. It holds the "
            f"datasets {', '.join(sorted(datasets)) or '(none)'}."
        ) from fault
