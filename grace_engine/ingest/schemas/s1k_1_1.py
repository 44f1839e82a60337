"""How does an s1K-1.1 row become traces?

``question, solution`` and, of ``deepseek`` and ``gemini`` each, ``…_thinking_trajectory``,
``…_attempt`` and ``…_grade`` (Yes or No): one trace a model, the model's name its variant. A model
whose trajectory is missing or null has none.
"""

from collections.abc import Iterator

from grace_engine.errors import TraceRejected
from grace_engine.ingest.drafts import (
    Draft,
    Fields,
    RejectedDraft,
    Schema,
    labels_in,
    text_field,
)
from grace_engine.ingest.thinking import reply_of, thought
from grace_engine.ingest.usual_names import answer_of_text, verdict_of
from grace_engine.records import Label

_MODELS = ("deepseek", "gemini")


def _matches(fields: Fields) -> bool:
    models = any(f"{model}_thinking_trajectory" in fields for model in _MODELS)
    return isinstance(fields.get("question"), str) and models


def _drafts(fields: Fields) -> Iterator[Draft | RejectedDraft]:
    prompt = text_field(fields, "question")
    reference = answer_of_text(text_field(fields, "solution"))
    shared = labels_in(fields, source="source_type", subject="cot_type")
    for model in _MODELS:
        if fields.get(f"{model}_thinking_trajectory") is None:
            continue
        try:
            reasoning = text_field(fields, f"{model}_thinking_trajectory")
            text = thought(reasoning, text_field(fields, f"{model}_attempt"))
        except TraceRejected as fault:
            yield RejectedDraft(variant=model, reason=fault.reason, detail=fault.detail)
            continue
        verdict = verdict_of(fields.get(f"{model}_grade"))
        graded: dict[str, Label] = {} if verdict is None else {"is_correct": verdict}
        yield Draft(
            variant=model,
            prompt=prompt,
            text=text,
            apart=reply_of(text),
            reference=reference,
            labels={**shared, "model": model, **graded},
        )


SCHEMA = Schema(name="s1k-1.1", matches=_matches, drafts=_drafts)
