"""Does a preview show what ingest would do, without doing it?"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from grace_engine import api
from grace_engine.config import IngestConfig
from grace_engine.errors import InputError, ReadError
from grace_engine.ingest import guess_mapping

GUESS = "prompt=meta.task_text,trace=model_output,answer=expected"


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def odd(number: int) -> dict[str, object]:
    return {
        "id": number,
        "meta": {"task_text": f"What is {number} and {number}?", "level": "easy"},
        "model_output": f"Take {number}.\nAdd {number}.\nThat makes {2 * number}.",
        "expected": 2 * number,
    }


def test_a_preview_holds_what_ingest_would_store(sample_file: Path, tmp_path: Path) -> None:
    found = api.preview(sample_file, n=100)

    workspace = api.open_workspace(tmp_path / "w", create=True)
    (report,) = api.ingest(workspace, [sample_file])
    assert (found.schema, found.dataset) == (report.schema, report.dataset)
    assert (found.n_traces, found.n_rejected) == (report.count.added, report.count.rejected)
    assert [(g.reason, g.count) for g in found.rejects] == [*report.count.by_reason.items()]
    assert (found.n_records, found.is_whole) == (8, True)
    assert found.size == sample_file.stat().st_size
    assert {trace.id for trace in found.traces} == ids(workspace)


def ids(workspace: api.Workspace) -> set[str]:
    from grace_engine import store

    return set(store.trace_ids(workspace, [each.name for each in api.datasets(workspace)]))


def test_a_preview_keeps_ten_traces_with_steps_and_answer(sample_file: Path) -> None:
    found = api.preview(sample_file)

    assert len(found.traces) == 10
    first = found.traces[0]
    texts = [first.full_text[step.start : step.end] for step in first.steps]
    assert texts[0] == "Janet sells 16 - 3 - 4 = <<16-3-4=9>>9 duck eggs a day."
    assert (len(texts), first.answer.text) == (2, "18")


def test_only_the_beginning_of_a_file_is_read(tmp_path: Path) -> None:
    rows = [{"question": f"{n}?", "answer": f"So {n}.\n#### {n}"} for n in range(5000)]
    path = write(tmp_path / "many.jsonl", *rows)
    with path.open("ab") as file:
        file.write(b"\xff{ not json\n")

    found = api.preview(path)

    assert (found.n_records, found.n_traces, found.n_rejected) == (200, 200, 0)
    assert not found.is_whole


def test_where_no_schema_fits_fields_and_a_guess_are_shown(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.jsonl", *map(odd, range(12)), 7)

    found = api.preview(path)

    assert (found.schema, found.n_traces) == ("", 0)
    assert [group.reason for group in found.rejects] == ["not-an-object"]
    assert [field.path for field in found.fields] == [
        "id",
        "meta.task_text",
        "meta.level",
        "model_output",
        "expected",
    ]
    assert found.fields[4].samples == ("0", "2", "4")
    assert found.guess == GUESS
    mapped = api.preview(path, IngestConfig(mapping=found.guess))
    assert (mapped.schema, mapped.n_traces) == ("mapped", 12)
    assert mapped.traces[3].answer.text == "6"


@pytest.mark.parametrize(
    ("make", "guess"),
    [
        (
            lambda n: {
                "problem": f"Find {n}.",
                "solution": "First.\nThen.\nSo.",
                "final_answer": str(n),
            },
            ("problem", "solution", "final_answer"),
        ),
        (
            lambda n: {
                "instruction": f"Add {n} and {n} please",
                "output": f"Well, {n}.\nSo {2 * n} it is.",
                "source": "web",
            },
            ("instruction", "output", None),
        ),
        (
            lambda n: {
                "uid": f"x{n}",
                "query": f"How many are {n}?",
                "chain_of_thought": [f"See {n}.", f"Say {n}."],
                "gold": n,
                "ok": True,
            },
            ("query", "chain_of_thought", "gold"),
        ),
        (
            lambda n: {
                "messages": [
                    {"role": "user", "content": f"What is {n} times two?"},
                    {"role": "assistant", "content": f"Twice {n}.\nThat is {2 * n}, I am sure."},
                ],
                "target": 2 * n,
            },
            ("messages.0.content", "messages.1.content", "target"),
        ),
        (
            lambda n: {
                "x": f"Is {n} even or odd, and why?",
                "y": f"Halve {n} and look at what is left.\nThen say so.\nHence {n % 2}.",
                "z": str(n % 2),
            },
            ("x", "y", "z"),
        ),
    ],
    ids=["names", "no answer", "list of steps", "chat", "content alone"],
)
def test_the_guess_names_the_fields_that_a_person_would(
    make: Callable[[int], dict[str, object]], guess: tuple[str, str, str | None]
) -> None:
    found = guess_mapping([make(n) for n in range(40)])

    assert tuple(map(found.get, ("prompt", "trace", "answer"))) == guess


def test_records_without_text_have_no_guess() -> None:
    assert guess_mapping([{"a": 1, "b": None}, {"a": 2, "b": []}]) == {}


def test_a_file_or_setting_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="does not exist"):
        api.preview(tmp_path / "none.jsonl")
    path = write(tmp_path / "odd.jsonl", odd(1))
    with pytest.raises(InputError, match="Segmenter"):
        api.preview(path, IngestConfig(segmenter="words"))


def test_a_file_of_broken_lines_shows_why(tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text("{\n[]\n{\n")

    found = api.preview(path)

    assert (found.n_traces, found.n_rejected, found.schema) == (0, 3, "")
    assert [(group.reason, group.count) for group in found.rejects] == [
        ("not-json", 2),
        ("not-an-object", 1),
    ]


def test_the_shell_previews_and_stores_nothing(grace, tmp_path: Path, sample_file: Path) -> None:
    status, out, err = grace("preview", sample_file, "--json", "--limit", 2)
    document = json.loads(out)
    assert (status, len(document["traces"])) == (0, 2)
    assert document["traces"][0]["steps"][0]["text"].startswith("Janet sells")
    assert document["rejects"][0]["reason"] == "no-answer"
    assert (document["schema"], document["guess"]) == ("gsm8k-solutions", None)
    assert err == ""

    path = write(tmp_path / "odd.jsonl", odd(1), odd(2))
    status, out, err = grace("preview", path)
    assert status == 0
    assert "meta.task_text" in out
    assert "--map prompt=meta.task_text,trace=model_output" in err
    document = json.loads(grace("preview", path, "--json")[1])
    assert (document["schema"], document["guess"]) == (None, GUESS)
    assert grace("preview", tmp_path / "none.jsonl")[0] == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["odd.jsonl"]
