"""How well does a model answer problems that it was not trained on?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grace_engine.answers import Checker
from grace_engine.models.render import Renderer, template_name_of
from grace_engine.progress import Progress
from grace_engine.records import OUTCOMES, AnswerPair, Label, Outcome
from grace_engine.training.examples import MASKED, Example, prompt_text

if TYPE_CHECKING:
    import torch

# Problems of one batch.
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

    @property
    def share_right(self) -> float:
        """Share of its answers that are right, 0 to 1."""
        return self.outcomes.count("right") / len(self.outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a model answered to all problems.

    Attributes:
        answered: A row a problem, in the order of the problems.
        loss: Mean loss over all learned tokens of held-out examples, in nats a token; None where
            there are none.
    """

    answered: tuple[Answered, ...]
    loss: float | None = None

    @property
    def accuracy(self) -> float:
        """Mean share of right answers, 0 to 1; one that cannot be parsed is not right."""
        return sum(one.share_right for one in self.answered) / len(self.answered)

    @property
    def by_outcome(self) -> dict[Outcome, int]:
        """Answers by outcome, all four of them."""
        found = [outcome for one in self.answered for outcome in one.outcomes]
        return {outcome: found.count(outcome) for outcome in OUTCOMES}

    def accuracy_by(self, label: str, problems: Sequence[EvalProblem]) -> dict[Label, float]:
        """Accuracy of the problems with each value of a label."""
        groups: dict[Label, list[float]] = {}
        for one, problem in zip(self.answered, problems, strict=True):
            if label in problem.labels:
                groups.setdefault(problem.labels[label], []).append(one.share_right)
        return {value: sum(shares) / len(shares) for value, shares in groups.items()}


def evaluate(
    model: Any,
    tokenizer: Any,
    problems: Sequence[EvalProblem],
    progress: Progress,
    *,
    max_new_tokens: int = 512,
    samples: int = 1,
    temperature: float = 0.0,
    seed: int = 0,
) -> tuple[Answered, ...]:
    """Have a model answer each problem, and check the answers with math-verify.

    Args:
        model: A causal LM in evaluation mode.
        tokenizer: Its tokenizer.
        problems: What it answers.
        progress: Told of each answered problem.
        max_new_tokens: Tokens after which an answer is cut.
        samples: Answers to each problem.
        temperature: 0 takes the most likely token each time, and then one answer.
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
            samples=samples if temperature else 1,
            temperature=temperature,
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
    samples: int,
    temperature: float,
    seed: int,
) -> Iterator[tuple[str, list[str]]]:
    import torch

    renderer = Renderer(tokenizer, template_name=template_name_of(tokenizer))
    prompts = [prompt_text(problem.prompt, renderer) for problem in problems]
    # Like lengths together: a batch is padded to its longest prompt.
    order = sorted(range(len(problems)), key=lambda place: (len(prompts[place]), place))
    drawing = {"do_sample": True, "temperature": temperature} if temperature else {}
    padding = {"padding": True, "padding_side": "left", "return_tensors": "pt"}
    torch.manual_seed(seed)
    for first in range(0, len(order), _BATCH):
        batch = order[first : first + _BATCH]
        inputs = tokenizer(
            [prompts[place] for place in batch],
            add_special_tokens=renderer.add_special_tokens,
            return_token_type_ids=False,
            **padding,
        ).to(model.device)
        ids = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            num_return_sequences=samples,
            **({"do_sample": False} | drawing),
        )
        found = tokenizer.batch_decode(
            ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        for i, place in enumerate(batch):
            yield problems[place].id, found[i * samples : (i + 1) * samples]
        progress.advance(len(batch), tokens=int(ids.numel()))
