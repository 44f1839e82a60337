"""How does a problem without any trace get its id?"""

from hashlib import sha256

import orjson

from grace_engine.errors import TraceRejected
from grace_engine.ingest.drafts import ProblemDraft
from grace_engine.records import Problem, SourceRecord

_ID_DIGITS = 16


def build_problem(draft: ProblemDraft, *, dataset: str, record: SourceRecord) -> Problem:
    """Check a problem and give it its id, which its repeats in a dataset share.

    The id is the first 16 hex digits of the SHA-256 of ``[dataset, "problem", prompt, reference]``
    as JSON.

    Raises:
        TraceRejected: ``null-character``, ``not-unicode`` or ``no-prompt``.
    """
    for text in (draft.prompt, draft.reference, *draft.labels.values(), *draft.images):
        if isinstance(text, str) and "\0" in text:
            raise TraceRejected("null-character", f"U+0000 in {text[:60]!r}")
    if not draft.prompt or draft.prompt.isspace():
        raise TraceRejected("no-prompt", "the prompt is empty")
    try:
        key = orjson.dumps([dataset, "problem", draft.prompt, draft.reference])
    except TypeError as fault:
        detail = "a string of the record holds a lone surrogate, which is no character"
        raise TraceRejected("not-unicode", detail) from fault
    return Problem(
        id=sha256(key).hexdigest()[:_ID_DIGITS],
        dataset=dataset,
        prompt=draft.prompt,
        reference=draft.reference,
        labels=draft.labels,
        images=draft.images,
        record=record,
    )
