"""How does a prompt with a plain response become a trace?

``prompt`` and ``response``, or their usual other names, where the response marks its answer or a
field beside it holds one. Alpaca's ``instruction, input, output`` need no answer to be known: what
``input`` holds is part of the prompt, below a blank line.
"""

from collections.abc import Iterator

from grace_engine.ingest.answer_marks import answer_in
from grace_engine.ingest.drafts import Draft, Fields, Schema, mismatch, names_of, optional_answer
from grace_engine.ingest.schemas import (
    chat,
    dapo,
    gsm8k,
    inspect_log,
    limo,
    math,
    metamath,
    mmathcot,
    numina_math,
    openr1_math,
    openthoughts_metadata,
    reasoned_reply,
    rendered_chat,
    s1k,
    s1k_1_1,
    sharegpt,
    steps_list,
)
from grace_engine.ingest.usual_names import (
    ANSWERS,
    PROMPTS,
    RESPONSES,
    answer_of_text,
    first_text,
    prompt_text,
    usual_labels,
    usual_reference,
)

# They know more of such a record, or find more in it.
_RICHER = tuple(
    module.SCHEMA
    for module in (chat, dapo, gsm8k, inspect_log, limo, math, metamath, mmathcot, numina_math,
                   openr1_math, openthoughts_metadata, reasoned_reply, rendered_chat, s1k, s1k_1_1,
                   sharegpt, steps_list)
)  # fmt: skip
_ALPACA = ("instruction", "input", "output")
# "answer" is the bare answer beside a response; a "text" or "prediction" may be anything.
_REPLIES = tuple(name for name in RESPONSES if name not in ("answer", "text", "prediction"))


def _matches(fields: Fields) -> bool:
    prompt, reply = _names(fields)
    if prompt is None or reply is None or any(schema.matches(fields) for schema in _RICHER):
        return False
    is_alpaca = all(name in fields for name in _ALPACA)
    return is_alpaca or bool(_own(fields)) or answer_in(str(fields[reply])) is not None


def _drafts(fields: Fields) -> Iterator[Draft]:
    prompt, reply = _names(fields)
    if prompt is None or reply is None:
        missing = "prompt" if prompt is None else "response"
        detail = f"no {missing} under a usual name; the record has {names_of(fields)}"
        raise mismatch(detail)
    text, own = str(fields[reply]), _own(fields)
    answer = answer_of_text(optional_answer(fields, own) or "")
    reference = usual_reference(fields, but=own)
    yield Draft(
        prompt=prompt_text(fields, prompt),
        text=text,
        answer=answer,
        # Beside a response that marks its own, an answer is the one that is held to be right.
        reference=answer if reference is None and answer_in(text) else reference,
        labels=usual_labels(fields),
    )


def _names(fields: Fields) -> tuple[str | None, str | None]:
    """The fields of the prompt and of the response."""
    reply = first_text(fields, _REPLIES)
    return first_text(fields, (name for name in PROMPTS if name != reply)), reply


def _own(fields: Fields) -> str:
    """The field of a bare answer beside the response; "" where there is none."""
    names = (name for name in ANSWERS if name not in _REPLIES and fields.get(name) is not None)
    return next(names, "")


SCHEMA = Schema(name="prompt-response", matches=_matches, drafts=_drafts)
