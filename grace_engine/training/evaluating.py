"""How well does a model answer problems that it was not trained on?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grace_engine.answers import Checker
from grace_engine.models.render import Renderer, template_name_of
from grace_engine.progress import Progress
from grace_engine.records import OUTCOMES, AnswerPair, Label, Outcome
from grace_engine.training.examples import MASKED, Example, prompt_text
from grace_engine.training.passing import Asking, pass_at

if TYPE_CHECKING:
    import torch

# Answers of one batch.
_BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalProblem:
    """A problem whose answer is known.

    Attributes:
        id: Names it among the others.
        prompt: The problem.
        reference: A bare answer, or a whole solution.
        labels: Such as subject and difficulty, by which results are split.
    """

    id: str
    prompt: str
    reference: str
    labels: Mapping[str, Label] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a model answered to a problem.

    Attributes:
        id: Of the problem.
        completions: Its answers; one when they are greedy.
        outcomes: What checking found of each.
    """

    id: str
    completions: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    def share(self, k: int = 0) -> float:
        """Share of its answers that are right, 0 to 1; with k the chance that one of k is."""
        n_right = self.outcomes.count("right")
        return pass_at(k or 1, len(self.outcomes), n_right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a model answered to all problems.

    Attributes:
        answered: A row a problem, in the order of the problems.
        loss: Mean loss over all learned tokens of held-out examples, in nats a token; None where
            there are none.
        asking: How the problems were put.
        seconds: Time that it took.
    """

    answered: tuple[Answered, ...]
    loss: float | None = None
    asking: Asking = field(default_factory=Asking)
    seconds: float = 0.0

    @property
    def accuracy(self) -> float:
        """Mean of the measure, 0 to 1; an answer that cannot be parsed is not right."""
        return sum(one.share(self.asking.k) for one in self.answered) / len(self.answered)

    @property
    def by_outcome(self) -> dict[Outcome, int]:
        """Answers by outcome, all four of them."""
        found = [outcome for one in self.answered for outcome in one.outcomes]
        return {outcome: found.count(outcome) for outcome in OUTCOMES}


def evaluate(
    model: Any,
    tokenizer: Any,
    problems: Sequence[EvalProblem],
    progress: Progress,
    *,
    max_new_tokens: int = 512,
    asking: Asking | None = None,
    seed: int = 0,
) -> tuple[Answered, ...]:
    """Have a model answer each problem, and check the answers with math-verify.

    Args:
        model: A causal LM in evaluation mode.
        tokenizer: Its tokenizer.
        problems: What it answers.
        progress: Told of each answered problem.
        max_new_tokens: Tokens after which an answer is cut.
        asking: How often, and how freely; once and greedily where it is left out.
        seed: Of sampled answers.

    Returns:
        A row a problem, in their order.
    """
    progress.begin("Answering", len(problems), "problems")
    texts = dict(
        _answers(
            model,
            tokenizer,
            problems,
            progress,
            max_new_tokens=max_new_tokens,
            asking=asking or Asking(),
            seed=seed,
        )
    )
    progress.begin("Checking answers", sum(map(len, texts.values())), "answers")
    pairs = [
        AnswerPair(answer=text, reference=problem.reference)
        for problem in problems
        for text in texts[problem.id]
    ]
    with Checker() as checker:
        checks = iter(list(checker.check(pairs, progress)))
    return tuple(
        Answered(
            id=problem.id,
            completions=tuple(texts[problem.id]),
            outcomes=tuple(next(checks).outcome for _ in texts[problem.id]),
        )
        for problem in problems
    )


def held_out_loss(model: Any, examples: Iterable[Example], device: "torch.device") -> float:
    """Mean cross-entropy over all learned tokens, in nats a token; NaN without any."""
    import torch

    total, n_tokens = 0.0, 0
    for example in examples:
        columns = example.columns()
        ids = torch.tensor([columns["input_ids"]], device=device)
        labels = torch.tensor([columns["labels"]], device=device)
        n_learned = int((labels[:, 1:] != MASKED).sum())
        with torch.inference_mode():
            total += float(model(input_ids=ids, labels=labels).loss) * n_learned
        n_tokens += n_learned
    return total / n_tokens if n_tokens else float("nan")


def _answers(
    model: Any,
    tokenizer: Any,
    problems: Sequence[EvalProblem],
    progress: Progress,
    *,
    max_new_tokens: int,
    asking: Asking,
    seed: int,
) -> Iterator[tuple[str, list[str]]]:
    import torch

    renderer = Renderer(tokenizer, template_name=template_name_of(tokenizer))
    prompts = [prompt_text(problem.prompt, renderer) for problem in problems]
    # Like lengths together: a batch is padded to its longest prompt.
    order = sorted(range(len(problems)), key=lambda place: (len(prompts[place]), place))
    # The distribution as it is: a model's own settings may cut off its tail.
    drawn = {"do_sample": True, "temperature": asking.temperature, "top_k": 0, "top_p": 1.0}
    drawing = drawn if asking.k else {"do_sample": False}
    n_answers, n_problems = asking.n_answers, max(1, _BATCH // asking.n_answers)
    padding = {"padding": True, "padding_side": "left", "return_tensors": "pt"}
    torch.manual_seed(seed)
    for first in range(0, len(order), n_problems):
        batch = order[first : first + n_problems]
        inputs = tokenizer(
            [prompts[place] for place in batch],
            add_special_tokens=renderer.add_special_tokens,
            return_token_type_ids=False,
            **padding,
        ).to(model.device)
        ids = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            num_return_sequences=n_answers,
            **drawing,
        )
        found = tokenizer.batch_decode(
            ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        for i, place in enumerate(batch):
            yield problems[place].id, found[i * n_answers : (i + 1) * n_answers]
        progress.advance(len(batch), tokens=int(ids.numel()))
