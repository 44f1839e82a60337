"""How does a row of OpenThoughts' metadata become a trace?

``problem, deepseek_reasoning, deepseek_solution, ground_truth_solution, domain, source, test_cases,
starter_code``: the reasoning and the solution that follows it are the trace, the reference is the
answer that the true solution states. Code to start from is part of what is asked.
"""

from collections.abc import Iterator

from grace_engine.ingest.drafts import Draft, Fields, Schema, labels_in, text_field
from grace_engine.ingest.thinking import reply_of, thought
from grace_engine.ingest.usual_names import answer_of_text


def _matches(fields: Fields) -> bool:
    names = ("problem", "deepseek_reasoning", "deepseek_solution")
    return all(isinstance(fields.get(name), str) for name in names)


def _drafts(fields: Fields) -> Iterator[Draft]:
    text = thought(
        text_field(fields, "deepseek_reasoning"), text_field(fields, "deepseek_solution")
    )
    asked, begun = text_field(fields, "problem"), fields.get("starter_code")
    truth = fields.get("ground_truth_solution")
    yield Draft(
        prompt=f"{asked}\n\n{begun}" if isinstance(begun, str) and begun.strip() else asked,
        text=text,
        apart=reply_of(text),
        reference=answer_of_text(truth) if isinstance(truth, str) else None,
        labels=labels_in(fields, source="source", subject="domain"),
    )


SCHEMA = Schema(name="openthoughts-metadata", matches=_matches, drafts=_drafts)
