"""Does the Problems page show problems, rollouts, methods and certainty, and choose from them?"""

import json
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from grace_engine import api, store
from grace_engine.config import CurateConfig
from grace_engine.figures import rl
from grace_engine.records import PolicyRun, ProblemGradient
from grace_engine.ui import rl_sections
from tests.pages.conftest import HOSTILE_NAME, HOSTILE_PROMPT, HOSTILE_STEPS, OpenPage, serve
from tests.pages.looking import ARGUMENTS, address, numbers, shown

ROWS: list[dict[str, Any]] = [
    {"prompt": HOSTILE_PROMPT, "answer": HOSTILE_NAME, "labels": {HOSTILE_NAME: HOSTILE_NAME},
     "rollouts": [{"text": "\n".join(HOSTILE_STEPS), "reward": 1.0},
                  {"text": HOSTILE_STEPS[0], "reward": 0.0}] * 2},
    *({"prompt": f"What is {n} + {n}?", "answer": str(2 * n), "labels": {"level": n % 2},
       "rollouts": [{"text": f"It is {k}.", "reward": float(k < n)} for k in range(4)]}
      for n in range(1, 8)),
]  # fmt: skip


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> api.Workspace:
    """Hostile rollouts, three problems without variance, gradients written by hand with halves."""
    folder = tmp_path_factory.mktemp("problems")
    file = folder / "made.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    workspace = api.open_workspace(folder / "workspace", create=True)
    found = api.ingest_rollouts(workspace, file).rollouts
    run = PolicyRun(
        id="g-hand", set_id=found.id, target_id=found.id, fingerprint="f", model="m",
        kind="representation", normalise=True, split_half=True,
    )  # fmt: skip
    store.upsert_policy_run(workspace, run)
    store.set_target_norm(workspace, run.id, 2.0)
    rng = np.random.default_rng(0)
    rows = []
    for group in store.reward_groups(workspace, found.id):
        if len(set(group.rewards)) == 1:
            rows.append(
                ProblemGradient(
                    problem_id=group.problem_id, reason="no-variance", detail="all 4 rewards are 1"
                )
            )
            continue
        g = rng.normal(size=3)
        norm = float(np.linalg.norm(g))
        rows.append(
            ProblemGradient(
                problem_id=group.problem_id, dot=2 * float(g[0]), norm=norm,
                sketch=tuple(g.tolist()),
                halves=(2 * float(g[0]) + 0.1, norm, 2 * float(g[0]) - 0.1, norm),
            )
        )  # fmt: skip
    store.add_gradients(workspace, run.id, rows)
    return workspace


@pytest.fixture
def open_problems(open_page: OpenPage) -> OpenPage:
    return partial(open_page, "problems")


def test_without_rollouts_the_page_says_how_to_make_some(
    open_problems: OpenPage, tmp_path: Path
) -> None:
    app = open_problems(tmp_path / "none")
    assert not app.exception
    assert app.info[0].proto.title == "There are no rollouts here yet"
    assert [button.label for button in app.button] == ["Prepare the example"]
    assert "grace gradients PROBLEMS --target TARGETS" in app.code[0].value


def test_a_budget_of_gradients_is_taken_and_everything_stands_in_the_address(
    problems: api.Workspace, open_problems: OpenPage
) -> None:
    app = open_problems(problems.root, budget="3", method="gradalign")
    assert not app.exception
    expected = api.live_problem_choice(
        api.problem_view(problems, "g-hand"), CurateConfig(budget="3", strategy="gradalign"), None
    )
    found = numbers(app)
    assert found["Problems"] == "3"
    assert found["Policy gradients"] == "4"
    assert found["Lowest value taken"] == f"{expected.cut:.4g}".replace("-", "−")
    assert address(app)["set"] == "g-hand"
    assert address(app)["budget"] == "3"
    app = open_problems(problems.root, method="accgreedy")
    assert app.selectbox(key="method").value == "accgreedy"
    assert "Without variance: 0" not in [toggle.label for toggle in app.toggle]


