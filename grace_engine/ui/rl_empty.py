"""What does the Problems page say where there are no rollouts, or no policy gradients, yet?"""

import shlex
from typing import NoReturn

import streamlit as st

from grace_engine import api
from grace_engine.ui import data_jobs
from grace_engine.ui.rl_load import Source

EXAMPLE = (
    "64 problems of the shipped data and 48 of another set as the target, 8 rollouts of each by "
    "the shipped model, and their policy gradients. That takes about two minutes."
)
"""What the example is."""


def sources_or_stop(workspace: str, found: list[Source]) -> None:
    """Without rollouts, say what to do next and end the page."""
    if not found:
        _nothing(workspace)


def problems_or_stop(workspace: str, view: api.ProblemView) -> None:
    """For a set that holds no problem yet, say so and end the page."""
    if len(view.problems):
        return
    st.info(
        "No problem of it was answered yet. The same command goes on where it stopped:",
        title="These rollouts are on their way",
        icon=":material/hourglass_top:",
    )
    st.code(
        f"grace rollout {shlex.quote(view.rollouts.name)} --workspace {shlex.quote(workspace)}",
        language="shell",
    )
    st.stop()


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
