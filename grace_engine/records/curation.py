"""What do curators say, and what was chosen?"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One entry of the log of what curators said and did; the log only grows.

    Attributes:
        seq: Place in the log, from 1.
        action: Entries with one number were made together and are undone together.
        kind: ``verdict`` on a step or trace, ``override`` of a trace, ``look`` at a trace, or
            ``undo`` and ``redo`` of an action.
        trace_id: The trace; "" for ``undo`` and ``redo``.
        step: The step, from 1, that a verdict is on; None for the trace.
        start: First character of the step in the full text, so that a verdict stays with its text
            when steps are cut anew; None for the trace.
        end: One past the step's last character; None for the trace.
        word: The verdict's word; ``keep`` or ``drop`` of an override; "" withdraws either.
        note: Reason or remark.
        author: Who.
        created_at: ISO 8601, UTC.
        target: Action that ``undo`` or ``redo`` is about; 0 otherwise.
    """

    seq: int
    action: int
    kind: Literal["verdict", "override", "look", "undo", "redo"]
    trace_id: str
    step: int | None = None
    start: int | None = None
    end: int | None = None
    word: str = ""
    note: str = ""
    author: str = ""
    created_at: str = ""
    target: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a selection decided on one trace.

    Attributes:
        trace_id: The trace, or the problem where problems were chosen.
        record_digest: Digest of its source record.
        value: What it was ranked by; None when it has none.
        rank: 1-based place in the ranking.
        selected: Whether it is in.
        reason: Why it is in or out, for a person to read.
        n_tokens: The scoring model's tokens of its steps and answer.
    """

    trace_id: str
    record_digest: str
    value: float | None
    rank: int
    selected: bool
    reason: str
    n_tokens: int

    @property
    def is_by_hand(self) -> bool:
        """Whether a curator keeps or drops it: the cut did not decide."""
        return self.reason.startswith(("kept by ", "dropped by "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A subset, with the reason of every trace that is in or out.

    Attributes:
        id: ``s-`` and eight hex digits: digest of everything that decided it.
        name: The user's name for it; "" without one.
        run_id: The scoring run whose signals decided; of problems the run of policy gradients
            (``g-…``) or the set of rollouts (``o-…``).
        strategy: ``grace``, a baseline, or one of the strategies for problems.
        alpha: Weight of alignment against consistency.
        history: Such as ``uniform``, ``window:3``, ``ema:0.8``.
        aggregate: Such as ``mean``.
        history_only: Whether step 1 is left out and steps count by consistency alone.
        budget: As the user gave it: ``20%``, ``500``, ``1.2Mtok``.
        seed: Seed of ``random`` and ``band``.
        band: Pass rates of ``band``; "" for every other strategy.
        zero_without_variance: Whether problems without variance had the value 0.
        per: Column within whose values the budget held, such as ``dataset``; "" without one.
        cap_per_prompt: Most traces of one prompt; 0 for any number.
        without_duplicates: ``prompts`` or ``traces`` where only the best of each group of
            duplicates was taken; "" where all were.
        duplicates_threshold: The Jaccard similarity that made groups; 0 without any.
        duplicates_older: Whether traces came or went between that finding and this choice.
        overrides: Whether what curators keep and drop was respected.
        n_kept: Traces that were in because a curator keeps them.
        n_dropped: Traces that were out because a curator drops them.
        annotation_version: Last entry of the log of annotations that it was made with.
        parent: Id of the selection that it was branched from; "" without one.
        choices: In rank order.
        created_at: ISO 8601, UTC.
        refused_name: Of one that was just saved again: the other name that was asked for and
            that it did not get.
    """

    id: str
    name: str
    run_id: str
    strategy: str
    alpha: float
    history: str
    aggregate: str
    history_only: bool
    budget: str
    seed: int
    band: str = ""
    zero_without_variance: bool = False
    per: str = ""
    cap_per_prompt: int = 0
    without_duplicates: str = ""
    duplicates_threshold: float = 0.0
    duplicates_older: bool = False
    overrides: bool = False
    n_kept: int = 0
    n_dropped: int = 0
    annotation_version: int = 0
    parent: str = ""
    choices: tuple[Choice, ...] = field(repr=False)
    created_at: str = ""
    refused_name: str = ""
