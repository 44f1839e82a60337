"""Are steps judged one question at a time, each once, and averaged as is said?"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from grace_engine import api, store
from grace_engine.errors import InputError
from grace_engine.judging import draw
from grace_engine.report import intervals
from grace_engine.report.judge_tables import cost_text
from grace_engine.store import verification
from tests.judging.conftest import N_STEPS
from tests.judging.played import asked_for, blocks, play
from tests.served import Served

Asking = Callable[..., api.JudgeSettings]


def by_prompt(workspace: api.Workspace) -> dict[str, list[Any]]:
    """Judged steps of each trace, by the first name in its prompt."""
    found: dict[str, list[Any]] = {}
    for batch in store.iter_traces(workspace):
        for trace in batch:
            found[trace.prompt[:3]] = api.judged_on(workspace, trace.id)
    return found


def test_every_step_is_cut_into_claims_and_judged_by_each_question(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    found = api.judge(workspace, "sums", asking())
    assert (found.n_steps, found.n_judged, found.n_failed) == (N_STEPS, N_STEPS, 0)
    assert Counter(map(asked_for, served.asked)) == dict.fromkeys(
        ("atoms", "factuality", "validity", "coherence", "utility"), N_STEPS
    )
    steps = by_prompt(workspace)
    assert [one.negative for one in steps["Ann"]] == [(), ()]
    assert [one.negative for one in steps["Ben"]] == [(), ("validity",)]
    assert [one.negative for one in steps["Cid"]] == [(), (), ("utility",)]
    assert [one.negative for one in steps["Dan"]] == [
        (), ("factuality",), ("validity",),
    ]  # fmt: skip
    wrong = steps["Ben"][1]
    assert wrong.reasons["validity"] == "5 + 4 is not 8."
    assert wrong.claims == ("5 + 4 = 8.",)
    assert wrong.at_fault == {"validity": (1,)}
    assert wrong.score == 0.75


def test_what_is_judged_is_read_with_the_question_earlier_steps_claims_and_premises(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    api.judge(workspace, "sums", asking(metrics=("utility",)))
    last = next(
        found
        for body in served.asked
        if asked_for(body) == "utility"
        and (found := blocks(body))["step"] == "6 + 1 = 7."
        and "[2]" in found["earlier-steps"]
    )
    assert last == {
        "question": "Cid has 6 cups and gets 1, then 2.",
        "earlier-steps": "[1] 6 + 1 = 7.\n[2] 7 + 2 = 9.",
        "step": "6 + 1 = 7.",
        "premises": "- Cid has 6 cups and gets 1, then 2",
        "claims": "1. 6 + 1 = 7.",
    }
    assert {body["temperature"] for body in served.asked} == {0.0}
    assert {body["model"] for body in served.asked} == {"played"}


def test_nothing_is_asked_twice_and_new_questions_are_asked_alone(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    api.judge(workspace, "sums", asking(metrics=("validity",)))
    assert len(served.asked) == 2 * N_STEPS
    served.asked.clear()
    again = api.judge(workspace, "sums", asking(metrics=("validity",)))
    assert (len(served.asked), again.n_before, again.n_requests) == (0, N_STEPS, 0)
    api.judge(workspace, "sums", asking(metrics=("validity", "utility")))
    assert Counter(map(asked_for, served.asked)) == {"utility": N_STEPS}


@pytest.mark.parametrize(
    "change",
    [{"model": "other"}, {"temperature": 0.5}, {"context": 9}, {"extra": {"top_k": 1}}],
    ids=str,
)
def test_another_judge_is_another_and_cost_and_speed_make_none(
    asking: Asking, change: dict[str, Any]
) -> None:
    assert asking().judge.id != asking(**change).judge.id
    same = asking(concurrency=1, metrics=("utility",), sample=3, max_tokens=9, reply_tokens=5)
    assert asking().judge.id == same.judge.id


def test_another_judge_is_asked_anew(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    api.judge(workspace, "sums", asking(metrics=("validity",)))
    served.asked.clear()
    api.judge(workspace, "sums", asking(metrics=("validity",), model="other"))
    assert len(served.asked) == 2 * N_STEPS
    assert len(api.list_judges(workspace)) == 2


def test_other_words_are_another_judge(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    before = asking().judge.id
    monkeypatch.setattr("grace_engine.judging.settings.PROMPTS", "other words")
    assert asking().judge.id != before


def test_a_step_is_judged_anew_where_what_is_read_beside_it_is_another(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    api.judge(workspace, "sums", asking(metrics=("validity",)))
    served.asked.clear()
    with workspace.database.unit() as connection:
        connection.execute(
            "UPDATE traces SET text = replace(text, '2 + 3', '3 + 2') WHERE prompt LIKE 'Ann%'"
        )
    api.judge(workspace, "sums", asking(metrics=("validity",)))
    assert sorted(blocks(b)["step"] for b in served.asked if asked_for(b) == "atoms") == [
        "3 + 2 = 5.", "5 + 4 = 9.",
    ]  # fmt: skip


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interval of two prompts and more, so that it can be worked out by hand."""
    monkeypatch.setattr(intervals, "FEWEST", 2)


