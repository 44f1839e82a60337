"""Are labels recognised among the fields of unknown records?"""

from grace_engine.ingest import field_samples, label_names, likely_labels

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
