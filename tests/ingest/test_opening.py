"""Does ``grace ingest`` open a file of every schema without a flag, with all its parts right?"""

from collections.abc import Callable
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.ingest import SCHEMAS, Row, read_rows
from grace_engine.records import Label, Trace

Grace = Callable[..., tuple[int, str, str]]

FILES = Path(__file__).parent / "files"

Step = tuple[str, Label]
Told = tuple[str, list[Step], str, str | None, dict[str, Label]]


def steps(*texts: str, label: Label = None) -> list[Step]:
    return [(text, label) for text in texts]


SUBSETS = ("Each element is in or out.", "So there are 2 to the power of 7 subsets.")
AIME = {"source": "qq8933/AIME_1983_2024", "subject": "math"}
OPENR1 = {"source": "olympiads", "subject": "Number Theory"}

# Of every trace: variant, steps with their labels, answer, reference, labels.
EXPECTED: dict[str, list[Told]] = {
    "chat": [
        (
            "",
            steps(
                "Sydney is the largest city.", "The capital was built between Sydney and Melbourne."
            ),
            "Canberra",
            "Canberra",
            {"reward": 1.0, "source": "trivia"},
        ),
        ("", steps("It has whiskers.", "It has a tail."), "A cat.", None, {"reward": 0.5}),
    ],
    "gsm8k": [
        (
            "",
            steps(
                "She earns 12/60 = $<<12/60=0.2>>0.2 a minute.",
                "For 50 minutes that is 0.2 x 50 = $<<0.2*50=10>>10.",
            ),
            "10",
            "10",
            {"is_correct": True},
        )
    ],
    "gsm8k-solutions": [
        (
            "ground_truth",
            steps("Halve 36.", "36 / 2 = 18."),
            "18",
            "18",
            {"is_correct": True, "source": "ground_truth"},
        ),
        (
            "6b_finetuning",
            steps("Halve 36.", "36 / 2 = 17."),
            "17",
            "18",
            {"is_correct": False, "source": "6b_finetuning"},
        ),
    ],
    "inspect": [
        (
            "",
            steps("17 plus 20 is 37.", "5 more is 42.", "The sum is 42."),
            "42",
            "42",
            {"model": "qwen3-8b", "epoch": 1, "match": "C", "is_correct": True, "judge": 0.9},
        ),
        (
            "",
            steps("8 plus 9 is 18."),
            "18",
            "17",
            {"model": "qwen3-8b", "epoch": 1, "match": "I", "is_correct": False},
        ),
    ],
    "limo": [
        (
            "",
            steps(
                "Pair the numbers: 1 and 10, 2 and 9, and so on.",
                "There are 5 pairs of 11.",
                "The sum is",
            ),
            "55",
            "55",
            {},
        )
    ],
    "math": [
        (
            "",
            steps("Subtract 3 from both sides to get $2x=8$.", "Divide by 2 to get $x="),
            "4",
            "4",
            {"is_correct": True, "subject": "Algebra", "level": 2},
        ),
        (
            "",
            steps(r"Write it as $\frac{5\cdot 4}{2}$.", "This is"),
            "10",
            "10",
            {"is_correct": True, "subject": "Counting & Probability"},
        ),
    ],
    "math-shepherd": [
        (
            "",
            [
                ("Each of the 3 ducks lays 2 eggs.", "+"),
                ("So there are 3 + 2 = <<3+2=5>>5 eggs.", "-"),
                ("Janet has 5 eggs.", "-"),
            ],
            "5",
            None,
            {"first_wrong_step": 1, "task": "GSM8K"},
        )
    ],
    "metamath": [
        (
            "",
            steps("Each bag holds 4 apples.", "3 bags hold 3 * 4 = 12 apples."),
            "12",
            None,
            {"type": "GSM_Rephrased"},
        ),
        (
            "",
            steps("Half of a half is a fourth.", "So it is"),
            r"\frac14",
            None,
            {"type": "MATH_AnsAug"},
        ),
    ],
    "mmathcot": [
        (
            "",
            steps(
                "The angles of a triangle add up to 180 degrees.",
                "The angle C is 180 - 50 - 60, which is 70.",
            ),
            "70",
            None,
            {},
        )
    ],
    "numina-math": [
        (
            "",
            steps("The area of a square is its side squared.", "So the area is 49."),
            "49",
            "49",
            {"is_correct": True, "source": "synthetic_math"},
        )
    ],
    "openr1-math": [
        (
            "0",
            steps("The even numbers up to 6 are 2, 4 and 6.", "They add up to 12.", "The sum is"),
            "12",
            "12",
            {**OPENR1, "is_correct": True, "is_reasoning_complete": True},
        ),
        (
            "1",
            steps("I add 2 and 4.", "That gives 6.", "The sum is"),
            "6",
            "12",
            {**OPENR1, "is_correct": False, "is_reasoning_complete": True},
        ),
    ],
    "openthoughts": [
        (
            "",
            steps("Ten percent of 80 is 8.", "Five percent is 4.", "Adding both gives"),
            "12",
            None,
            {},
        )
    ],
    "openthoughts3": [
        (
            "",
            steps("6 times 4 is 24.", "29 minus 24 is 5.", "The remainder is"),
            "5",
            None,
            {"difficulty": 7, "source": "ai2-adapt-dev/openmath-2-math", "subject": "math"},
        )
    ],
    "openthoughts-metadata": [
        (
            "",
            steps("Ten percent of 70 is 7.", "Three times 7 is 21.", "So 30% of 70 is"),
            "21",
            "21",
            {"source": "numina_math", "subject": "math"},
        ),
        (
            "",
            steps("The sum is asked for.", "Python adds by a sign."),
            "return a + b",
            None,
            {"source": "taco", "subject": "code"},
        ),
    ],
    "planted": [
        (
            "",
            [("3+4=8", "wrong_result"), ("8+5=13", "clean")],
            "13",
            "12",
            {"kind": "wrong_result", "is_correct": False},
        )
    ],
    "prm800k": [
        (
            "",
            [
                ("First I factor 12 as 2^2 times 3.", 1),
                ("The exponents may be chosen in 3 times 2 ways.", None),
                ("That makes 6 divisors.", 0),
            ],
            "6",
            "6",
            {"finish_reason": "solution"},
        ),
        (
            "",
            [
                ("7 times 8 is 54.", -1),
                ("54 less 6 is 48.", None),
                ("So the result is 48.", None),
            ],
            "48",
            "50",
            {"first_wrong_step": 0, "finish_reason": "found_error"},
        ),
    ],
    "processbench": [
        (
            "",
            [
                ("Sue has 3 times 6 eggs, which is 18 eggs.", "clean"),
                ("She breaks 4, so 18 - 4 = 13 are left.", "bad"),
                ("The answer is 13.", None),
            ],
            "13",
            None,
            {"model": "Qwen2-7B-Instruct", "is_correct": False, "first_wrong_step": 1},
        ),
        (
            "",
            steps("Multiply the boxes by the eggs: 2 times 6.", "That is", label="clean"),
            "12",
            None,
            {"model": "Llama-3.1-8B-Instruct", "is_correct": True, "first_wrong_step": -1},
        ),
    ],
    "prompt-response": [
        ("", steps("3 and 4 make 7.", "7 and 5 make 12."), "12", None, {}),
        ("", steps("Four around it.", "Two more above and below."), "6", None, {}),
        ("", steps("Ten tens are 100.", "Ten more are 110."), "110", None, {"model": "m"}),
        ("", steps("It is 5.", "It is 6."), "6", "7", {"is_correct": False}),
    ],
    "reasoned-reply": [
        (
            "",
            steps("Ten twelves are 120.", "Two more are 24."),
            "144",
            "144",
            {"difficulty": "easy", "llm_judge_score": 0.75},
        ),
        (
            "",
            steps("Ten thirteens are 130.", "Three more are 39."),
            "169",
            "169",
            {"difficulty": "easy", "llm_judge_score": 1.0},
        ),
    ],
    "rendered-chat": [
        ("", steps("17 plus 3 is 20.", "5 more is 25."), "25", "25", {"source": "hand"}),
        ("", steps("Take 4 from 9.", "That leaves"), "5", None, {"is_correct": True}),
    ],
    "s1k": [
        ("", steps(*SUBSETS, "Two choices for each of 7 elements give"), "128", "128", AIME),
    ],
    "s1k-1.1": [
        (
            "deepseek",
            steps(*SUBSETS, "The number is"),
            "128",
            "128",
            {**AIME, "model": "deepseek", "is_correct": True},
        ),
        (
            "gemini",
            steps("There are 7 elements.", "Multiply 7 by 2.", "The number is"),
            "14",
            "128",
            {**AIME, "model": "gemini", "is_correct": False},
        ),
    ],
    "sharegpt": [
        ("", steps("Nine times nine.", "That makes 81."), "81", None, {}),
        ("", steps("Try 7.", "7 times 13 is 91."), "No", None, {}),
    ],
    "steps-list": [
        (
            "",
            [
                ("It goes 60 km in each hour.", 1),
                ("In 3 hours it goes 3 times 60 km.", 1),
                ("That is 190 km.", -1),
            ],
            "190",
            "180",
            {"source": "hand", "subject": "motion"},
        ),
        ("", [("Take 4.", True), ("Add 4 more.", False)], "8", "8", {"is_correct": True}),
        ("", steps("Two times 20 is 40.", "Two more is 42."), "42", None, {"level": 2}),
        ("", steps("50 less 10 is 40.", "2 more is 42."), "42", "42", {}),
    ],
}


