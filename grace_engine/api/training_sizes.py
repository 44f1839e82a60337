"""How much does each arm of a training read, and how does that go with what a selection counts?"""

from dataclasses import dataclass

from grace_engine import store, training
from grace_engine.api.training import TrainPlan, examples_of_cell
from grace_engine.quantities import counted
from grace_engine.store import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSize:
    """What one training of an arm reads.

    Attributes:
        name: The arm, and the budget where it has one of its own.
        n_examples: Examples.
        n_tokens: Tokens of them, in one pass.
        n_learned: Those of them that the loss is taken of.
        n_steps: Optimizer steps of all passes.
        is_drawn: Another seed draws others, of nearly as many tokens.
    """

    name: str
    n_examples: int
    n_tokens: int
    n_learned: int
    n_steps: int
    is_drawn: bool

    def __str__(self) -> str:
        """For people."""
        if not self.n_examples:
            return "not trained"
        return (
            f"{counted(self.n_examples, 'example')}, {self.n_tokens:,} tokens of which "
            f"{self.n_learned:,} are learned, {counted(self.n_steps, 'optimizer step')}"
            + (", each seed its own draw" if self.is_drawn else "")
        )


def arm_sizes(plan: TrainPlan) -> list[ArmSize]:
    """The first seed of each arm at each budget, in the order in which they are trained."""
    found: dict[str, ArmSize] = {}
    for cell in plan.cells:
        name = f"{cell.arm} at {cell.budget:g}%" if cell.budget else cell.arm
        if name in found:
            continue
        examples = examples_of_cell(plan, cell)
        found[name] = ArmSize(
            name=name,
            n_examples=len(examples),
            n_tokens=sum(len(one.token_ids) for one in examples),
            n_learned=sum(one.n_learned for one in examples),
            n_steps=training.n_steps(len(examples), plan.request.settings) if examples else 0,
            is_drawn=cell.arm == "random",
        )
    return list(found.values())


def counted_otherwise(workspace: Workspace, plan: TrainPlan) -> str:
    """Why the selection says another number of tokens, for people; "" for a file."""
    if not plan.selection:
        return ""
    _, _, n_tokens = store.selection_counts(workspace)[plan.selection]
    return (
        f"The selection counts {n_tokens:,} tokens, those of scored steps and answers alone; the "
        "trainer reads prompt, template and end, too."
    )
