"""How does a record with its steps in a list become a trace?

A prompt and ``steps``, or their usual other names: a list of texts, or of objects with a text and
perhaps a label or rating; labels may also stand in a list of their own, one a step. The list may
stand in an object, as in ``solution: {steps, answer}``. Steps are joined by line breaks.
"""

from collections.abc import Iterable, Iterator

from grace_engine.errors import TraceRejected
from grace_engine.ingest.drafts import (
    Draft,
    Fields,
    GivenStep,
    Schema,
    kind_of,
    mismatch,
    names_of,
    optional_answer,
)
from grace_engine.ingest.schemas import planted, processbench
from grace_engine.ingest.usual_names import (
    ANSWERS,
    PROMPTS,
    first_text,
    usual_labels,
    usual_reference,
)
from grace_engine.records import Label

# They know what the labels of such steps mean.
_RICHER = (planted.SCHEMA, processbench.SCHEMA)
_STEPS = ("steps", "solution_steps", "reasoning_steps", "cot_steps", "step_list", "solution",
          "reasoning", "chain_of_thought", "cot", "rationale", "thoughts", "chain", "trace",
          "completions")  # fmt: skip
_STEP_TEXTS = ("text", "content", "step", "value", "description", "thought", "reasoning", "output")
_STEP_LABELS = ("label", "rating", "is_correct", "correct", "correctness", "score", "reward",
                "verdict")  # fmt: skip
_LABEL_LISTS = ("labels", "step_labels", "ratings", "step_ratings", "step_scores", "step_rewards",
                "rewards", "scores")  # fmt: skip
# Where the steps may stand one level deeper, as in ``solution: {steps, answer}``.
_HOLDERS = ("solution", "response", "output", "completion", "reasoning", "trace", "rationale")


def _matches(fields: Fields) -> bool:
    opened = _opened(fields)
    shaped = first_text(opened, PROMPTS) is not None and _steps_name(opened) is not None
    return shaped and not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[Draft]:
    fields = _opened(fields)
    prompt, name = first_text(fields, PROMPTS), _steps_name(fields)
    if prompt is None or name is None:
        if prompt is not None and (empty := next((n for n in _STEPS if fields.get(n) == []), "")):
            raise mismatch(f"the list of steps is empty ({empty})")
        missing = "prompt" if prompt is None else "list of steps"
        detail = f"no {missing} under a usual name; the record has {names_of(fields)}"
        raise mismatch(detail)
    steps = [_step(each, f"{name}.{i}") for i, each in enumerate(_list(fields[name]))]
    labels = _labels(fields, len(steps))
    if labels is not None:
        pairs = zip(steps, labels, strict=True)
        steps = [GivenStep(text=step.text, label=label) for step, label in pairs]
    own = next((each for each in ANSWERS if fields.get(each) is not None), "")
    answer, reference = optional_answer(fields, own), usual_reference(fields, but=own)
    said = usual_labels(fields)
    yield Draft(
        prompt=str(fields[prompt]),
        text="\n".join(step.text for step in steps),
        given_steps=tuple(steps),
        # Steps that nobody calls wrong lead to the answer that the data holds to be right.
        answer=reference if answer is None and said.get("is_correct") is not False else answer,
        reference=reference,
        labels=said,
    )


def _opened(fields: Fields) -> Fields:
    """The record; with its steps one level deeper, what stands beside them there as its own.

    An answer beside the steps is theirs, so that one outside of it is the reference.
    """
    inner = next((value for name in _HOLDERS if _holds_steps(value := fields.get(name))), None)
    if not isinstance(inner, dict):
        return fields
    told = {name: value for name, value in fields.items() if value is not inner}
    if "answer" in inner and told.get("answer") is not None:
        told.setdefault("reference", told.pop("answer"))
    return {**told, **inner}


def _holds_steps(value: object) -> bool:
    return isinstance(value, dict) and _steps_name(value) is not None


def _steps_name(fields: Fields) -> str | None:
    return next((name for name in _STEPS if _are_steps(fields, name)), None)


def _are_steps(fields: Fields, name: str) -> bool:
    """Whether a field lists steps; several completions are one only where labels say so."""
    items = _list(fields.get(name))
    texts = [item if isinstance(item, str) else _text_of(item) for item in items]
    if not items or None in texts:
        return False
    return name != "completions" or len(_list(fields.get("labels"))) == len(items)


def _step(item: object, where: str) -> GivenStep:
    if isinstance(item, str):
        return GivenStep(text=item)
    text = _text_of(item)
    if text is None or not isinstance(item, dict):
        raise mismatch(f"{where} is {kind_of(item)} without a text of a step")
    named = next((name for name in _STEP_LABELS if item.get(name) is not None), "")
    return GivenStep(text=text, label=_label(item.get(named), f"{where}.{named}"))


def _text_of(item: object) -> str | None:
    names: Iterable[str] = _STEP_TEXTS if isinstance(item, dict) else ()
    name = first_text(item, names) if isinstance(item, dict) else None
    return str(item[name]) if isinstance(item, dict) and name else None


def _labels(fields: Fields, n_steps: int) -> list[Label] | None:
    """The labels of the steps where they stand in a list of their own."""
    name = next((name for name in _LABEL_LISTS if isinstance(fields.get(name), list)), None)
    if name is None:
        return None
    values = _list(fields[name])
    if len(values) != n_steps:
        raise mismatch(f"field {name!r} has {len(values)} labels for {n_steps} steps")
    return [_label(value, f"{name}.{i}") for i, value in enumerate(values)]


def _label(value: object, where: str) -> Label:
    if value is None or isinstance(value, str | int | float):
        return value
    raise TraceRejected("wrong-type", f"{where} is {kind_of(value)}: a label is one value")


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


SCHEMA = Schema(name="steps-list", matches=_matches, drafts=_drafts)
