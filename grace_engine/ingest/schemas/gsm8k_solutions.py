"""How does a GSM8K question with model-written solutions become traces?

``question, ground_truth`` and, under the name of each model, ``{solution, is_correct}``. Each
solution and the ground truth is a trace; the reference is the ground truth's answer.
"""

from collections.abc import Iterator

from grace_engine.ingest.answer_marks import answer_in
from grace_engine.ingest.drafts import Draft, Fields, RejectedDraft, Schema, kind_of, text_field

_GROUND_TRUTH = "ground_truth"


def _solutions(fields: Fields) -> Iterator[tuple[str, object, object]]:
    """Name, text and verdict of every model's solution."""
    for name, value in fields.items():
        if isinstance(value, dict) and "solution" in value and "is_correct" in value:
            yield name, value["solution"], value["is_correct"]


def _matches(fields: Fields) -> bool:
    texts = (fields.get("question"), fields.get(_GROUND_TRUTH))
    return all(isinstance(text, str) for text in texts) and any(True for _ in _solutions(fields))


def _drafts(fields: Fields) -> Iterator[Draft | RejectedDraft]:
    prompt, truth = text_field(fields, "question"), text_field(fields, _GROUND_TRUTH)
    reference = answer_in(truth)
    for name, text, is_correct in ((_GROUND_TRUTH, truth, True), *_solutions(fields)):
        if not isinstance(text, str) or not isinstance(is_correct, bool):
            seen = f"solution is {kind_of(text)}, is_correct is {kind_of(is_correct)}"
            yield RejectedDraft(variant=name, reason="schema-mismatch", detail=f"{name}: {seen}")
            continue
        yield Draft(
            variant=name,
            prompt=prompt,
            text=text,
            reference=reference,
            labels={"is_correct": is_correct, "source": name},
        )


SCHEMA = Schema(name="gsm8k-solutions", matches=_matches, drafts=_drafts)