def rows_of(name: str) -> list[Row]:
    return [row for row in read_rows(FILES / f"{name}.jsonl") if isinstance(row, Row)]


def told(trace: Trace) -> Told:
    text = trace.full_text
    cut = [(text[step.start : step.end], step.label) for step in trace.steps]
    return trace.variant, cut, trace.answer.text, trace.reference, dict(trace.labels)


def types_of(all_told: list[Told]) -> list[list[type]]:
    """``1 == True == 1.0``: equal labels may still be of different types."""
    return [
        [type(label) for label in (*(label for _, label in cut), *labels.values())]
        for _, cut, _, _, labels in all_told
    ]


def test_every_schema_has_a_file() -> None:
    assert {path.stem for path in FILES.glob("*.jsonl")} == SCHEMAS.keys()
    assert EXPECTED.keys() == SCHEMAS.keys() - {"dapo", "problem"}, "these pose problems"


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_row_is_matched_by_exactly_one_schema(name: str) -> None:
    for row in rows_of(name):
        matching = [schema.name for schema in SCHEMAS.values() if schema.matches(row.fields)]
        assert matching == [name]


@pytest.mark.parametrize("name", EXPECTED)
def test_grace_ingest_opens_the_file(grace: Grace, tmp_path: Path, name: str) -> None:
    status, _, err = grace("ingest", FILES / f"{name}.jsonl", "-w", tmp_path)

    workspace = api.open_workspace(tmp_path, create=False)
    traces = [trace for batch in store.iter_traces(workspace) for trace in batch]
    found = [told(trace) for trace in traces]
    assert f"({name})" in err
    assert (status, found) == (0, EXPECTED[name])
    assert types_of(found) == types_of(EXPECTED[name])


