"""How is an ingested dataset cut by another segmenter, without its files and without its runs?"""

from dataclasses import dataclass

from grace_engine import ingest as reading, store
from grace_engine.cutting import Pool, Recipe, chunks_of, usual_processes
from grace_engine.ingest import Row
from grace_engine.progress import Progress, Silent
from grace_engine.store import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Resegmented:
    """A dataset after it was cut anew.

    Attributes:
        dataset: Its name.
        segmenter: What cuts it now.
        before: What cut it until now.
        n_traces: Its traces.
        n_steps: Their steps now.
        n_steps_before: Their steps until now.
    """

    dataset: str
    segmenter: str
    before: str
    n_traces: int
    n_steps: int
    n_steps_before: int


def resegment(
    workspace: Workspace, dataset: str, segmenter: str, progress: Progress | None = None
) -> Resegmented:
    """Cut every trace of a dataset by another segmenter, from the stored source records.

    Runs keep the cut that they saw, as do their links, heatmaps and exports; the next scoring run
    sees the new one and is a run of its own. Going back to an earlier cut costs nothing.

    Raises:
        NotFoundError: There is no such dataset.
        InputError: No such segmenter, or a trace that it cannot cut; nothing is changed.
    """
    progress = progress or Silent()
    name = reading.parse_segmenter(segmenter).name
    known = {info.name: info for info in store.datasets(workspace)}
    sources = store.sources_of(workspace, dataset)
    before, n_before = known[dataset].segmenter, _n_steps(workspace, dataset)
    if name != before:
        if store.is_cut_by(workspace, dataset, name):
            store.enter_cut(workspace, dataset, name, None)
        else:
            _cut(workspace, dataset, name, sources, progress)
    return Resegmented(
        dataset=dataset,
        segmenter=name,
        before=before,
        n_traces=known[dataset].n_traces,
        n_steps=_n_steps(workspace, dataset),
        n_steps_before=n_before,
    )


def _cut(
    workspace: Workspace,
    dataset: str,
    segmenter: str,
    sources: list[store.SourceOfDataset],
    progress: Progress,
) -> None:
    progress.begin(f"Cutting {dataset} by {segmenter}", 0, "traces")
    with workspace.staging() as folder, Pool(usual_processes()) as pool:
        for number, source in enumerate(sources):
            part = folder / f"{number:05}"
            part.mkdir()
            recipe = Recipe(
                dataset=dataset,
                schema=source.schema_name,
                mapping=source.mapping,
                segmenter=segmenter,
                folder=part,
            )
            rows = (
                Row(path=record.path, line=record.line, raw=record.raw, fields={})
                for record in store.records_of(workspace, dataset, source)
            )
            for staged in pool.stage(recipe, chunks_of(source.path, rows)):
                progress.advance(staged.n_items)
        store.enter_cut(workspace, dataset, segmenter, folder)


def _n_steps(workspace: Workspace, dataset: str) -> int:
    return int(store.labels_of(workspace, [dataset])["n_steps"].sum())
