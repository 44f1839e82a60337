"""What does a file of chosen problems hold, in each format that trainers by reinforcement read?

- ``trl-grpo`` (TRL's GRPOTrainer): ``prompt`` as messages; every other column reaches the reward
  functions under its name: ``answer``, ``problem_id``;
- ``verl``: ``data_source, prompt, ability, reward_model{style, ground_truth}, extra_info``;
- ``open-instruct`` (RLVR): ``messages, ground_truth, dataset``, the last naming the verifier.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson

from grace_engine.errors import InputError
from grace_engine.export.formats import KEY
from grace_engine.records import RolloutGroup

ProblemFormat: TypeAlias = Literal["trl-grpo", "verl", "open-instruct"]
PROBLEM_FORMATS: tuple[ProblemFormat, ...] = ("trl-grpo", "verl", "open-instruct")

Annotated: TypeAlias = tuple[RolloutGroup, Mapping[str, Any] | None]


def problem_rows(
    problems: Iterable[Annotated], as_format: ProblemFormat
) -> Iterator[dict[str, Any]]:
    """A row a problem, in order; an annotation stands under the key ``grace``.

    Raises:
        InputError: A problem without a reference, in a format that has no other way to a reward.
    """
    for index, (problem, note) in enumerate(problems):
        if not problem.reference and as_format != "trl-grpo":
            raise InputError(
                f"Problem {problem.problem_id} has no reference answer, which {as_format} needs "
                "for its reward: use --as trl-grpo, or drop such problems."
            )
        row = _ROWS[as_format](problem, index)
        yield row if note is None else row | {KEY: note}


def file_parts(rows: Iterable[dict[str, Any]], path: Path) -> Iterator[bytes]:
    """What to write: Parquet where the file's ending says so, else JSON lines.

    Raises:
        InputError: The ending is one of another form.
    """
    if path.suffix.lower() == ".parquet":
        yield _parquet(list(rows))
        return
    if path.suffix.lower() not in (".jsonl", ".json"):
        raise InputError(
            f"{path} has an ending that problems cannot be written to: use .jsonl or .parquet."
        )
    for row in rows:
        yield orjson.dumps(row) + b"\n"


def _messages(problem: RolloutGroup) -> list[dict[str, str]]:
    return [{"role": "user", "content": problem.prompt}]


def _trl(problem: RolloutGroup, _index: int) -> dict[str, Any]:
    return {
        "prompt": _messages(problem),
        "answer": problem.reference,
        "problem_id": problem.problem_id,
    }


def _verl(problem: RolloutGroup, index: int) -> dict[str, Any]:
    return {
        "data_source": _source(problem),
        "prompt": _messages(problem),
        "ability": str(problem.labels.get("subject") or "math"),
        "reward_model": {"style": "rule", "ground_truth": problem.reference},
        "extra_info": {"split": "train", "index": index, "problem_id": problem.problem_id},
    }


def _open_instruct(problem: RolloutGroup, _index: int) -> dict[str, Any]:
    return {
        "messages": _messages(problem),
        "ground_truth": problem.reference,
        "dataset": _source(problem),
    }


def _source(problem: RolloutGroup) -> str:
    """By this name verl and open-instruct find the function that rewards."""
    return str(problem.labels.get("source") or problem.dataset)


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


_ROWS = {"trl-grpo": _trl, "verl": _verl, "open-instruct": _open_instruct}
