"""Is what a workspace database holds whole, and does it fit together?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from grace_engine.errors import GraceError
from grace_engine.store.engine import connect
from grace_engine.store.journal import read_journal
from grace_engine.store.migrations import MIGRATIONS, schema_version
from grace_engine.store.workspace import Workspace

GROUPS: dict[str, tuple[str, ...]] = {
    "traces": (
        "datasets", "sources", "records", "traces", "segmentations", "rejects", "problems",
    ),
    "scores": ("runs", "run_traces", "grams"),
    "selections": ("selections", "selection_choices"),
    "annotations": ("annotations",),
    "checks of answers": ("answer_checks",),
    "metrics of traces": ("trace_metrics",),
    "judgements": ("judges", "judged_places", "judgements"),
    "duplicates": ("duplicate_findings", "duplicate_members"),
    "rollouts": (
        "rollout_sets", "rollout_problems", "rollouts", "policy_runs", "policy_gradients",
    ),
    "digests of model files": ("file_digests",),
}  # fmt: skip
"""Tables that are of use together only."""

_AGAIN = (
    "Restore a backup (grace workspace restore FILE), or delete the dataset (grace workspace "
    "delete-dataset) and ingest it again."
)
_SCORE_AGAIN = "Delete the run (grace workspace delete-run RUN) and score again (grace score)."
_ROLL_OUT_AGAIN = (
    "Delete the set (grace workspace delete-run SET) and make it again (grace rollout), or ingest "
    "its file again."
)
_JUDGE_AGAIN = (
    "Restore a backup (grace workspace restore FILE), or delete the judge (grace workspace "
    "delete-run JUDGE) and judge again (grace judge)."
)
_GRADIENTS_AGAIN = (
    "Delete the run (grace workspace delete-run RUN) and compute it again (grace gradients)."
)
_REBUILD = "Run grace workspace rebuild: it sets the damaged file aside and saves what it can."


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about a workspace that is not as it should be.

    Attributes:
        what: What was found, and where.
        advice: What to do.
        is_fault: Whether something stored is wrong or missing; else it is good to know.
    """

    what: str
    advice: str
    is_fault: bool = True


