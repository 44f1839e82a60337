"""What do the studio's nouns hold?"""

from grace_engine.records.answers import OUTCOMES, AnswerCheck, AnswerPair, Outcome
from grace_engine.records.curation import Annotation, Choice, Selection
from grace_engine.records.duplicates import (
    DuplicateFinding,
    DuplicateGroup,
    DuplicateMember,
    Of,
)
from grace_engine.records.judging import (
    ATOMS,
    JUDGE_METRICS,
    JUDGES,
    Judge,
    JudgedPlace,
    JudgedStep,
    Judgement,
)
from grace_engine.records.parts import Drawn, Parts, StepParts, parts_of, trace_of
from grace_engine.records.problems import Item, Problem
from grace_engine.records.rollouts import (
    POLICY_RUNS,
    SETS,
    PolicyRun,
    ProblemGradient,
    Rollout,
    RolloutGroup,
    RolloutSet,
    TargetSet,
    is_of_problems,
)
from grace_engine.records.scoring import (
    RejectedTrace,
    RenderedTrace,
    ScoringRun,
    Segment,
    StepGram,
)
from grace_engine.records.traces import (
    CLEAN,
    Answer,
    Label,
    Reject,
    SourceRecord,
    Step,
    Trace,
)

__all__ = [
    "ATOMS",
    "CLEAN",
    "JUDGES",
    "JUDGE_METRICS",
    "OUTCOMES",
    "POLICY_RUNS",
    "SETS",
    "Annotation",
    "Answer",
    "AnswerCheck",
    "AnswerPair",
    "Choice",
    "Drawn",
    "DuplicateFinding",
    "DuplicateGroup",
    "DuplicateMember",
    "Item",
    "Judge",
    "JudgedPlace",
    "JudgedStep",
    "Judgement",
    "Label",
    "Of",
    "Outcome",
    "Parts",
    "PolicyRun",
    "Problem",
    "ProblemGradient",
    "Reject",
    "RejectedTrace",
    "RenderedTrace",
    "Rollout",
    "RolloutGroup",
    "RolloutSet",
    "ScoringRun",
    "Segment",
    "Selection",
    "SourceRecord",
    "Step",
    "StepGram",
    "StepParts",
    "TargetSet",
    "Trace",
    "is_of_problems",
    "parts_of",
    "trace_of",
]