def test_a_linked_set_that_is_gone_is_said(
    problems: api.Workspace, open_problems: OpenPage
) -> None:
    app = open_problems(problems.root, set="o-00000000")
    assert "o\\-00000000 are not in this workspace" in app.warning[0].value
    assert not app.exception


def test_rollouts_alone_offer_what_they_suffice_for_and_say_what_is_missing(
    problems: api.Workspace, open_problems: OpenPage
) -> None:
    alone = api.get_rollout_set(problems).id
    app = open_problems(problems.root, set=alone, section="How sure")
    assert not app.exception
    assert app.selectbox(key="method").options == ["accgreedy", "band", "random"]
    assert app.info[0].proto.title == "No policy gradients were taken of these rollouts"
    assert f"grace gradients {alone} --target" in app.code[0].value


def test_a_problem_shows_its_rollouts_apart_and_turns_with_keep_and_drop(
    problems: api.Workspace, open_problems: OpenPage
) -> None:
    view = api.problem_view(problems, "g-hand")
    (name,) = view.problems.loc[view.problems["prompt"] == HOSTILE_PROMPT, "problem_id"]
    app = open_problems(problems.root, section="One problem", problem=name, budget="2")
    assert not app.exception
    told = shown(app)
    assert "**Right: 2**" in told
    assert "**Wrong: 2**" in told
    assert numbers(app)["Pass rate"] == "50.0%"
    assert numbers(app)["Alignment"].lstrip("−") == f"{abs(view.cosines[_place(view, name)]):.4f}"
    html = "".join(str(block.proto.body) for block in app.get("html"))
    assert "&lt;script&gt;window.pwned = 1" in html
    assert "<script>window.pwned" not in html
    assert "<img src=x" not in html
    assert "advantage +0.87" in html  # 0.5 / (0.577 + 0.0001)
    app.button(key="drop").click().run()
    assert numbers(app)["By hand"] == "0 kept"
    assert numbers(app)["In or out"] == "Out"
    app.button(key="undo").click().run()
    assert "By hand" not in numbers(app)
    assert f"grace why {name} --run g-hand" in app.code[0].value


def _place(view: api.ProblemView, name: str) -> int:
    return view.table.problem_ids.tolist().index(name)


def test_methods_overlap_and_name_who_enters(
    problems: api.Workspace, open_problems: OpenPage
) -> None:
    app = open_problems(
        problems.root, section="Methods", budget="2", **{"first-method": "gradalign"}
    )
    assert not app.exception
    view = api.problem_view(problems, "g-hand")
    found = api.methods(view, CurateConfig(budget="2", strategy="gradalign"), None)
    assert list(found.taken) == list(view.strategies)
    assert (np.diag(found.shared) == 2).all()
    app.selectbox(key="second-method").set_value("accgreedy").run()
    n = 2 - int(found.shared.loc["gradalign", "accgreedy"])
    assert f"**Enter with accgreedy: {n}**" in shown(app)


def test_how_sure_a_score_is_is_shown_with_how_it_was_made(
    problems: api.Workspace, open_problems: OpenPage
) -> None:
    app = open_problems(problems.root, section="How sure")
    assert not app.exception
    found = api.certainty(api.problem_view(problems, "g-hand"))
    assert found is not None
    assert found.reliability == pytest.approx(2 * found.correlation / (1 + found.correlation))
    assert numbers(app)["Reliability"] == f"{found.reliability:.2f}"
    assert "2r/(1 + r)" in shown(app)


def test_other_budgets_stand_in_a_curve_with_the_command_that_prints_it(
    problems: api.Workspace, open_problems: OpenPage
) -> None:
    app = open_problems(problems.root, section="Budget curve", budget="2", method="gradalign")
    assert not app.exception
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    titles = [note["text"] for note in figure["layout"]["annotations"]]
    # Rollouts that came as texts alone have no tokens to be drawn.
    assert titles == ["Mean value", "Mean pass rate"]
    assert "which were not recorded of every one here" in shown(app)
    view = api.problem_view(problems, "g-hand")
    taken = api.live_problem_choice(view, CurateConfig(budget="2", strategy="gradalign"), None)
    now = [mark for mark in figure["data"] if mark["mode"] == "markers"]
    assert now[0]["y"] == [pytest.approx(taken.values[taken.selected].mean())]
    assert now[1]["y"] == [pytest.approx(view.table.pass_rates[taken.selected].mean())]
    assert app.code[0].value.startswith("grace curve --run g-hand --strategy gradalign --workspace")