@pytest.mark.usefixtures("few_are_enough")
def test_macro_is_the_mean_of_traces_and_micro_that_of_steps(
    workspace: api.Workspace, asking: Asking
) -> None:
    found = api.judge(workspace, "sums", asking())
    validity = {m.name: m for m in api.judge_averages(workspace, found.trace_ids)}["validity"]
    assert validity.macro.mean == pytest.approx((1 + 1 / 2 + 1 + 2 / 3) / 4)
    assert validity.micro.mean == pytest.approx(8 / 10)
    assert (validity.n_traces, validity.n_steps, validity.n_positive) == (4, 10, 8)
    # By hand: pulls (good - mean * steps) / 10 of the four prompts, times sqrt(4 / 3).
    pulls = np.array([2 - 1.6, 1 - 1.6, 3 - 2.4, 2 - 2.4]) / 10
    reach = 3.1824 * np.sqrt((pulls**2).sum() * 4 / 3)  # t of 3 degrees of freedom
    assert validity.micro.low == pytest.approx(0.8 - reach, abs=2e-3)
    assert validity.micro.high == pytest.approx(min(1.0, 0.8 + reach))


@pytest.mark.usefixtures("few_are_enough")
def test_intervals_take_traces_of_one_prompt_as_one(
    workspace: api.Workspace, asking: Asking
) -> None:
    found = api.judge(workspace, "sums", asking())
    apart = api.judge_averages(workspace, found.trace_ids)[0]
    with workspace.database.unit() as connection:
        connection.execute("UPDATE traces SET prompt = 'Same.'")
    together = api.judge_averages(workspace, found.trace_ids)[0]
    assert apart.macro.low is not None
    assert (together.macro.low, together.micro.low) == (None, None)


def test_a_draw_holds_strata_as_the_whole_does_and_begins_every_larger_one(
    workspace: api.Workspace,
) -> None:
    import pandas as pd

    listed = pd.DataFrame(
        {
            "id": [f"{k:016x}" for k in range(100)],
            "dataset": ["a"] * 100,
            "variant": [""] * 100,
            "labels": [{"level": "hard" if k < 20 else "easy"} for k in range(100)],
        }
    )
    level = {one["id"]: one["labels"]["level"] for one in listed.to_dict("records")}
    whole = draw(listed, 0, "label.level", 0)
    assert sorted(whole) == listed["id"].tolist()
    for n in (5, 10, 25, 50):
        drawn = draw(listed, n, "label.level", 0)
        assert drawn == whole[:n]
        assert abs(sum(level[name] == "hard" for name in drawn) - n / 5) <= 1
    assert draw(listed, 10, "label.level", 1) != whole[:10]
    with pytest.raises(InputError, match=r"no column 'label.x'.*label\.level"):
        draw(listed, 5, "label.x", 0)


def test_a_sample_is_judged_alone_and_extended(
    workspace: api.Workspace, served: Served, asking: Asking
) -> None:
    first = api.judge(workspace, "sums", asking(sample=2, per="label.level"))
    levels = store.labels_of(workspace, ids=first.trace_ids)["labels"].map(lambda x: x["level"])
    assert sorted(levels) == ["easy", "hard"]
    n_asked = len(served.asked)
    more = api.judge(workspace, "sums", asking(sample=4, per="label.level"))
    assert more.trace_ids[:2] == first.trace_ids
    assert n_asked + len(served.asked[n_asked:]) == 5 * N_STEPS


def test_steps_that_read_alike_are_asked_once_and_judged_everywhere(
    workspace: api.Workspace, served: Served, asking: Asking, tmp_path: Any
) -> None:
    from tests.judging.conftest import ROWS, write_rows

    twice = write_rows(tmp_path / "twice.jsonl", [ROWS[0], ROWS[0], ROWS[1]])
    api.ingest(workspace, [twice])
    found = api.judge(workspace, "twice", asking(metrics=("validity",)))
    listed = store.labels_of(workspace, ["twice"])
    if len(listed) == 3:
        assert (found.n_steps, found.n_judged, len(served.asked)) == (6, 6, 8)
    served.asked.clear()
    api.judge(workspace, "sums", asking(metrics=("validity",)))
    assert len(served.asked) == 2 * (N_STEPS - 4)  # what twice holds, too, is known


def test_verdicts_follow_their_characters_where_steps_are_cut_anew(
    workspace: api.Workspace, asking: Asking
) -> None:
    api.judge(workspace, "sums", asking(metrics=("validity",)))
    trace = next(t for b in store.iter_traces(workspace) for t in b if t.prompt[:3] == "Ben")
    before = api.judged_on(workspace, trace.id)
    api.resegment(workspace, "sums", "regex:nowhere")
    assert api.judged_on(workspace, trace.id) == []
    api.resegment(workspace, "sums", "lines")
    assert api.judged_on(workspace, trace.id) == before


