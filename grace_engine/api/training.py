"""How is a model trained on a selection, and held against others of its size?"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson

from grace_engine import training
from grace_engine.api.sample import named_or_shipped
from grace_engine.api.train_inputs import Traces, cuts, held_out, told, trainable
from grace_engine.api.train_progress import OfCell, TimeTold, heed
from grace_engine.api.trained import (
    ANSWERS,
    CELLS,
    PROBLEMS,
    REPORT,
    Planned,
    TrainReport,
    training_report,
)
from grace_engine.config import require_one_of
from grace_engine.errors import InputError
from grace_engine.jobs.folder import CANCEL
from grace_engine.models.load import load_config, load_tokenizer
from grace_engine.models.locate import ModelFiles, locate_model
from grace_engine.progress import Progress, Silent
from grace_engine.store import Workspace
from grace_engine.training import (
    WHOLE,
    Asking,
    Cell,
    EvalProblem,
    Evaluation,
    Example,
    Overlap,
    TrainPreview,
    TrainSettings,
)
from grace_engine.training.loading import weights_of

Executor: TypeAlias = Literal["local", "slurm"]
EXECUTORS: tuple[Executor, ...] = ("local", "slurm")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What is trained, against what, and on which problems it is judged.

    Attributes:
        what: A selection, or a file of traces.
        settings: Of each training; the shipped model on the way is trained where none is named.
        against: Other arms: ``random`` (of the same tokens), ``full`` (the whole pool),
            ``untrained`` (the model before).
        n_seeds: Trainings of each arm.
        budgets: Shares of the pool, in percent, at which the selection's ranking is cut: the cut
            and a random draw of its tokens are trained at each.
        evaluate_on: A dataset of the workspace, or a file, whose problems have reference answers;
            "" evaluates nothing.
        n_problems: Most problems of it, the first ones; 0 for all.
        max_new_tokens: Tokens after which an answer is cut.
        asking: How often, and how freely, each problem is put.
        executor: ``local``, or ``slurm`` for a job of the cluster.
        slurm: Options of that job, as submitit names them.
    """

    what: str
    settings: TrainSettings
    against: tuple[str, ...] = ()
    n_seeds: int = 1
    budgets: tuple[float, ...] = ()
    evaluate_on: str = ""
    n_problems: int = 0
    max_new_tokens: int = 512
    asking: Asking = field(default_factory=Asking)
    executor: Executor = "local"
    slurm: Mapping[str, str | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an executor that is not known."""
        require_one_of("Executor", self.executor, EXECUTORS)

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
        at: Examples that each budget takes, by percent.
        problems: What models are judged on.
        overlap: Of the problems with the prompts that are trained on.
        held_out: Examples whose loss is measured.
        cells: The trainings.
        left_out: Arms that were asked for and would be held against nothing, as no problem is
            named.
        tokenizer: Of the model.
        files: Of the model.
    """

    request: TrainRequest
    model: str
    selection: str
    subset: TrainPreview
    pool: TrainPreview | None
    at: Mapping[float, tuple[Example, ...]]
    problems: tuple[EvalProblem, ...]
    overlap: Overlap | None
    held_out: tuple[Example, ...]
    cells: tuple[Cell, ...]
    left_out: tuple[str, ...]
    tokenizer: Any = field(repr=False)
    files: ModelFiles = field(repr=False)

    def require_whole(self) -> None:
        """Refuse to train on cut or fully masked examples that nobody accepted.

        Raises:
            InputError: With how many there are and what to do.
        """
        for looked in filter(None, (self.subset, self.pool)):
            looked.require_whole(self.request.settings)


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
    training.cells_of(request.against, request.n_seeds, request.budgets)  # refuses at once
    training.require_logger(request.settings)
    request = replace(request, settings=training.with_processes(request.settings))
    files = locate_model(
        named_or_shipped(request.settings.model), revision=request.settings.revision
    )
    tokenizer, config = load_tokenizer(files), load_config(files)
    n_parameters = _n_parameters(config)
    found = trainable(workspace, request.what)
    arms_of_pool = bool({"random", "full"} & set(request.against))
    if (request.budgets or arms_of_pool) and not found.selection:
        raise InputError(
            f"{request.what} is a file: what it was chosen from is not known, so there is no "
            "random subset and no full pool to hold it against, and nothing to cut at budgets. "
            "Train a selection, or leave out --against random,full and --budgets."
        )

    def look(traces: Traces, what: str) -> TrainPreview:
        progress.begin(f"Rendering {what}", 0, "traces")
        rendered = told(
            training.examples_of(traces(), tokenizer, target=request.settings.target), progress
        )
        return training.preview(rendered, request.settings, config, n_parameters)

    needs_pool = bool(request.budgets) or (arms_of_pool and bool(request.evaluate_on))
    problems, held = held_out(workspace, request.evaluate_on, tokenizer, request.n_problems)
    prompts = (trace.prompt for trace in (found.pool if needs_pool else found.subset)())
    subset = look(found.subset, "the subset")
    pool = look(found.pool, "the pool") if needs_pool else None
    trains_full = "full" in request.against and bool(problems)
    at = _at_budgets(workspace, request, found.selection, pool, trains_full) if pool else {}
    against = request.against
    if own := _own_budget(at, subset):
        del at[own]
        # At its budget the selection itself is trained, beside the random draw of its tokens.
        against = (*against, "random") if own < WHOLE else against
    cells = training.cells_of(against, request.n_seeds, tuple(at))
    left_out: tuple[str, ...] = ()
    if not problems:
        left_out = tuple(dict.fromkeys(cell.arm for cell in cells if cell.arm != "subset"))
        cells = tuple(cell for cell in cells if cell.arm == "subset")
    return TrainPlan(
        request=request,
        model=files.name,
        selection=found.selection,
        subset=subset,
        pool=pool,
        at=at,
        problems=problems,
        overlap=training.overlap(problems, prompts) if problems else None,
        held_out=held,
        cells=cells,
        left_out=left_out,
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
    plan.require_whole()
    cells = folder / CELLS
    cells.mkdir(parents=True, exist_ok=True)
    (folder / PROBLEMS).write_bytes(
        b"".join(orjson.dumps(asdict(problem)) + b"\n" for problem in plan.problems)
    )
    intended = Planned(
        selection=plan.selection,
        n_problems=len(plan.problems),
        n_cells=len(plan.cells),
        n_pool=len(plan.pool.examples) if plan.pool else 0,
        asked=str(request.asking),
        steps={cell.name: n_steps_of(plan, cell) for cell in plan.cells},
    )
    (folder / REPORT).write_bytes(orjson.dumps(asdict(intended)))
    told = TimeTold(progress, folder)
    for number, cell in enumerate(plan.cells, 1):
        heed(folder)
        if training.read_result(cells / cell.name) is None:
            of = f"{cell.name}, {number} of {len(plan.cells)}"
            _carry_out(plan, cell, cells / cell.name, OfCell(progress, of, told))
    return training_report(folder)


def request_of(document: Mapping[str, Any]) -> TrainRequest:
    """The request that ``TrainRequest.document`` wrote."""
    known = {
        "settings": training.settings_of(document["settings"]),
        "against": tuple(document["against"]),
        "budgets": tuple(document.get("budgets", ())),
        "asking": Asking(**document.get("asking", {})),
    }
    return TrainRequest(**{**document, **known})


def examples_of_cell(plan: TrainPlan, cell: Cell) -> Sequence[Example]:
    """What a cell is trained on."""
    if cell.arm == "untrained":
        return ()
    own = plan.at[cell.budget] if cell.budget else plan.subset.examples
    if cell.arm == "subset" or plan.pool is None:
        return own
    if cell.arm == "full":
        return plan.pool.examples
    n_tokens = sum(len(one.token_ids) for one in own)
    return training.random_examples(plan.pool.examples, n_tokens, cell.seed)


def n_steps_of(plan: TrainPlan, cell: Cell) -> int:
    """Optimizer steps that a cell will take."""
    n_examples = len(examples_of_cell(plan, cell))
    return training.n_steps(n_examples, plan.request.settings) if n_examples else 0


def _at_budgets(
    workspace: Workspace,
    request: TrainRequest,
    selection: str,
    pool: TrainPreview,
    trains_full: bool,
) -> dict[float, tuple[Example, ...]]:
    """What each budget takes, but for those that take what another takes, or the full arm is."""
    found: dict[float, tuple[Example, ...]] = {}
    for budget, ids in cuts(workspace, selection, request.budgets).items():
        taken = tuple(one for one in pool.examples if one.trace_id in ids)
        if not taken:
            raise InputError(
                f"At a budget of {budget:g}% nothing is left that the model can be shown: use a "
                "larger one."
            )
        is_full = budget == WHOLE and trains_full
        if not is_full and taken not in found.values():
            found[budget] = taken
    return found


def _own_budget(at: Mapping[float, Sequence[Example]], subset: TrainPreview) -> float | None:
    """The budget that takes what the selection itself holds; None where none does."""
    own = {one.trace_id for one in subset.examples}
    return next((at_ for at_, taken in at.items() if {one.trace_id for one in taken} == own), None)


def _carry_out(plan: TrainPlan, cell: Cell, folder: Path, progress: OfCell) -> None:
    """Train a cell, evaluate it and keep what was found."""
    folder.mkdir(exist_ok=True)
    settings = replace(plan.request.settings, seed=cell.seed)
    examples = examples_of_cell(plan, cell)
    trained = training.read_trained(folder)  # where only its evaluation is missing
    source = plan.files.folder
    if cell.arm != "untrained" and trained is None:
        if settings.n_processes > 1:
            trained = training.train_in_processes(source, examples, settings, folder, progress)
        else:
            model = weights_of(source, settings)
            stop_file = folder.parents[1] / CANCEL
            trained = training.train(
                model, plan.tokenizer, examples, settings, folder, progress, stop_file=stop_file
            )
    if trained is not None:
        source = trained.folder
    found = None
    if plan.problems:
        began, asking = time.monotonic(), plan.request.asking
        model = weights_of(source, settings).eval()
        answered = training.evaluate(
            model,
            plan.tokenizer,
            plan.problems,
            progress.heeding(),
            max_new_tokens=plan.request.max_new_tokens,
            asking=asking,
            seed=cell.seed,
        )
        loss = training.held_out_loss(model, plan.held_out, model.device)
        found = Evaluation(
            answered=answered,
            loss=loss if plan.held_out else None,
            asking=asking,
            seconds=time.monotonic() - began,
        )
        (folder / ANSWERS).write_bytes(
            b"".join(orjson.dumps(asdict(one)) + b"\n" for one in answered)
        )
    training.write_result(folder, training.result_of(cell, examples, trained, found))


def _n_parameters(config: Any) -> int:
    """Weights of a model of this configuration, counted without making them."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return int(AutoModelForCausalLM.from_config(config).num_parameters())
