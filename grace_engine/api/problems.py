"""What becomes of problems, which the store does not hold yet?"""

from collections.abc import Iterable, Iterator

from grace_engine.ingest.rows import excerpt_of
from grace_engine.records import Item, Problem, Reject, Trace


def without_problems(items: Iterable[Item]) -> Iterator[Trace | Reject]:
    """The items with a ``Reject`` of the reason ``problem-without-trace`` for every problem."""
    for item in items:
        if isinstance(item, Problem):
            yield Reject(
                path=item.record.path,
                line=item.record.line,
                reason="problem-without-trace",
                detail="the record poses a problem and holds no trace that solves it",
                excerpt=excerpt_of(item.record.raw),
            )
        else:
            yield item
