"""Which file should enter the workspace, and how is it to be read?"""

from pathlib import Path

import pandas as pd
import streamlit as st

from grace_engine import api
from grace_engine.config import IngestConfig
from grace_engine.errors import GraceError, InputError
from grace_engine.figures.frames import plain
from grace_engine.ingest import READERS, Found, label_names, likely_labels
from grace_engine.quantities import counted, size
from grace_engine.ui import data_jobs, data_preview, state, tables
from grace_engine.ui.data_paths import allowed_folders, confined, confined_files, keep_upload
from grace_engine.ui.text import as_markdown, fault_markdown

_UPLOAD, _FAULT, _NAME_BOX = "data-upload", "data-upload-fault", "dataset-box"
_INTO = "into"
"""Query parameter: the dataset that a file goes to, where its name is not the file's."""

# Browsers look at the last ending only.
_ENDINGS = list(dict.fromkeys(Path(ending).suffix or ending for ending in READERS))
_SEGMENTERS = ("auto", "lines", "blank-lines", "markers", "sentences", "given")
_ROLES = {
    "prompt": "Prompt",
    "trace": "Reasoning",
    "answer": "Answer",
    "reference": "Reference answer",
}


def add_traces(workspace: str) -> None:
    """Choose a file, see what it becomes, and ingest it."""
    typed = _choose_file(workspace)
    if not typed:
        st.info(
            "Upload a file or name one by its path. You see ten traces as they will be cut into "
            "steps, and what would be rejected, before anything is stored.",
            icon=":material/lightbulb:",
        )
        return
    try:
        files = confined_files(typed, workspace)
        if len(files.files) == 1 and str(files.files[0].path) != typed:
            st.caption(as_markdown(f"This is {files.files[0].path}"))
        _look_and_ingest(workspace, files)
    except GraceError as fault:
        st.error(fault_markdown(fault), icon=":material/error:")


def _choose_file(workspace: str) -> str:
    """The path that is typed, linked or uploaded."""
    if _FAULT in st.session_state:
        st.error(as_markdown(st.session_state.pop(_FAULT)), icon=":material/error:")
    left, right = st.columns(2, gap="medium")
    left.file_uploader(
        "Upload a file of traces",
        type=_ENDINGS,
        key=_UPLOAD,
        on_change=_take_upload,
        args=(workspace,),
        help="JSON lines, JSON, CSV, Parquet, Arrow or an Inspect log; text also as .gz or .zst. "
        "Larger files go by their path.",
    )
    folders = allowed_folders(workspace)
    typed = right.text_input(
        "Or the path of a file, a folder or a pattern on this machine",
        key=data_jobs.FILE,
        bind="query-params",
        on_change=_unname,
        placeholder="traces.jsonl, or shards/*.parquet",
        help="Only in the workspace and in the folders that the studio was started with "
        "(grace app \\-\\-allow FOLDER).",
    )
    right.caption(as_markdown(f"Read from {' or '.join(map(str, folders[1:] or folders))}"))
    typed = (typed or "").strip()
    upload = st.session_state[_UPLOAD]
    if upload is not None and typed and Path(typed).name != Path(upload.name).name:
        left.caption(as_markdown(f"The path is read: {plain(typed, 60)}. Not the upload."))
    return typed


def _name_dataset(proposed: str) -> None:
    """Callback of the dataset's name: the address holds one that the file does not propose."""
    _unname()
    name = st.session_state[_NAME_BOX].strip()
    if name and name != proposed:
        state.publish(**{_INTO: name})


def _unname() -> None:
    """Callback of the file's path: another file goes into another dataset."""
    if _INTO in st.query_params:
        del st.query_params[_INTO]


def _take_upload(workspace: str) -> None:
    """Callback of the uploader: keep the file in the workspace and look at it there."""
    upload = st.session_state[_UPLOAD]
    if upload is None:
        return
    _unname()
    try:
        st.session_state[data_jobs.FILE] = str(
            keep_upload(workspace, upload.name, upload.getvalue())
        )
    except GraceError as fault:
        st.session_state[_FAULT] = str(fault)


def _look_and_ingest(workspace: str, files: Found) -> None:
    path, proposed = files.files[0].path, _proposed(files)
    if files.passed_over:
        names = ", ".join(f"{each.path.name} ({each.reason})" for each in files.passed_over[:5])
        more = f" and {len(files.passed_over) - 5:,} more" if len(files.passed_over) > 5 else ""
        st.caption(as_markdown(f"Passed over: {names}{more}"))
    raw = data_preview.look(path, IngestConfig(dataset=proposed))
    if not raw.fields:
        data_preview.show(raw)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state[_NAME_BOX] = state.get(_INTO) or proposed
        dataset = st.text_input(
            "Dataset name",
            key=_NAME_BOX,
            on_change=_name_dataset,
            args=(proposed,),
            placeholder="named after each file",
            width=260,
            help="Traces enter the dataset of this name; none enters twice.",
        )
        segmenter = _choose_segmenter("Steps are cut by", "segment", ())
        other = _choose_segmenter("Compare with", "segment-other", ("",))
    mapping = _choose_mapping(raw, path)
    config = IngestConfig(dataset=dataset.strip() or proposed, segmenter=segmenter, mapping=mapping)
    if not (raw.schema or mapping):
        return
    found = data_preview.look(path, config)
    _ingest_button(workspace, files, found, config)
    if other:
        data_preview.show(found, data_preview.cut_beside(found, path, config, other), other)
    else:
        data_preview.show(found)


