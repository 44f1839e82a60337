"""How does a saved selection become files that a trainer reads, and that the browser saves?"""

from pathlib import Path

import streamlit as st

from grace_engine import api
from grace_engine.errors import InputError, ReadError
from grace_engine.export.formats import FORMATS
from grace_engine.export.problem_formats import PROBLEM_FORMATS
from grace_engine.figures.frames import plain
from grace_engine.quantities import counted, size
from grace_engine.records import Selection, is_of_problems
from grace_engine.ui import curate_frames, curate_load, data_paths, load

EXPORTS = "exports"

_FORMAT, _ANNOTATE, _REPLACE, _REPORT = (
    "export-format",
    "export-annotate",
    "export-replace",
    "export-report",
)
_HELPS = {
    "original": "the source lines, byte for byte",
    "messages": "chat messages",
    "prompt-completion": "prompt and completion",
    "sharegpt": "ShareGPT conversations",
    "alpaca": "instruction and output",
    "trl-grpo": "TRL's GRPOTrainer",
    "verl": "verl",
    "open-instruct": "open-instruct",
}
_ENDINGS = ("jsonl", "parquet")
_MIMES = {".jsonl": "application/jsonl", ".parquet": "application/vnd.apache.parquet"}


def target(
    workspace: str, selection: Selection, as_format: str, *, annotate: bool, ending: str = "jsonl"
) -> Path:
    """The file of an export: ``exports/NAME/FORMAT.jsonl`` in the workspace, never outside.

    Raises:
        InputError: The folder is a link that leads out of the workspace.
    """
    root = Path(workspace).expanduser().resolve()
    name = data_paths.confined_name(selection.name) if selection.name else selection.id
    file = f"{as_format}{'-annotated' if annotate else ''}.{ending}"
    path = (root / EXPORTS / name / file).resolve()
    if not path.is_relative_to(root):
        raise InputError(f"{root / EXPORTS / name} leads out of the workspace: remove that link.")
    return path


def panel(workspace: str, selection: Selection) -> None:
    """Format, annotations, a button that writes; then buttons that save both files."""
    of_problems, ending = is_of_problems(selection.run_id), "jsonl"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        as_format = st.selectbox(
            "Export as",
            PROBLEM_FORMATS if of_problems else FORMATS,
            format_func=lambda name: f"{name}: {_HELPS[name]}" if name in _HELPS else name,
            key=f"{_FORMAT}-problems" if of_problems else _FORMAT,
            help="Files are written in the workspace, with the manifest that makes them again.",
            width=300,
        )
        if of_problems:
            ending = st.selectbox("File", _ENDINGS, key="export-ending", width=110)
        annotate = st.checkbox(
            "With annotations",
            key=_ANNOTATE,
            help="Scores, rank, reason, verdicts and overrides under the key `grace` of a line.",
        )
        replace = st.checkbox(
            "Replace another export",
            key=_REPLACE,
            help="Otherwise a file of this name with other bytes is left as it is.",
        )
        pressed = st.button(
            "Write the files", type="primary", icon=":material/file_save:", key="export-it"
        )
    if as_format == "original" and (n := curate_load.riding(workspace, selection.id)):
        st.caption(
            f"{counted(n, 'trace')} that {'is' if n == 1 else 'are'} not chosen would ride along, "
            "in the source records of chosen ones; another format writes the chosen ones alone."
        )
    path = target(workspace, selection, as_format, annotate=annotate, ending=ending)
    if pressed:
        with st.spinner("Writing…"):
            st.session_state[_REPORT] = (
                write(selection, path, as_format, annotate=annotate, replace=replace),
                (selection.id, as_format, annotate, ending),
            )
    report, what = st.session_state.get(_REPORT, (None, None))
    if report and what == (selection.id, as_format, annotate, ending) and report.path.exists():
        _written(report)
    words = [selection.id, "--to", str(path), "--as", as_format]
    words += ["--annotate"] if annotate else []
    words += ["--overwrite"] if replace else []
    st.code(curate_frames.command("export", words, workspace), language="shell")


def write(
    selection: Selection, path: Path, as_format: str, *, annotate: bool, replace: bool
) -> api.ExportReport:
    """Write the file and its manifest."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise ReadError(
            f"{path.parent} cannot be made ({fault.strerror}). Make room there, or remove what is "
            "in its way."
        ) from fault
    return api.export(
        load.opened_workspace(),
        selection.id,
        path,
        as_format=as_format,  # type: ignore[arg-type]
        annotate=annotate,
        overwrite=replace,
    )


def _written(report: api.ExportReport) -> None:
    same = ", the same bytes as were there" if report.unchanged else ""
    st.text(
        f"{report.n_traces:,} {report.what} in {counted(report.n_lines, 'line')} "
        f"({size(report.n_bytes)}){same}:\n"
        f"{plain(str(report.path))}"
    )
    if report.n_riding:
        st.text(
            f"{report.n_riding:,} traces that were not chosen stand in the same source records "
            "and ride along; another format writes the chosen ones alone."
        )
    if report.n_other_answers:
        st.text(
            f"{report.n_other_answers:,} were scored against a reference answer and are exported "
            "with their own, other answer."
        )
    with st.container(horizontal=True):
        for label, path, mime in (
            (f"Save the {report.what}", report.path, _MIMES[report.path.suffix]),
            ("Save the manifest", report.manifest, "application/json"),
        ):
            st.download_button(
                label,
                path.read_bytes if path.exists() else b"",
                file_name=path.name,
                mime=mime,
                icon=":material/download:",
                key=f"save-{path.name}",
                on_click="ignore",
            )