@pytest.mark.long
def test_what_was_judged_goes_with_its_dataset_and_its_judge(
    workspace: api.Workspace, asking: Asking
) -> None:
    first = api.judge(workspace, "sums", asking(metrics=("validity",))).judge
    api.judge(workspace, "sums", asking(metrics=("validity",), model="other"))
    assert verification.check(workspace) == []
    api.delete_judge(workspace, first.id)
    assert [one.model for one in api.list_judges(workspace)] == ["other"]
    api.delete_dataset(workspace, "sums")
    with workspace.database.reading() as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]  # noqa: S608
            for table in ("judgements", "judged_places")
        ]
    assert counts == [0, 0]
    assert verification.check(workspace) == []


def test_the_shell_says_what_it_will_ask_and_what_came_of_it(
    workspace: api.Workspace, served: Served, grace: Any
) -> None:
    common = (
        "sums", "--endpoint", served.url, "--judge-model", "played", "-w", workspace.root,
        "--price-in", "1", "--price-out", "10",
    )  # fmt: skip
    status, out, err = grace("judge", *common, "--dry-run", "--json")
    planned = json.loads(out)
    assert (status, planned["n_requests"], len(served.asked)) == (0, 5 * N_STEPS, 0)
    status, out, err = grace("judge", *common)
    assert status == 0, err
    assert f"Expected: {5 * N_STEPS} requests, about" in err
    assert "That is an estimate" in err
    # 50 requests of 100 and 10 tokens at 1 and 10 a million: 0.01
    n = 5 * N_STEPS
    assert f"{n} requests sent, {n} answered, 0 failed; 5,000 tokens read, 500 written" in err
    assert "written, cost 0.01." in err
    assert "validity" in out
    assert "80.0%" in out
    status, out, err = grace("judge", *common, "--json")
    document = json.loads(out)
    assert (document["n_before"], document["n_requests"]) == (N_STEPS, 0)
    assert document["judge"]["cost"] == pytest.approx(0.01)
    assert [m["name"] for m in document["metrics"]][1] == "validity"
    status, out, err = grace("judges", "--worst", "2", "-w", workspace.root, "--json")
    worst = json.loads(out)["worst"]
    assert len(worst) == 2
    assert worst[0]["score"] == 0.75
    status, out, err = grace("judges", "--metric", "utility", "-w", workspace.root)
    assert "says again" in out
    read = next(line for line in out.splitlines() if "of 4" in line)
    assert "sums" in read
    assert "4 of 4" in read
    assert f"{document['metrics'][1]['macro']['mean']:.1%}" in read


def test_a_cost_is_said_of_the_requests_that_it_covers(
    workspace: api.Workspace, asking: Asking, grace: Any
) -> None:
    prices = {"price_in": 1.0, "price_out": 10.0}
    api.judge(workspace, "sums", asking(metrics=("validity",), sample=1, **prices))
    priced = api.get_judge(workspace).n_requests
    judge = api.judge(workspace, "sums", asking(metrics=("validity",))).judge
    assert (judge.n_requests, judge.n_priced) == (2 * N_STEPS, priced)
    said = f"{priced * 200 / 1e6:.4g} for {priced} of them"  # 100 tokens at 1, 10 at 10 a million
    assert said in grace("judges", "-w", workspace.root)[1]
    spent = store.spent_on(workspace, judge.id, store.trace_ids(workspace, ["sums"]))
    assert (spent.n_requests, spent.n_priced) == (2 * N_STEPS, priced)
    assert cost_text(0.5, 9, 9) == "0.5"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--metrics", "beauty"), "'beauty' is none"),
        (("--concurrency", "0"), "must be 1 to 256"),
        (("--max-cost", "1"), "not known without prices"),
        (("--extra", "{"), "--extra is not JSON"),
        (("--extra", '{"messages": []}'), "'messages' of a request cannot be set"),
        (("--per", "label.nothing", "--sample", "2"), "no column 'label.nothing'"),
        (("--key-env", "sk-123"), "no variable of the environment"),
        (("--endpoint", "http://me:pass@host/v1"), "holds a name, a password or a query"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    workspace: api.Workspace, served: Served, grace: Any, flags: tuple[str, ...], said: str
) -> None:
    common = ("sums", "--endpoint", served.url, "--judge-model", "played", "-w", workspace.root)
    status, _, err = grace("judge", *common, *flags)
    assert status == 1
    assert said in err
    assert "Traceback" not in err
    assert served.asked == []


def test_an_interactive_shell_asks_before_it_spends(
    workspace: api.Workspace, served: Served, grace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

    common = ("sums", "--endpoint", served.url, "--judge-model", "played", "-w", workspace.root)
    monkeypatch.setattr("sys.stdin", Typed("n\n"))
    status, _, err = grace("judge", *common)
    assert (status, served.asked) == (1, [])
    assert "Go on?" in err
    status, _, _ = grace("judge", *common, "--yes")
    assert (status, len(served.asked)) == (0, 5 * N_STEPS)


def test_a_played_judge_reads_what_is_written(served: Served) -> None:
    """The player is no echo: a request without blocks is none to it."""
    with pytest.raises(KeyError):
        play({"messages": [{"content": ""}, {"content": "no blocks"}]})