# What is counted (0 where all is well), what that many of them means, and what to do.
_RULES: tuple[tuple[str, str, str], ...] = (
    (
        "SELECT count(*) - count(DISTINCT trace_id) FROM traces",
        "traces stand there twice",
        _AGAIN,
    ),
    (
        "SELECT count(*) - count(DISTINCT position) FROM traces",
        "traces share their place with another",
        _AGAIN,
    ),
    (
        "SELECT count(*) FROM traces ANTI JOIN records USING (record_id)",
        "traces have no source record",
        _AGAIN,
    ),
    (
        "SELECT count(*) FROM traces ANTI JOIN datasets ON dataset = name",
        "traces belong to no dataset",
        _AGAIN,
    ),
    (
        "SELECT count(*) FROM traces ANTI JOIN sources USING (source_id)",
        "traces have no source file",
        _AGAIN,
    ),
    (
        "SELECT count(*) FROM segmentations ANTI JOIN traces USING (trace_id, position)",
        "cuts into steps belong to no trace",
        _AGAIN,
    ),
    (
        "SELECT count(*) - count(DISTINCT (trace_id, segmenter)) FROM segmentations",
        "cuts into steps stand there twice",
        _AGAIN,
    ),
    (
        "SELECT count(*) FROM (SELECT trace_id, datasets.segmenter FROM traces "
        "JOIN datasets ON dataset = name) ANTI JOIN segmentations USING (trace_id, segmenter)",
        "traces are not cut as their dataset says",
        "Cut the dataset anew: grace resegment DATASET --segment SEGMENTER.",
    ),
    (
        "SELECT count(*) FROM segmentations WHERE len(step_starts) <> len(step_ends) "
        "OR len(step_starts) <> len(step_marks)",
        "cuts have steps without a beginning or an end",
        _AGAIN,
    ),
    (
        "SELECT count(*) - count(DISTINCT (run_id, trace_id)) FROM run_traces",
        "traces were scored twice by one run",
        _SCORE_AGAIN,
    ),
    (
        "SELECT count(*) FROM run_traces ANTI JOIN runs USING (run_id)",
        "scored traces belong to no run",
        "Run grace workspace compact, which drops them.",
    ),
    (
        "SELECT count(*) FROM run_traces ANTI JOIN traces USING (trace_id)",
        "scored traces are not in the workspace",
        "Put their source files back and run grace workspace rebuild, or delete the run.",
    ),
    (
        "SELECT count(*) FROM (SELECT fingerprint, gram_key FROM run_traces JOIN runs "
        "USING (run_id) WHERE gram_key IS NOT NULL) ANTI JOIN grams USING (fingerprint, gram_key)",
        "scored traces have lost their Gram",
        _SCORE_AGAIN,
    ),
    (
        "SELECT count(*) - count(DISTINCT (fingerprint, gram_key)) FROM grams",
        "Grams stand there twice",
        _SCORE_AGAIN,
    ),
    (
        "SELECT count(*) FROM grams WHERE len(nll) <> len(n_tokens) "
        "OR len(gram) <> len(n_tokens) * (len(n_tokens) + 1) // 2",
        "Grams are not as long as their segments ask for",
        _SCORE_AGAIN,
    ),
    (
        "SELECT count(*) FROM grams ANTI JOIN (SELECT fingerprint, gram_key FROM runs "
        "JOIN run_traces USING (run_id)) USING (fingerprint, gram_key)",
        "Grams belong to no run",
        "They only take room: grace workspace compact drops them.",
    ),
    (
        "SELECT count(*) FROM selection_choices ANTI JOIN selections USING (selection_id)",
        "decisions belong to no selection",
        "They only take room: grace workspace compact drops them.",
    ),
    (
        "SELECT count(*) - count(DISTINCT (selection_id, trace_id)) FROM selection_choices",
        "traces were decided on twice by one selection",
        "Delete the selection (grace workspace delete-selection) and curate again.",
    ),
    (
        "SELECT coalesce(max(seq), 0) - count(DISTINCT seq) FROM annotations",
        "entries of the log of annotations are missing",
        "Run grace workspace rebuild, which brings them back from the journal.",
    ),
    (
        "SELECT count(*) - count(DISTINCT seq) FROM annotations",
        "entries of the log of annotations stand there twice",
        "Restore a backup: grace workspace restore FILE.",
    ),
    (
        "SELECT count(*) - count(DISTINCT trace_id) FROM answer_checks",
        "answers were checked twice",
        "Check them anew: grace check --again.",
    ),
    (
        "SELECT count(*) - count(DISTINCT (trace_id, metric, recipe)) FROM trace_metrics",
        "metrics of traces stand there twice",
        "Restore a backup (grace workspace restore FILE); grace report measures what it lacks.",
    ),
    (
        "SELECT count(*) - count(DISTINCT (step_key, part)) FROM judgements",
        "judgements stand there twice",
        _JUDGE_AGAIN,
    ),
    (
        "SELECT count(*) - count(DISTINCT (judge_id, trace_id, step_start, step_end)) "
        "FROM judged_places",
        "judged steps stand there twice",
        _JUDGE_AGAIN,
    ),
    (
        "SELECT count(*) FROM judgements ANTI JOIN judged_places USING (judge_id, step_key)",
        "judgements belong to no step",
        "They only take room: grace workspace compact drops them.",
    ),
    (
        "SELECT count(*) FROM duplicate_members ANTI JOIN duplicate_findings USING (finding_id)",
        "duplicates belong to no search",
        "They only take room: grace workspace compact drops them.",
    ),
    (
        "SELECT count(*) - count(DISTINCT (set_id, problem_id)) FROM rollout_problems",
        "problems were rolled out twice in one set",
        _ROLL_OUT_AGAIN,
    ),
    (
        "SELECT count(*) - count(DISTINCT (set_id, problem_id, number)) FROM rollouts",
        "rollouts stand there twice",
        _ROLL_OUT_AGAIN,
    ),
    (
        "SELECT count(*) FROM rollout_problems ANTI JOIN rollout_sets USING (set_id)",
        "problems with rollouts belong to no set",
        "They only take room: grace workspace compact drops them.",
    ),
    (
        "SELECT count(*) FROM rollouts ANTI JOIN rollout_problems USING (set_id, problem_id)",
        "rollouts belong to no problem",
        _ROLL_OUT_AGAIN,
    ),
    (
        "SELECT count(*) FROM rollouts WHERE len(logprobs) NOT IN (0, len(token_ids))",
        "rollouts have more or fewer log-probabilities than tokens",
        _ROLL_OUT_AGAIN,
    ),
    (
        "SELECT count(*) - count(DISTINCT (run_id, problem_id)) FROM policy_gradients",
        "problems have two gradients in one run",
        _GRADIENTS_AGAIN,
    ),
    (
        "SELECT count(*) FROM policy_gradients ANTI JOIN policy_runs USING (run_id)",
        "gradients of problems belong to no run",
        "They only take room: grace workspace compact drops them.",
    ),
)