def test_images_of_a_prompt_are_kept_as_references(grace: Grace, tmp_path: Path) -> None:
    for name in ("mmathcot", "chat"):
        assert grace("ingest", FILES / f"{name}.jsonl", "-w", tmp_path)[0] == 0

    workspace = api.open_workspace(tmp_path, create=False)
    images = [trace.images for batch in store.iter_traces(workspace) for trace in batch]
    drawn = "DataEngine_Geometry/rule_base_geo_vision_dom/images/2305.png"
    assert images == [(drawn,), (), ("images/cat.png",)]


def test_an_unfinished_generation_is_rejected_by_its_variant(grace: Grace, tmp_path: Path) -> None:
    grace("ingest", FILES / "openr1-math.jsonl", "-w", tmp_path)

    (reject,) = api.rejects(api.open_workspace(tmp_path, create=False))
    assert (reject.variant, reject.reason) == ("2", "no-answer")


def test_problems_without_traces_are_kept_and_their_repeats_folded(
    grace: Grace, tmp_path: Path
) -> None:
    status, _, err = grace("ingest", FILES / "dapo.jsonl", "-w", tmp_path)
    again, _, _ = grace("ingest", FILES / "dapo.jsonl", "-w", tmp_path)

    workspace = api.open_workspace(tmp_path, create=False)
    found = api.list_problems(workspace)
    assert [(p.record.line, p.reference, n) for p, n in found] == [
        (1, "42", 2), (3, "13", 1), (4, "17", 1),
    ]  # fmt: skip
    assert [p.prompt for p, _ in found[1:]] == ["What is 6 plus 7?", "What is 8 plus 9?"]
    assert found[0][0].labels["source"] == "math_dapo"
    assert (status, again, "3 problems without a trace (1 repeats folded)" in err) == (0, 0, True)
    assert [info.n_problems for info in api.datasets(workspace)] == [3]
    assert api.rejects(workspace) == []

    api.delete_dataset(workspace, "dapo")
    assert api.list_problems(workspace) == []
