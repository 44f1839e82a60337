"""What did two trainings answer to the same problem?"""

import streamlit as st

from grace_engine import api
from grace_engine.figures.frames import plain
from grace_engine.jobs import Job
from grace_engine.ui.text import plain_html


def side_by_side(job: Job, cells: list[str]) -> None:
    """Answers of two cells to one problem, side by side."""
    problems = {one.id: one for one in api.training_problems(job.folder)}
    if not problems:
        return
    st.markdown("##### Answers side by side")
    left, right = st.columns(2, gap="medium")
    pair = []
    for place, (column, name) in enumerate(((left, "Left"), (right, "Right"))):
        with column:
            index = cells.index(_first_pair(cells)[place])
            cell = st.selectbox(name, cells, index=index, key=f"answers-{place}")
            pair.append(api.training_answers(job.folder, cell))
    both = [name for name in problems if all(name in found for found in pair)]
    changed = st.toggle("Only where the outcomes differ", key="answers-changed")
    if changed:
        both = [name for name in both if pair[0][name][1] != pair[1][name][1]]
    if not both:
        st.info("No problem has different outcomes in these two.")
        return
    title = f"Problem, of {len(both):,}"
    number = int(st.number_input(title, 1, len(both), key=f"problem-{changed}", width=160))
    problem = problems[both[number - 1]]
    st.html(plain_html(problem.prompt))
    st.text(plain(f"Reference: {problem.reference}"))
    left, right = st.columns(2, gap="medium")
    for column, found in zip((left, right), pair, strict=True):
        text, outcome = found[problem.id]
        with column.container(border=True):
            st.markdown(f"**{outcome}**")
            st.html(plain_html(text))


def _first_pair(cells: list[str]) -> tuple[str, str]:
    """The model before, or what the subset is held against, and the subset."""
    subset = next((one for one in cells if one.startswith("subset")), cells[-1])
    others = [
        one for arm in ("untrained", "random", "full") for one in cells if one.startswith(arm)
    ]
    return next(iter(others), next(one for one in cells if one != subset)), subset
