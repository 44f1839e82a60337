"""What does the Problems page say where there are no rollouts, or no policy gradients, yet?"""

import shlex
from pathlib import PurePath
from typing import NoReturn

import streamlit as st

from grace_engine import api
from grace_engine.jobs import Job
from grace_engine.records import RolloutSet
from grace_engine.ui import data_jobs
from grace_engine.ui.rl_load import Source
from grace_engine.ui.text import as_markdown

EXAMPLE = (
    "64 problems of the shipped data and 48 of another set as the target, 8 rollouts of each by "
    "the shipped model, and their policy gradients. That takes about two minutes of "
    "one idle core, longer on a busy machine."
)
"""What the example is."""


def sources_or_stop(workspace: str, found: list[Source]) -> None:
    """Without rollouts, say what to do next and end the page."""
    if not found:
        _nothing(workspace)


def problems_or_stop(workspace: str, view: api.ProblemView) -> None:
    """For a set that holds no problem yet, say why, how to go on, and end the page."""
    if len(view.problems):
        return
    jobs = [job for job in data_jobs.known_jobs(workspace) if job.spec.kind == "rollout"]
    made = [job for job in jobs if _is_of(job, view.rollouts)]
    if any(job.is_active for job in made):
        st.info(
            "No problem of it was answered yet.",
            title="These rollouts are on their way",
            icon=":material/hourglass_top:",
        )
        st.stop()
    ended = next((job for job in made if job.is_resumable), None)
    why = f"The run {ended.id} ended early ({ended.word})" if ended else "The run ended"
    st.warning(
        as_markdown(f"{why} before any problem was answered. This goes on:"),
        title="These rollouts hold no answer",
        icon=":material/warning:",
    )
    words = ["resume", ended.id] if ended else _rollout_words(view.rollouts)
    st.code(shlex.join(["grace", *words, "--workspace", workspace]), language="shell")
    st.stop()


def _is_of(job: Job, found: RolloutSet) -> bool:
    """Whether a background run makes this set: same problems, model, server and number."""
    asked = job.spec.settings
    name = PurePath(str(asked.get("problems", ""))).name.partition(".")[0]
    same = all(asked.get(field) == getattr(found, field) for field in ("endpoint", "n", "seed"))
    return (
        same
        and name in (found.name, found.name.partition(".")[0])
        and (not asked.get("model") or asked["model"] == found.model)
    )


def _rollout_words(found: RolloutSet) -> list[str]:
    """The command that makes a set, whole; defaults are left out."""
    usual = api.RolloutSettings()
    said = {
        "--model": (found.model, usual.model),
        "--adapter": (found.adapter, usual.adapter),
        "--endpoint": (found.endpoint, usual.endpoint),
        "-n": (found.n, None),
        "--temperature": (found.temperature, usual.temperature),
        "--top-p": (found.top_p, usual.top_p),
        "--max-new-tokens": (found.max_new_tokens, usual.max_new_tokens),
        "--seed": (found.seed, usual.seed),
        "--reward": (found.reward, usual.reward),
    }
    flags = [word for flag, (now, then) in said.items() if now != then for word in (flag, str(now))]
    return ["rollout", found.name, *flags]


def _nothing(workspace: str) -> NoReturn:
    name = shlex.quote(workspace)
    if any(job.is_active for job in data_jobs.known_jobs(workspace)):
        st.info("The first problems are on their way.", icon=":material/hourglass_top:")
        st.stop()
    st.info(
        "A policy answers each problem several times; its rewards and policy gradients then say "
        f"which problems are worth training on. Begin with an example: {EXAMPLE} Or have a model "
        "of your own answer problems of your own, or take in rollouts that were made elsewhere.",
        title="There are no rollouts here yet",
        icon=":material/lightbulb:",
    )
    st.button(
        "Prepare the example",
        type="primary",
        icon=":material/science:",
        on_click=data_jobs.launch,
        args=(api.start_problem_sample,),
        kwargs={"workspace": workspace},
    )
    st.code(
        f"grace rollout PROBLEMS --model MODEL -n 16 --workspace {name}\n"
        f"grace rollout TARGETS --model MODEL -n 32 --workspace {name}\n"
        f"grace gradients PROBLEMS --target TARGETS --workspace {name}\n"
        f"grace ingest-rollouts rollouts.jsonl --workspace {name}   # made elsewhere",
        language="shell",
    )
    st.stop()


def without_gradients(workspace: str, source: Source) -> None:
    """What a set of rollouts alone cannot say, and the command that helps."""
    st.info(
        "These are rollouts alone. Policy gradients say which way each problem would move the "
        "policy:",
        title="No policy gradients were taken of these rollouts",
        icon=":material/lightbulb:",
    )
    st.code(
        f"grace gradients {source.rollouts.id} --target TARGETS --projection 8192 --split-half "
        f"--workspace {shlex.quote(workspace)}",
        language="shell",
    )


def without_halves(workspace: str, source: Source) -> None:
    """The command that asks halves of the rollouts."""
    target = source.run.target_id if source.run else ""
    kind = f" --kind {source.run.kind}" if source.run else ""
    st.info(
        "How sure a score is shows when two halves of a problem's rollouts score it apart. That "
        "takes as long as the policy gradients themselves, and is asked when they are taken:",
        title="Halves of these rollouts were not asked",
        icon=":material/lightbulb:",
    )
    st.code(
        f"grace gradients {source.rollouts.id} --target {target or 'TARGETS'}{kind} --split-half "
        f"--workspace {shlex.quote(workspace)}",
        language="shell",
    )
