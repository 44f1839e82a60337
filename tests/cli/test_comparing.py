"""Does the shell explain, compare, branch and rename choices?"""

import json

import pytest

from grace_engine import api
from grace_engine.config import CurateConfig
from grace_engine.digests import text_digest


def document(result: tuple[int, str, str]) -> dict:
    """The one JSON document of a command that succeeded."""
    status, out, err = result
    assert status == 0, err
    return json.loads(out)


def test_a_choice_without_what_is_new_keeps_its_id(own_workspace) -> None:
    plain = api.curate(own_workspace, "20%", name="plain")
    decided_before = ["run_id", "strategy", "alpha", "history", "aggregate", "history_only",
                      "budget", "seed"]  # fmt: skip
    spec = {name: getattr(plain, name) for name in decided_before}
    decided = json.dumps([spec, [(c.trace_id, c.selected) for c in plain.choices]], sort_keys=True)
    assert plain.id == "s-" + text_digest(decided, size=4)
    spelt = {"per": "", "cap_per_prompt": 0, "overrides": False, "parent": ""}
    assert api.curate(own_workspace, "20%", **spelt).id == plain.id
    for change in ({"per": "variant"}, {"cap_per_prompt": 2}, {"parent": plain.id}):
        assert api.curate(own_workspace, "20%", **change).id != plain.id


def test_a_selection_from_before_strata_still_loads(own_workspace) -> None:
    chosen = api.curate(own_workspace, "20%")
    old = {"per", "cap_per_prompt", "overrides", "n_kept", "n_dropped", "annotation_version",
           "parent"}  # fmt: skip
    with own_workspace.database.unit() as connection:
        spec = json.loads(connection.execute("SELECT spec FROM selections").fetchall()[0][0])
        less = {name: value for name, value in spec.items() if name not in old}
        connection.execute("UPDATE selections SET spec = ?", [json.dumps(less)])
    found = api.get_selection(own_workspace, chosen.id)
    assert (found.per, found.cap_per_prompt, found.overrides, found.parent) == ("", 0, False, "")
    assert found.choices == chosen.choices


def test_what_curators_keep_and_drop_is_respected_counted_and_told(grace, own_workspace) -> None:
    root = own_workspace.root
    before = api.curate(own_workspace, "20%")
    last, first = before.choices[-1].trace_id, before.choices[0].trace_id
    api.override(own_workspace, [last], True, reason="clean reasoning", author="ana")
    api.override(own_workspace, [first], False, author="bo")
    found = document(grace("curate", "-w", root, "--json"))
    assert (found["n_selected"], found["n_kept"], found["n_dropped"]) == (8, 1, 1)
    assert found["annotation_version"] == api.annotations(own_workspace).version == 2
    choices = {choice["trace_id"]: choice for choice in found["choices"]}
    assert choices[last]["selected"]
    assert choices[last]["reason"] == "kept by ana: clean reasoning"
    assert not choices[first]["selected"]
    assert choices[first]["reason"] == "dropped by bo"
    assert found["selection"] != before.id
    without = document(grace("curate", "-w", root, "--no-overrides", "--json"))
    assert without["selection"] == before.id
    assert (without["overrides"], without["n_kept"]) == (False, 0)


def test_a_manifest_tells_strata_cap_overrides_and_parent(grace, own_workspace, tmp_path) -> None:
    root = own_workspace.root
    parent = api.curate(own_workspace, "50%", name="wide")
    made = document(
        grace("curate", "-w", root, "--per", "variant", "--cap", 1, "--parent", "wide",
              "--name", "narrow", "--json")
    )  # fmt: skip
    assert made["parent"] == parent.id
    grace("export", "narrow", "--to", tmp_path / "out.jsonl", "-w", root)
    told = json.loads((tmp_path / "manifest.json").read_text())["selection"]
    assert (told["per"], told["cap_per_prompt"], told["parent"]) == ("variant", 1, parent.id)


