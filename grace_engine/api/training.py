"""How is a model trained on a selection, and held against others of its size?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from grace_engine import ingest as reading
from grace_engine import store, training
from grace_engine.api.sample import sample_folder
from grace_engine.errors import InputError, NotFoundError
from grace_engine.models.load import DTYPES, load_config, load_tokenizer, resolve_device
from grace_engine.models.locate import ModelFiles, locate_model
from grace_engine.progress import Progress, Silent
from grace_engine.records import Problem, RejectedTrace, Trace, is_of_problems
from grace_engine.store import Workspace
from grace_engine.training import (
    ArmResult,
    Cell,
    CellResult,
    EvalProblem,
    Evaluation,
    Example,
    Overlap,
    TrainPreview,
    TrainSettings,
)

CELLS, ANSWERS, PROBLEMS = "cells", "answers.jsonl", "problems.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What is trained, against what, and on which problems it is judged.

    Attributes:
        what: A selection, or a file of traces.
        settings: Of each training; the shipped model on the way is trained where none is named.
        against: Other arms: ``random`` (of the same tokens), ``full`` (the whole pool),
            ``untrained`` (the model before).
        n_seeds: Trainings of each arm.
        evaluate_on: A dataset of the workspace, or a file, whose problems have reference answers;
            "" evaluates nothing.
        n_problems: Most problems of it, the first ones; 0 for all.
        max_new_tokens: Tokens after which an answer is cut.
    """

    what: str
    settings: TrainSettings
    against: tuple[str, ...] = ()
    n_seeds: int = 1
    evaluate_on: str = ""
    n_problems: int = 0
    max_new_tokens: int = 512

    def document(self) -> dict[str, Any]:
        """As JSON values; ``request_of`` reads them."""
        return {**asdict(self), "settings": self.settings.document()}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """What a request comes to, before anything is trained.

    Attributes:
        request: What was asked for.
        model: The model, as it will be named.
        selection: Id of the selection; "" for a file.
        subset: What the trainer does with the subset.
        pool: The same of the whole pool; None where no arm needs it.
        problems: What models are judged on.
        overlap: Of the problems with the prompts that are trained on.
        held_out: Examples whose loss is measured.
        cells: The trainings.
        tokenizer: Of the model.
        files: Of the model.
    """

    request: TrainRequest
    model: str
    selection: str
    subset: TrainPreview
    pool: TrainPreview | None
    problems: tuple[EvalProblem, ...]
    overlap: Overlap | None
    held_out: tuple[Example, ...]
    cells: tuple[Cell, ...]
    tokenizer: Any = field(repr=False)
    files: ModelFiles = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """What the finished trainings of a request found.

    Attributes:
        folder: Where they are kept.
        selection: Id of the selection; "" for a file.
        n_problems: Problems that each arm was judged on.
        n_cells: Trainings that were asked for, evaluations of the model before included.
        cells: The finished ones.
        arms: What they say, the subset first.
    """

    folder: Path
    selection: str
    n_problems: int
    n_cells: int
    cells: tuple[CellResult, ...]
    arms: tuple[ArmResult, ...]


def plan_training(
    workspace: Workspace, request: TrainRequest, progress: Progress | None = None
) -> TrainPlan:
    """Find what training would do, without loading weights.

    Raises:
        NotFoundError: No such selection, file or dataset.
        InputError: Nothing to train on, arms without a pool, or problems without references.
        ModelError: The model or its tokenizer cannot be used.
    """
    progress = progress or Silent()
    cells = training.cells_of(request.against, request.n_seeds)
    name = request.settings.model or str(sample_folder() / "tiny-reasoner-early")
    files = locate_model(name, revision=request.settings.revision)
    tokenizer, config = load_tokenizer(files), load_config(files)
    n_parameters = _n_parameters(config)
    selection, subset, pool = _traces_of(workspace, request.what)
    needs_pool = bool({"random", "full"} & set(request.against))
    if needs_pool and not selection:
        raise InputError(
            f"{request.what} is a file: what it was chosen from is not known, so there is no "
            "random subset and no full pool to hold it against. Train a selection, or leave out "
            "--against random,full."
        )

    def look(traces: Callable[[], Iterator[Trace]], what: str) -> TrainPreview:
        progress.begin(f"Rendering {what}", 0, "traces")
        found = _told(
            training.examples_of(traces(), tokenizer, target=request.settings.target), progress
        )
        return training.preview(found, request.settings, config, n_parameters)

    problems, held_out = _held_out(workspace, request, tokenizer)
    prompts = (trace.prompt for trace in (pool if needs_pool else subset)())
    return TrainPlan(
        request=request,
        model=files.name,
        selection=selection,
        subset=look(subset, "the subset"),
        pool=look(pool, "the pool") if needs_pool else None,
        problems=problems,
        overlap=training.overlap(problems, prompts) if problems else None,
        held_out=held_out,
        cells=cells,
        tokenizer=tokenizer,
        files=files,
    )