def test_a_choice_is_saved_and_exported_with_the_components_of_curate(
    problems: api.Workspace, open_problems: OpenPage
) -> None:
    app = open_problems(problems.root, section="Selections", budget="2", method="gradalign")
    app.text_input(key="save-name").input("picked").run()
    app.button(key="save-choice").click().run()
    assert not app.exception
    saved = api.get_selection(problems, "picked")
    assert (saved.strategy, saved.run_id) == ("gradalign", "g-hand")
    assert address(app)["selection"] == saved.id
    app.selectbox(key="export-format-problems").set_value("verl").run()
    app.selectbox(key="export-ending").set_value("parquet").run()
    app.button(key="export-it").click().run()
    assert not app.error
    assert (problems.root / "exports" / "picked" / "verl.parquet").is_file()
    assert "2 problems in 2 lines" in shown(app)


def test_figures_hold_what_they_are_given(problems: api.Workspace) -> None:
    view = api.problem_view(problems, "g-hand")
    taken = api.live_problem_choice(view, CurateConfig(budget="3", strategy="gradalign"), None)
    rows = api.problem_rows(view, taken)
    bars = rl.pass_rate_chart(rows, dark=False).data
    assert [sum(bar.y) for bar in bars] == [3, len(rows) - 3]
    assert bars[1].x[0] == "0%"
    assert sum(bar.y[-1] for bar in bars) == 4  # 4 + 4, …, 7 + 7: all four right
    points = rl.alignment_chart(rows, "cosine", "Alignment", rows["problem_id"][0], dark=True).data
    assert [len(one.x) for one in points] == [1, 3, 1]
    texts = " ".join(str(point[1]) for one in points[:2] for point in one.customdata)
    assert "<" not in texts
    found = api.methods(view, CurateConfig(budget="2"), None)
    (square,) = rl.methods_chart(found.shared, found.jaccard, dark=False).data
    assert square.z[0][0] == 1.0


@pytest.mark.long
@pytest.mark.browser
def test_the_problems_page_shows_hostile_rollouts_as_text(
    problems: api.Workspace, tmp_path: Path, chromium: str
) -> None:
    """Opens each section of a hostile problem; nothing of it becomes markup, nothing runs."""
    view = api.problem_view(problems, "g-hand")
    (name,) = view.problems.loc[view.problems["prompt"] == HOSTILE_PROMPT, "problem_id"]
    errors: list[str] = []
    with sync_playwright() as playwright, serve(problems.root, tmp_path / "log") as studio:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: errors.append(str(error)))
        for section in rl_sections.SECTIONS:
            link = urlencode({"section": section, "problem": name, "method": "gradalign"})
            page.goto(f"{studio.url}/problems?{link}")
            expect(page.get_by_text(section, exact=True).first).to_be_visible(timeout=60_000)
            expect(page.get_by_test_id("stApp")).to_have_attribute(
                "data-test-script-state", "notRunning", timeout=60_000
            )
            assert page.evaluate("window.pwned") is None, section
            assert page.locator("img[src='x'], iframe[src^='javascript']").count() == 0, section
            if section == "Overview":
                figure = page.get_by_role("figure", name="Alignment with the target against")
                expect(figure).to_be_visible(timeout=60_000)
            if section == "One problem":
                block = page.locator(".g-rollouts").first
                expect(block).to_contain_text(HOSTILE_STEPS[0], timeout=60_000)
                expect(block).to_contain_text("advantage +0.87")
        browser.close()
    assert errors == []