def test_a_budget_per_column_holds_in_each_and_a_cap_holds_for_each_prompt(own_workspace) -> None:
    view = api.run_view(own_workspace)
    taken = api.live_choice(view, CurateConfig(per="variant"))
    sizes = view.traces.groupby("variant").size()
    inside = view.traces[taken.selected].groupby("variant").size()
    assert inside.to_dict() == {name: -(-n // 5) for name, n in sizes.items()}
    capped = api.live_choice(view, CurateConfig(budget="100%", cap_per_prompt=1))
    assert capped.n_selected == view.traces["prompt_digest"].nunique() == 8


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--per", "colour"), "have no column 'colour': use one of dataset"),
        (("--parent", "nobody"), "no selection 'nobody'"),
        (("--name", "latest"), "cannot be named 'latest'"),
    ],
)
def test_what_cannot_be_chosen_is_said_in_a_sentence(grace, scored_workspace, flags, said) -> None:
    status, _, err = grace("curate", "-w", scored_workspace.root, *flags)
    assert status == 1
    assert said in " ".join(err.split())


def test_why_tells_the_sum_and_the_flips_of_a_trace(grace, own_workspace) -> None:
    root = own_workspace.root
    chosen = api.curate(own_workspace, "20%", name="mine")
    trace = chosen.choices[10].trace_id
    found = document(grace("why", trace[:12], "-w", root, "--json"))
    assert (found["trace_id"], found["rank"], found["selected"]) == (trace, 11, False)
    assert sum(step["part"] for step in found["steps"]) == pytest.approx(found["value"])
    assert found["steps"][0]["consistency"] is None
    assert found["margin"] == pytest.approx(found["value"] - chosen.choices[7].value)
    assert found["needed_budget"] == "25.642%"  # ten of 39 are 25.641%, rounded down
    same = document(grace("why", trace, "-w", root, "--selection", "mine", "--json"))
    assert same == found
    status, out, _ = grace("why", trace, "-w", root)
    assert status == 0
    assert "The sum that made its value" in out


def test_compare_lists_who_differs(grace, own_workspace) -> None:
    root = own_workspace.root
    a = api.curate(own_workspace, "10", name="a")
    b = api.curate(own_workspace, "10", strategy="random", seed=3, name="b")
    found = document(grace("compare", "a", "b", "-w", root, "--json"))
    one, other = ({c.trace_id for c in s.choices if c.selected} for s in (a, b))
    assert {row["trace_id"] for row in found["traces"]["only_a"]} == one - other
    assert {row["trace_id"] for row in found["traces"]["only_b"]} == other - one
    assert found["n_both"] == len(one & other)
    assert -1 <= found["rank_correlation"] <= 1
    status, out, _ = grace("compare", "a", "b", "-w", root, "--limit", 1)
    assert status == 0
    assert f"Only in {a.id}" in out


def test_curve_and_bias_speak_of_every_budget_and_every_label(grace, own_workspace) -> None:
    root = own_workspace.root
    api.curate(own_workspace, "20%", name="mine")
    curve = document(grace("curve", "-w", root, "--json"))["budgets"]
    assert [row["n"] for row in curve][-1] == 39
    assert all(0 <= row["share_correct"] <= 1 for row in curve)
    found = document(grace("bias", "mine", "-w", root, "--json"))
    assert (found["n_chosen"], found["n_left"]) == (8, 31)
    assert {row["count"] for row in found["numbers"]} == {"token count", "step count"}
    assert "label.is_correct" in {row["column"] for row in found["categories"]}
    for command in (("curve",), ("bias", "mine")):
        status, out, _ = grace(*command, "-w", root)
        assert status == 0
        assert out


def test_a_selection_is_renamed_and_keeps_its_id(grace, own_workspace) -> None:
    chosen = api.curate(own_workspace, "20%", name="mine")
    found = document(
        grace("rename-selection", "mine", " ours ", "-w", own_workspace.root, "--json")
    )
    assert found == {"selection": chosen.id, "name": "ours"}
    assert api.get_selection(own_workspace, "ours").id == chosen.id
    status, _, err = grace("rename-selection", "ours", "latest", "-w", own_workspace.root)
    assert status == 1
    assert "means the one saved last" in " ".join(err.split())