def train(
    workspace: Workspace,
    request: TrainRequest,
    folder: Path,
    progress: Progress | None = None,
    *,
    planned: TrainPlan | None = None,
) -> TrainReport:
    """Train and evaluate every cell that is not finished in ``folder``.

    Raises:
        InputError: Examples would be cut and nobody accepted it.
        NotFoundError, ModelError: As ``plan_training``.
        KeyboardInterrupt: The run was asked to end; it goes on from a checkpoint.
    """
    progress = progress or Silent()
    plan = planned or plan_training(workspace, request, progress)
    for looked in filter(None, (plan.subset, plan.pool)):
        looked.require_whole(request.settings)
    cells = folder / CELLS
    cells.mkdir(parents=True, exist_ok=True)
    (folder / PROBLEMS).write_bytes(
        b"".join(orjson.dumps(asdict(problem)) + b"\n" for problem in plan.problems)
    )
    for number, cell in enumerate(plan.cells, 1):
        if training.read_result(cells / cell.name) is None:
            progress.say(f"Training {number} of {len(plan.cells)}: {cell.name}")
            _carry_out(plan, cell, cells / cell.name, progress)
    report = {
        "selection": plan.selection,
        "n_problems": len(plan.problems),
        "n_cells": len(plan.cells),
    }
    (folder / "report.json").write_bytes(orjson.dumps(report))
    return training_report(folder)


def training_report(folder: Path) -> TrainReport:
    """What stands in the folder of a training.

    Raises:
        NotFoundError: No training has finished there.
    """
    results = [training.read_result(each) for each in sorted((folder / CELLS).glob("*/"))]
    found = tuple(result for result in results if result is not None)
    if not found:
        raise NotFoundError(f"No training has finished in {folder} yet.")
    try:
        document = orjson.loads((folder / "report.json").read_bytes())
    except FileNotFoundError:
        document = {"selection": "", "n_problems": len(found[0].shares), "n_cells": len(found)}
    return TrainReport(folder=folder, cells=found, arms=tuple(training.arms_of(found)), **document)


def request_of(document: Mapping[str, Any]) -> TrainRequest:
    """The request that ``TrainRequest.document`` wrote."""
    settings = training.settings_of(document["settings"])
    return TrainRequest(**{**document, "settings": settings, "against": tuple(document["against"])})


def _carry_out(plan: TrainPlan, cell: Cell, folder: Path, progress: Progress) -> None:
    """Train a cell, evaluate it and keep what was found."""
    folder.mkdir(exist_ok=True)
    settings = replace(plan.request.settings, seed=cell.seed)
    examples = _examples(plan, cell)
    trained = None
    source = plan.files.folder
    if cell.arm != "untrained":
        model = _load(source, settings)
        trained = training.train(model, plan.tokenizer, examples, settings, folder, progress)
        source = trained.folder
    found = None
    if plan.problems:
        model = _load(source, settings).eval()
        answered = training.evaluate(
            model,
            plan.tokenizer,
            plan.problems,
            progress,
            max_new_tokens=plan.request.max_new_tokens,
        )
        loss = training.held_out_loss(model, plan.held_out, model.device)
        found = Evaluation(answered=answered, loss=loss if plan.held_out else None)
        (folder / ANSWERS).write_bytes(
            b"".join(orjson.dumps(asdict(one)) + b"\n" for one in answered)
        )
    training.write_result(folder, training.result_of(cell, examples, trained, found))


