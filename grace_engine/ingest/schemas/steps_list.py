"""How does a record with its steps in a list become a trace?

A prompt and ``steps``, or their usual other names: a list of texts, or of objects with a text and
perhaps a label or rating; labels may also stand in a list of their own, one a step. Steps are
joined by line breaks.
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
from grace_engine.ingest.usual_names import PROMPTS, first_text, usual_labels, usual_reference
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
_ANSWERS = ("final_answer", "answer", "prediction", "predicted_answer", "model_answer", "output",
            "result")  # fmt: skip


def _matches(fields: Fields) -> bool:
    shaped = first_text(fields, PROMPTS) is not None and _steps_name(fields) is not None
    return shaped and not any(schema.matches(fields) for schema in _RICHER)


def _drafts(fields: Fields) -> Iterator[Draft]:
    prompt, name = first_text(fields, PROMPTS), _steps_name(fields)
    if prompt is None or name is None:
        missing = "prompt" if prompt is None else "list of steps"
        detail = f"no {missing} under a usual name; the record has {names_of(fields)}"
        raise mismatch(detail)
    steps = [_step(each, f"{name}.{i}") for i, each in enumerate(_list(fields[name]))]
    labels = _labels(fields, len(steps))
    if labels is not None:
        pairs = zip(steps, labels, strict=True)
        steps = [GivenStep(text=step.text, label=label) for step, label in pairs]
    own = next((each for each in _ANSWERS if fields.get(each) is not None), "")
    yield Draft(
        prompt=str(fields[prompt]),
        text="\n".join(step.text for step in steps),
        given_steps=tuple(steps),
        answer=optional_answer(fields, own),
        reference=usual_reference(fields, but=own),
        labels=usual_labels(fields),
    )


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
