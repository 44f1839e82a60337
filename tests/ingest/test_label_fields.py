"""Are labels recognised among the fields of unknown records?"""

from pathlib import Path

from grace_engine.ingest import (
    Row,
    field_samples,
    label_names,
    likely_labels,
    parse_mapping,
    parse_segmenter,
    read_rows,
    traces_of,
)

RECORDS = [
    {
        "id": n,
        "task": f"What is {n}+{n}?",
        "meta": {"level": ("easy", "hard")[n % 2], "OK": n % 3 == 0, "score": n / 8},
        "level": "one",
        "tags": ["a", "b"],
        "a,b": n % 2 == 0,
    }
    for n in range(8)
]


def test_truth_values_numbers_and_texts_of_few_values_are_likely_labels() -> None:
    fields = field_samples(RECORDS)

    assert likely_labels(fields, len(RECORDS)) == ["meta.level", "meta.OK", "meta.score"]
    assert likely_labels(fields, len(RECORDS), {"meta.OK"}) == ["meta.level", "meta.score"]


def test_labels_have_names_of_their_own_and_right_answers_are_recognised() -> None:
    names = label_names(field_samples(RECORDS))

    assert names["meta.OK"] == "is_correct"
    assert names["meta.score"] == "score"
    assert (names["meta.level"], names["level"]) == ("meta.level", "level")


def test_cells_of_a_table_are_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = (f"Ask {n},One is {n}.,{n},{'True' if n % 3 else 'FALSE'},{n}.5,0{n}" for n in range(8))
    path.write_text("\n".join(["ask,cot,final,ok,hardness,code", *rows]) + "\n")
    fields = field_samples([row.fields for row in read_rows(path) if isinstance(row, Row)])
    assert likely_labels(fields, 8, ("final",))[0] == "ok"
    assert label_names(fields)["ok"] == "is_correct"

    mapping = parse_mapping(
        "prompt=ask,trace=cot,answer=final,label.is_correct=ok,label.hardness=hardness,"
        "label.code=code"
    )
    traces = list(traces_of(path, dataset="d", segmenter=parse_segmenter("auto"), mapping=mapping))
    assert [trace.labels["is_correct"] for trace in traces] == [n % 3 > 0 for n in range(8)]
    assert [trace.labels["hardness"] for trace in traces] == [n + 0.5 for n in range(8)]
    assert [trace.labels["code"] for trace in traces] == [f"0{n}" for n in range(8)]
