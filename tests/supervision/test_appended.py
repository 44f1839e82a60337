"""Is a trace measured as it is trained on, whether its answer stood in its text or in a field?"""

import json
from pathlib import Path

import pytest

from grace_engine import api, store
from grace_engine.api.measuring import measure
from grace_engine.config import IngestConfig
from grace_engine.digests import file_digest
from grace_engine.supervision import MeasureConfig, Measurer, TextPair
from tests.conftest import SAMPLE

TEXT = "Start with 7. Add 5 to get 12."
LINE = "\nThe answer is 12"


@pytest.fixture
def workspace(tmp_path: Path) -> api.Workspace:
    found = api.open_workspace(tmp_path / "workspace", create=True)
    rows = {
        "apart": {"question": "Add 5 to 7.", "solution": TEXT, "answer": "12"},
        "inside": {"question": "Add 5 to 7.", "solution": TEXT + LINE},
    }
    for name, row in rows.items():
        path = tmp_path / f"{name}.jsonl"
        path.write_text(json.dumps(row) + "\n")
        mapping = "prompt=question,trace=solution" + (",answer=answer" if "answer" in row else "")
        api.ingest(found, [path], IngestConfig(mapping=mapping))
    return found


def test_an_answer_of_a_field_counts_as_one_that_stands_in_the_text(
    workspace: api.Workspace,
) -> None:
    apart, inside = (store.trace_ids(workspace, [name])[0] for name in ("apart", "inside"))
    (trace,) = next(iter(store.iter_traces(workspace, ids=[apart])))
    assert (trace.text, trace.answer.appended) == (TEXT, LINE)
    table = measure(workspace, [apart, inside]).table
    numbers = [name for name in table if table[name].dtype == "float64"]
    assert {"tokens", "redundancy", "symbolic_fraction", "perplexity"} <= {*numbers}
    assert table.loc[apart, numbers].to_dict() == table.loc[inside, numbers].to_dict()


def test_what_was_measured_without_the_answer_is_measured_anew(workspace: api.Workspace) -> None:
    [apart] = store.trace_ids(workspace, ["apart"])
    assert measure(workspace, [apart]).n_measured == 1
    with workspace.database.unit() as connection:  # as it was stored before the answer counted
        connection.execute(
            "UPDATE trace_metrics SET text_digest = "
            "(SELECT md5(concat(prompt, chr(0), text)) FROM traces WHERE trace_id = ?)",
            [apart],
        )
    assert measure(workspace, [apart]).n_measured == 1


def test_the_language_is_that_of_the_text_without_the_words_appended() -> None:
    model = str(SAMPLE / "tiny-reasoner")
    measurer = Measurer(MeasureConfig(model=model), digest_of=file_digest)
    pair = TextPair(prompt="?", text="x = 7 + 5", appended=LINE + " and it is the sum of them")
    (found,) = measurer.measure([pair])
    assert found["language"].word == "und"
    assert found["tokens"].value > 8
