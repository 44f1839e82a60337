"""How well does each arm do on problems of each subject, level or other label?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from grace_engine.records import Label
from grace_engine.training.cells import ArmResult, CellResult, arms_of
from grace_engine.training.evaluating import EvalProblem

# A label with more values than that tells problems apart, and not kinds of them.
_MOST_VALUES = 30
# What labels of a trace say of its answer is not a kind of problem.
_OF_ANSWERS = frozenset({"is_correct", "bad_steps"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelGroup:
    """What each arm found on the problems with one value of a label.

    Attributes:
        label: Such as ``subject``.
        value: Such as ``algebra``.
        n_problems: Problems that have it.
        arms: Accuracy and differences on these problems alone, the subset first.
    """

    label: str
    value: Label
    n_problems: int
    arms: tuple[ArmResult, ...]


def label_groups(
    results: Sequence[CellResult], problems: Sequence[EvalProblem]
) -> list[LabelGroup]:
    """A group for each value of each label that tells problems apart, by label and value.

    Labels with one value, or with more than thirty, say nothing and are left out, and so are those
    that are one problem's own for more than half of them, such as an id.
    """
    judged = [one for one in results if len(one.shares) == len(problems)]
    found = []
    for label in sorted({name for problem in problems for name in problem.labels} - _OF_ANSWERS):
        places: dict[Label, list[int]] = {}
        for place, problem in enumerate(problems):
            if problem.labels.get(label) is not None:
                places.setdefault(problem.labels[label], []).append(place)
        n_own = sum(len(inside) == 1 for inside in places.values())
        if not 1 < len(places) <= _MOST_VALUES or 2 * n_own > sum(map(len, places.values())):
            continue
        for value, inside in sorted(places.items(), key=lambda item: _in_order(item[0])):
            arms = arms_of([_only(one, inside) for one in judged])
            found.append(
                LabelGroup(label=label, value=value, n_problems=len(inside), arms=tuple(arms))
            )
    return found


def _only(result: CellResult, places: Sequence[int]) -> CellResult:
    """A cell as if it had been judged on these problems; what is of all of them goes."""
    return replace(
        result,
        shares=tuple(result.shares[place] for place in places),
        by_outcome={},
        held_out_loss=None,
    )


def _in_order(value: Label) -> tuple[bool, float, str]:
    """Numbers by size, then texts."""
    if isinstance(value, (int, float)):
        return False, float(value), ""
    return True, 0.0, str(value)