def _proposed(files: Found) -> str:
    """The name of the one dataset that all files go to; "" where they go to several."""
    names = {file.dataset for file in files.files}
    return names.pop() if len(names) == 1 else ""


def _choose_segmenter(label: str, key: str, before: tuple[str, ...]) -> str:
    return (
        st.selectbox(
            label,
            [*before, *_SEGMENTERS],
            key=key,
            bind="query-params",
            format_func=lambda name: name or "nothing",
            accept_new_options=True,
            width=220,
            help="Type `regex:PATTERN` to cut at each match of a Python pattern.",
        )
        or ""
    )


def _choose_mapping(raw: api.Preview, path: Path) -> str:
    """``role=field,…``; "" where a schema reads the file and nothing else is asked for."""
    if raw.schema:
        st.markdown(
            f":material/check: Read as **{as_markdown(raw.schema)}**, a known format.",
            width="content",
        )
        if not st.toggle("Choose the fields by hand", key=f"by-hand-{path}"):
            return ""
    else:
        st.warning(
            "No known format fits. Say which field is which; what looks likely is filled in.",
            icon=":material/help:",
        )
    guess = dict(part.split("=", 1) for part in raw.guess.split(",") if part)
    # A mapping is written with commas and equals signs, so fields cannot be named by them.
    paths = [field.path for field in raw.fields if not set(field.path) & set(",=")]
    left, right = st.columns([0.34, 0.66], gap="medium")
    chosen = {}
    with left:
        for role, name in _ROLES.items():
            chosen[role] = st.selectbox(
                name,
                paths,
                format_func=plain,
                index=paths.index(guess[role]) if guess.get(role) in paths else None,
                key=f"map-{role}-{path}",
                placeholder="none" if role != "prompt" else "choose a field; it is needed",
            )
        labels = _choose_labels(raw, path, paths, [name for name in chosen.values() if name])
    with right:
        tables.table(
            pd.DataFrame(
                [
                    {
                        "field": field.path,
                        "is": field.kind,
                        "in": f"{field.share:.0%}",
                        "such as": "   |   ".join(field.samples),
                    }
                    for field in raw.fields
                ]
            ),
            height=320 if len(raw.fields) > 8 else "auto",
            alt="Fields of the records, with samples",
        )
    if not (chosen["prompt"] and any(chosen[role] for role in ("trace", "answer", "reference"))):
        st.text(
            "Choose at least the prompt and the reasoning, or, of problems without reasoning, the "
            "prompt and the answer."
        )
        return ""
    roles = {role: field for role, field in chosen.items() if field} | labels
    return ",".join(f"{role}={field}" for role, field in roles.items())


def _choose_labels(
    raw: api.Preview, path: Path, paths: list[str], taken: list[str]
) -> dict[str, str]:
    """``label.NAME`` → field of the labels; at first those that look like some."""
    names = label_names(raw.fields)
    free = [field for field in paths if field not in taken]
    likely = likely_labels(raw.fields, raw.n_records, taken)
    chosen = st.multiselect(
        "Labels",
        free,
        default=[field for field in free if field in likely],
        format_func=lambda field: plain(
            field if names[field] == field else f"{field} as {names[field]}"
        ),
        key=f"map-labels-{path}-{'-'.join(taken)}",
        placeholder="none",
        help="What the data says of a trace: true or false, a number, or one of a few words. "
        "A label named is_correct says whether the answer is right.",
    )
    return {f"label.{names[field]}": field for field in chosen}


def _ingest_button(workspace: str, files: Found, found: api.Preview, config: IngestConfig) -> None:
    paths = [file.path for file in files.files]
    busy = any(
        job.is_active and job.spec.kind == "ingest" for job in data_jobs.known_jobs(workspace)
    )
    n_traces = counted(found.n_traces, "trace") if found.is_whole else "all records"
    what = n_traces if len(paths) == 1 else f"{len(paths):,} files"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Ingest {what}",
            type="primary",
            icon=":material/download:",
            key="ingest",
            disabled=busy or not (found.n_traces or found.n_problems),
            help="Wait until the ingest that runs has ended." if busy else None,
            on_click=_launch,
            args=(workspace, paths, config),
        )
        which = "its records give" if found.is_whole else f"the first {found.n_records:,} give"
        st.text(
            plain(
                f"{paths[0].name}, {size(found.size)}: {which} "
                f"{counted(found.n_traces, 'trace')} for "
                f"{found.dataset}; {found.n_rejected:,} would be rejected."
            )
        )


def _launch(workspace: str, paths: list[Path], config: IngestConfig) -> None:
    """Callback: the files are confined once more, for links may have moved since."""
    try:
        for path in paths:
            if confined(str(path), workspace) != path:
                raise InputError(f"{path} has moved since it was shown: look at it again.")
    except InputError as fault:
        st.session_state[_FAULT] = str(fault)
        return
    data_jobs.launch(api.start_ingest, paths, config, workspace=workspace)
    st.toast("The ingest has begun: its progress stands at the top of the page.")
