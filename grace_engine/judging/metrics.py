"""Which questions is a judge asked of a step?

They are the model-based metrics of "What properties of reasoning supervision are associated with
improved downstream model quality?" (arXiv 2605.13290), in words of our own.
"""

from dataclasses import dataclass

from grace_engine.records import JUDGE_METRICS


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeMetric:
    """One thing that is asked of a step.

    Attributes:
        name: One of ``JUDGE_METRICS``.
        title: As a heading.
        published: Its name in the paper's tables.
        how: How it is defined, for people.
        question: What the judge is told.
    """

    name: str
    title: str
    published: str
    how: str
    question: str


_LISTED = (
    JudgeMetric(
        name="factuality",
        title="Factuality",
        published="Factuality",
        how="Whether the data, values and facts that a step states are true and agree with the "
        "question and earlier steps, arithmetic aside.",
        question="""\
FACTUALITY. Is what the step states true?
Look at every datum, value, definition and fact that the step takes up or cites: does it agree with
the question and with what earlier steps found, and, where it is knowledge of the world, is it true?
Leave out of account whether the step calculates or infers rightly: a wrong sum of right numbers is
positive here. A step that takes up a wrong result of an earlier step just as it stands there agrees
with it, and is positive. A step that states nothing is positive.""",
    ),
    JudgeMetric(
        name="validity",
        title="Validity",
        published="Validity",
        how="Whether a step's calculations and inferences are right, whether or not what they "
        "start from is true.",
        question="""\
VALIDITY. Does the step calculate and infer rightly?
Check each calculation, each rearrangement and each conclusion of the step: does it follow from what
it starts from? Leave out of account whether what it starts from is true: a right sum of wrong
numbers is positive here. A step that neither calculates nor infers anything is positive.""",
    ),
    JudgeMetric(
        name="coherence",
        title="Coherence",
        published="Coherence",
        how="Whether a step goes on from the one before it; judged leniently.",
        question="""\
COHERENCE. Does the step go on from the step before it, or, as the first, from the question?
Be lenient. A change of plan, a check, a correction, a new case and a jump over something obvious
all go on. The label is negative only where the step has nothing to do with what comes before, and
cannot be understood, and contradicts it, all three together.""",
    ),
    JudgeMetric(
        name="utility",
        title="Utility",
        published="Utility",
        how="Whether a step adds something new: repetition, hesitation and empty comment do not; "
        "brevity is no fault.",
        question="""\
UTILITY. Does the step add something that was not there before?
A new result, value, definition, case, plan or check, or a correction, adds something, however short
it is said: brevity is a virtue. Saying again what the question or an earlier step says, hesitating,
filling in words and commenting without content add nothing, and are negative.""",
    ),
)
METRICS: dict[str, JudgeMetric] = {metric.name: metric for metric in _LISTED}
"""All of them, by name, in the order of ``JUDGE_METRICS``."""

if tuple(METRICS) != JUDGE_METRICS:  # pragma: no cover - a fault of the program
    raise AssertionError(METRICS)