def check(workspace: Workspace) -> list[Finding]:
    """What is not as it should be in the database and its journal; nothing is changed.

    Every row of every table is read. The database is held meanwhile.
    """
    with workspace.database.held():
        damaged = damaged_tables(workspace.database.path)
        if damaged:
            return [
                Finding(what=f"{where} cannot be read ({why}).", advice=_REBUILD)
                for where, why in damaged.items()
            ]
        with connect(workspace.database.path, read_only=True) as connection:
            version = schema_version(connection)
            if version != MIGRATIONS[-1].version:
                return [_other_version(version)]
            return [*_broken_rules(connection), *_behind_its_journal(workspace, connection)]


def damaged_tables(path: Path) -> dict[str, str]:
    """Tables of the database at ``path`` that cannot be read to their end, and what was said.

    Where the file cannot even be opened, or lacks a table, that is all there is to say.
    """
    try:
        with connect(path, read_only=True) as connection:
            tables = [row[0] for row in connection.execute(_TABLES).fetchall()]
    except (duckdb.Error, OSError) as error:
        return {f"The database {path}": _first_line(error)}
    said = {}
    for table in tables:
        try:
            with connect(path, read_only=True) as connection:
                connection.execute(f'SELECT bit_xor(hash(t)) FROM "{table}" AS t').fetchall()  # noqa: S608
        except (duckdb.Error, OSError) as error:
            said[f"The table {table} of {path}"] = _first_line(error)
    return said


_TABLES = "SELECT table_name FROM duckdb_tables() ORDER BY table_name"


def _broken_rules(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    for query, what, advice in _RULES:
        [(count,)] = connection.execute(query).fetchall()
        if count:
            yield Finding(what=f"{count:,} {what}.", advice=advice)


def _behind_its_journal(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection
) -> Iterator[Finding]:
    """What the journal holds and the database lacks, or the other way round."""
    try:
        journal = read_journal(workspace)
    except GraceError as error:
        yield Finding(what=str(error), advice="Make the journal's folder readable.")
        return
    [(n_said,)] = connection.execute("SELECT count(*) FROM annotations").fetchall()
    if journal is None:
        if n_said:
            yield Finding(
                what=f"{n_said:,} annotations are in the database alone: no journal has begun.",
                advice="The next annotation begins it; grace workspace backup keeps them now.",
                is_fault=False,
            )
        return
    if n_said != len(journal.annotations):
        yield Finding(
            what=f"The database holds {n_said:,} annotations, the journal "
            f"{len(journal.annotations):,}.",
            advice="Run grace workspace rebuild, which brings back those that are missing."
            if n_said < len(journal.annotations)
            else "Nothing needs to be done: the next annotation adds them to the journal.",
            is_fault=n_said < len(journal.annotations),
        )
    known = {row[0] for row in connection.execute("SELECT source_id FROM sources").fetchall()}
    gone = [row["path"] for key, row in journal.contents["sources"].items() if key not in known]
    if gone:
        yield Finding(
            what="The journal tells of source files that the database does not hold: "
            f"{len(gone):,}, the first is {gone[0]}.",
            advice="With the files in their places, grace workspace rebuild ingests them again.",
            is_fault=False,
        )
    if journal.n_unreadable:
        yield Finding(
            what=f"{journal.n_unreadable:,} lines of the journal were cut off while they were "
            "written.",
            advice="Nothing needs to be done: what they told of was not stored either, or stands "
            "there again.",
            is_fault=False,
        )


def _other_version(version: int) -> Finding:
    newest = MIGRATIONS[-1].version
    if version > newest:
        return Finding(
            what=f"A newer version of the studio wrote the database (schema {version}, and this "
            f"version knows {newest}).",
            advice="Install that version: every other command names it.",
        )
    return Finding(
        what=f"An older version of the studio wrote the database (schema {version} of {newest}).",
        advice="The next command that opens it migrates it, after a backup.",
        is_fault=False,
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