def _examples(plan: TrainPlan, cell: Cell) -> Sequence[Example]:
    if cell.arm == "untrained":
        return ()
    if cell.arm == "subset" or plan.pool is None:
        return plan.subset.examples
    if cell.arm == "full":
        return plan.pool.examples
    return training.random_examples(plan.pool.examples, plan.subset.n_tokens, cell.seed)


def _load(folder: Path, settings: TrainSettings) -> Any:
    """A model to train or to ask; weights of the settings' number type, on their device."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    from grace_engine.models.load import resolve_dtype

    logging.disable_progress_bar()
    device = resolve_device(settings.device)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=DTYPES[resolve_dtype(settings.dtype, device)],
        use_safetensors=True,
        local_files_only=True,
    )
    return model.to(device)


def _n_parameters(config: Any) -> int:
    """Weights of a model of this configuration, counted without making them."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return int(AutoModelForCausalLM.from_config(config).num_parameters())


_Traces = Callable[[], Iterator[Trace]]


def _traces_of(workspace: Workspace, what: str) -> tuple[str, _Traces, _Traces]:
    """Id of a selection, or "" for a file; its traces, and those of its pool."""
    if Path(what).is_file():

        def of_file() -> Iterator[Trace]:
            items = reading.traces_of(
                Path(what), dataset=Path(what).stem, segmenter=reading.parse_segmenter("auto")
            )
            return (item for item in items if isinstance(item, Trace))

        return "", of_file, of_file
    selection = store.get_selection(workspace, what)
    if is_of_problems(selection.run_id):
        raise InputError(
            f"Selection {selection.id} holds problems, which have no solutions to imitate: write "
            f"them for a trainer by reinforcement with grace export {selection.id} --as trl-grpo."
        )
    inside = [choice.trace_id for choice in selection.choices if choice.selected]
    every = [choice.trace_id for choice in selection.choices]

    def of(ids: list[str]) -> Iterator[Trace]:
        batches = store.iter_traces(workspace, ids=ids, run=selection.run_id)
        return (trace for batch in batches for trace in batch)

    return selection.id, lambda: of(inside), lambda: of(every)


def _held_out(
    workspace: Workspace, request: TrainRequest, tokenizer: Any
) -> tuple[tuple[EvalProblem, ...], tuple[Example, ...]]:
    """The problems that models are judged on, and examples whose loss is measured."""
    if not request.evaluate_on:
        return (), ()
    problems: dict[str, EvalProblem] = {}
    traces: dict[str, Trace] = {}
    for item in _items(workspace, request.evaluate_on):
        if item.reference is None or not item.reference.strip():
            continue
        if item.prompt not in problems:
            problems[item.prompt] = EvalProblem(
                id=item.id, prompt=item.prompt, reference=item.reference, labels=dict(item.labels)
            )
        if isinstance(item, Trace) and item.labels.get("is_correct") is not False:
            traces.setdefault(item.prompt, item)
    chosen = list(problems.values())[: request.n_problems or None]
    if not chosen:
        raise InputError(
            f"{request.evaluate_on} holds no problem with a reference answer to judge models by."
        )
    wanted = [traces[problem.prompt] for problem in chosen if problem.prompt in traces]
    found = training.examples_of(wanted, tokenizer)
    return tuple(chosen), tuple(one for one in found if isinstance(one, Example))


def _items(workspace: Workspace, name: str) -> Iterator[Trace | Problem]:
    if Path(name).is_file():
        for item in reading.traces_of(
            Path(name), dataset=Path(name).stem, segmenter=reading.parse_segmenter("auto")
        ):
            if isinstance(item, (Trace, Problem)):
                yield item
        return
    yield from (problem for problem, _ in store.list_problems(workspace, [name]))
    for batch in store.iter_traces(workspace, [name]):
        yield from batch


def _told(
    found: Iterator[Example | RejectedTrace], progress: Progress
) -> Iterator[Example | RejectedTrace]:
    for one in found:
        progress.advance(1)
        yield one
