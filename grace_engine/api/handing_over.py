"""How does a selection leave for another trainer, with the configuration that trains on it?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from grace_engine.api.train_inputs import trainable
from grace_engine.api.training import TrainPlan, TrainRequest, plan_training
from grace_engine.config import require_one_of
from grace_engine.errors import InputError, ResourceError
from grace_engine.export import publish
from grace_engine.models.render import messages_of, reasoning_key_of, template_name_of
from grace_engine.progress import Progress, Silent
from grace_engine.store import Workspace
from grace_engine.training.elsewhere import ROWS, TOOLS, Tool, elsewhere, row_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """A folder that another trainer can begin with.

    Attributes:
        folder: The folder.
        files: What was written, by path within it.
        n_rows: Examples of it.
        command: Starts the training, in that folder.
    """

    folder: Path
    files: tuple[str, ...]
    n_rows: int
    command: str


def hand_over(
    workspace: Workspace,
    request: TrainRequest,
    tool: Tool,
    folder: Path,
    progress: Progress | None = None,
    *,
    overwrite: bool = False,
) -> HandedOver:
    """Write the selection as the tool reads it, and the configuration that is true to the settings.

    Only traces that the model can be shown are written, as in a training here.

    Raises:
        InputError: A tool that is not known, a model without a chat template, examples that would
            be cut and nobody accepted it, or other files that stand there.
        NotFoundError, ModelError: As ``plan_training``.
    """
    require_one_of("Trainer", tool, TOOLS)
    plan = plan_training(workspace, request, progress or Silent())
    plan.subset.require_whole(request.settings)
    if template_name_of(plan.tokenizer) != "chat":
        raise InputError(
            f"{plan.model} has no chat template, by which other trainers would write the examples: "
            "name a model that has one."
        )
    source = f"selection {plan.selection}" if plan.selection else f"the file {request.what}"
    written = elsewhere(tool, request.settings, plan.model, source)
    try:
        (folder / ROWS).parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise ResourceError(f"{folder} cannot be made ({fault.strerror}).") from fault
    rows = publish(folder / ROWS, _rows(workspace, plan, tool), overwrite=overwrite)
    for name, text in written.files.items():
        publish(folder / name, text.rstrip("\n").encode().split(b"\n"), overwrite=overwrite)
    return HandedOver(
        folder=folder,
        files=(ROWS, *written.files),
        n_rows=rows.n_lines,
        command=written.command,
    )


def _rows(workspace: Workspace, plan: TrainPlan, tool: Tool) -> Iterator[bytes]:
    shown = {example.trace_id for example in plan.subset.examples}
    # LLaMA-Factory knows no key for reasoning; the others hand it to the template.
    key = "" if tool == "llamafactory" else reasoning_key_of(plan.tokenizer)
    for trace in trainable(workspace, plan.request.what).subset():
        if trace.id in shown:
            messages = messages_of(trace, target=plan.request.settings.target, reasoning_key=key)
            yield orjson.dumps(row_of(tool, messages))
