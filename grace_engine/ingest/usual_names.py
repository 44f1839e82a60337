"""Under which names do records of many makers keep their prompt, reference and labels?

For shapes that no single dataset owns; a dataset's own schema names its fields itself.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from grace_engine.ingest.answer_marks import answer_in
from grace_engine.ingest.drafts import Fields, answer_text
from grace_engine.records import Label

PROMPTS = ("prompt", "question", "problem", "instruction", "query", "input", "task", "user")
RESPONSES = ("response", "output", "completion", "generation", "generated_text", "model_output",
             "answer", "text", "prediction")  # fmt: skip
REASONINGS = ("reasoning_content", "reasoning", "thinking", "thought", "reasoning_text")
ANSWERS = ("final_answer", "answer", "extracted_answer", "prediction", "predicted_answer",
           "model_answer", "output", "result")  # fmt: skip
REFERENCES = ("reference", "reference_answer", "ground_truth", "ground_truth_answer", "groundtruth",
              "gt_answer", "gold", "gold_answer", "correct_answer", "expected_answer", "target",
              "final_answer", "answer", "solution")  # fmt: skip

_LABELS = {
    "is_correct": (
        "is_correct", "correct", "correctness", "final_answer_correct", "is_right", "verified",
    ),
    "source": ("source", "data_source", "dataset", "origin"),
    "subject": ("subject", "domain", "category", "topic", "ability"),
    "level": ("level",),
    "difficulty": ("difficulty",),
    "split": ("split",),
    "model": ("model", "generator", "model_name"),
    "first_wrong_step": ("first_wrong_step", "first_error_step", "first_wrong", "error_step"),
}  # fmt: skip
# Rewards and judges' scores keep the names that tell them apart.
_SCORE = re.compile(r"(?:\A|_)(?:reward|score|rating|grade|pass_rate)\Z")
_NESTED = ("metadata", "meta", "extra_info")

# What stands in metadata beside the same problem's own fields.
_NO_LABELS = frozenset({*PROMPTS, *RESPONSES, *REASONINGS, *REFERENCES, "index", "idx", "row"})

_RIGHT = frozenset({"true", "yes", "correct", "right", "c", "1", "pass", "passed"})
_WRONG = frozenset({"false", "no", "incorrect", "wrong", "i", "0", "fail", "failed"})
_LONGEST_ANSWER = 80


def first_text(fields: Fields, names: Iterable[str]) -> str | None:
    """The first of these names under which a record has a text."""
    return next((name for name in names if isinstance(fields.get(name), str)), None)


def prompt_text(fields: Fields, name: str) -> str:
    """The prompt in a field; below an Alpaca instruction what it is to be applied to."""
    asked, more = str(fields[name]), fields.get("input")
    if name == "instruction" and isinstance(more, str) and more.strip():
        return f"{asked}\n\n{more}"
    return asked


def verdict_of(value: object) -> bool | None:
    """What a value says of a trace, right or wrong, in one of the usual ways; None if neither."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    return True if word in _RIGHT else False if word in _WRONG else None


def answer_of_text(text: str) -> str | None:
    """The answer that a reference text states: its marked one, or itself when it is one line."""
    text = text.strip()
    marked = answer_in(text)
    short = text if "\n" not in text and len(text) <= _LONGEST_ANSWER else ""
    return marked or short or None


def usual_reference(fields: Fields, but: str | None = None) -> str | None:
    """The answer that a record holds to be right; None where it has none under a usual name.

    Args:
        fields: The record.
        but: A name that means something else here.
    """
    for name in REFERENCES:
        value = fields.get(name)
        if name != but and isinstance(value, str | int | float) and not isinstance(value, bool):
            found = answer_of_text(answer_text(name, value))
            if found:
                return found
    return None


def usual_labels(fields: Fields) -> dict[str, Label]:
    """The labels of a record under the studio's names; of its own fields first, then of metadata.

    Anything but one value is no label.
    """
    found: dict[str, Label] = {}
    for name, value in _values(fields):
        label = _label_of(name)
        said = verdict_of(value) if label == "is_correct" else value
        if label and said is not None and label not in found:
            found[label] = said
    return found


def single_labels(fields: Fields, but: Collection[str] = ()) -> dict[str, Label]:
    """The usual labels of a record, and each other single value of it under its own name.

    Of metadata what is no text of the problem, no answer and no counter.

    Args:
        fields: The record.
        but: Names that are no labels here: those of the prompt and of the answer.
    """
    found = usual_labels({name: value for name, value in fields.items() if name not in but})
    for layer in (fields, *(fields.get(name) for name in _NESTED)):
        if not isinstance(layer, dict):
            continue
        passed_over = but if layer is fields else _NO_LABELS
        for name, value in layer.items():
            single = isinstance(value, str | int | float) and not _label_of(name.lower())
            if single and name not in passed_over:
                found.setdefault(name, value)
    return found


def _values(fields: Fields) -> Iterator[tuple[str, str | int | float]]:
    for layer in (fields, *(fields.get(name) for name in _NESTED)):
        if isinstance(layer, dict):
            for name, value in layer.items():
                if isinstance(value, str | int | float):
                    yield name.lower(), value


def _label_of(name: str) -> str:
    """The studio's name for a field; "" where it is none of the usual labels."""
    usual = next((label for label, names in _LABELS.items() if name in names), "")
    return usual or (name if _SCORE.search(name) else "")
