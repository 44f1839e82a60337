"""Does no text of the data turn the direction of what stands around it, on any page?"""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from grace_engine import api
from grace_engine.config import IngestConfig, ScoreConfig
from grace_engine.figures.frames import plain
from grace_engine.marks import DIRECTION, marks_named
from grace_engine.ui.curate_state import SECTIONS
from grace_engine.ui.pane import VIEWS
from tests.conftest import SAMPLE
from tests.pages.conftest import ROOT

RLO, RLM = "\u202e", "\u200f"
NAME = f"a{RLO}b"

# What a widget holds beside what it shows: its key, and a text that is the user's own to edit.
UNSEEN = ("id", "default", "value", "form_id", "query_param_key", "raw_values")


def test_a_direction_mark_is_named() -> None:
    assert plain("a\u202eb\u2066\nc\u200fd\x00", 40) == "a[U+202E]b[U+2066] c[U+200F]d"
    assert marks_named("a\u202eb\n\u061c") == "a[U+202E]b\n[U+061C]"


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose texts, fields, labels, names and files hold direction marks."""
    folder = tmp_path_factory.mktemp("turned")
    rows: list[dict[str, object]] = [
        {
            f"task{RLO}": f"What is {n}{RLO}+{n}?",
            "thoughts": f"Take {RLO}{n % 3}.\nSo{RLM} {2 * (n % 3)}.",
            "gold": 2 * n,
            f"kind{RLO}": f"k{n % 2}{RLO}",
        }
        for n in range(6)
    ]
    rows.append({f"task{RLO}": f"Nothing{RLO}", "thoughts": f" {RLO}", "gold": 1})
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / f"{NAME}.jsonl").write_text(f"{text}\n{RLO}no json\n", encoding="utf-8")
    workspace = api.open_workspace(folder / "workspace", create=True)
    mapping = f"prompt=task{RLO},trace=thoughts,answer=gold,label.kind{RLO}=kind{RLO}"
    api.ingest(workspace, [folder / f"{NAME}.jsonl"], IngestConfig(dataset=NAME, mapping=mapping))
    api.score(workspace, ScoreConfig(model=str(SAMPLE / "tiny-reasoner"), max_length=90))
    api.curate(workspace, "50%", name=f"mine{RLO}")
    api.curate(workspace, "30%", name=f"other{RLO}")
    trace = api.run_view(workspace).traces["trace_id"][0]
    api.mark(workspace, trace, f"odd{RLO}", step=1, note=f"note{RLO}")
    api.override(workspace, [trace], True, reason=f"because{RLO}")
    api.find_duplicates(workspace, "traces")
    return folder


def turning(app: AppTest) -> list[str]:
    """What the page shows with a direction mark in it; ``st.html`` isolates its own."""
    found = []
    for element in app._tree:
        proto = getattr(element, "proto", None)
        if proto is None or element.type == "html":
            continue
        shown = type(proto)()
        shown.CopyFrom(proto)
        for name in UNSEEN:
            if name in shown.DESCRIPTOR.fields_by_name:
                shown.ClearField(name)
        said = shown.SerializeToString().decode("utf-8", errors="ignore")
        if DIRECTION.search(said):
            found.append(f"{element.type}: {said[:300]!r}")
    return found


LINKS: list[tuple[str, dict[str, str]]] = [
    *(
        ("data", {"tab": view})
        for view in ("Contents", "Add traces", "Score", "Rejected", "Duplicates")
    ),
    *(("inspect", {"view": view}) for view in VIEWS),
    ("inspect", {f"label.kind{RLO}": f"k1{RLO}", "dataset": NAME, "q": f"So{RLM}"}),
    *(("curate", {"section": section, "per": f"label.kind{RLO}"}) for section in SECTIONS),
]


@pytest.mark.long
@pytest.mark.parametrize(("page", "link"), LINKS, ids=lambda part: str(part).encode().hex()[:40])
def test_no_text_of_the_data_turns_a_page(
    turned: Path, monkeypatch: pytest.MonkeyPatch, page: str, link: dict[str, str]
) -> None:
    monkeypatch.setenv("GRACE_WORKSPACE", str(turned / "workspace"))
    monkeypatch.setenv("GRACE_ALLOWED_PATHS", str(turned))
    saved = api.list_selections(api.open_workspace(turned / "workspace", create=False))
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page(f"pages/{page}.py")
    if page == "data":
        link = link | {"file": f"{NAME}.jsonl"}
    if page == "curate":
        link = link | {"selection": saved[0].id, "second": saved[1].id}
    for name, value in link.items():
        app.query_params[name] = value

    app.run()

    assert not app.exception
    assert turning(app) == []
