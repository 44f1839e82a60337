"""How is one step cut into claims and judged, one question after the other?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from grace_engine.endpoint import Endpoint
from grace_engine.errors import ResourceError, TraceRejected, UnreachableError
from grace_engine.judging import prompts, replies
from grace_engine.judging.pacing import Budget, EndedError, GoneError, SpentError
from grace_engine.judging.prompts import Message, StepText
from grace_engine.judging.settings import JudgeSettings
from grace_engine.records import ATOMS, Judgement

Read = TypeVar("Read")

INVALID, REFUSED, UNANSWERED = "invalid-reply", "endpoint-refused", "endpoint-failed"
"""Why there is no label: the replies were of no use, the server refuses this, or it fails."""

UNFINISHED = "unfinished"
"""No failure: the run ended between two attempts, and what they took is not to be forgotten."""

_BYTES_A_TOKEN = 3.5
_LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A step that is to be judged.

    Attributes:
        step_key: Digest of the judge and of everything that it reads.
        text: The step with what is read beside it.
        parts: What is still to be found out, in order.
        claims: Its claims, where they are known.
        premises: What of the question it rests on, where that is known.
    """

    step_key: str
    text: StepText
    parts: tuple[str, ...]
    claims: tuple[str, ...] = ()
    premises: tuple[str, ...] = ()


def about_tokens(text: str) -> int:
    """About how many tokens a text has; nobody knows the judge's tokenizer."""
    return round(len(text.encode("utf-8", "surrogatepass")) / _BYTES_A_TOKEN) + 1


def about_prompt(messages: Sequence[Message]) -> int:
    """About how many tokens a request has."""
    return sum(about_tokens(message["content"]) + 4 for message in messages)


class Asker:
    """Asks a judge all that is to be found out of a step."""

    def __init__(self, endpoint: Endpoint, settings: JudgeSettings, budget: Budget) -> None:
        self._endpoint, self._settings, self._budget = endpoint, settings, budget

    def ask(self, task: Task, tell: Callable[[Judgement], None]) -> None:
        """Find out the parts of a step, and tell each as it is known.

        Without claims nothing else can be asked.

        Raises:
            SpentError: There is not enough left.
            StoppedError: The run has ended.
            GoneError: Nobody answers any more.
            InputError: The server refuses whoever asks.
        """
        claims, premises = task.claims, task.premises
        if ATOMS in task.parts:
            found = self._atoms(task)
            tell(found)
            if found.failure:
                return
            claims = tuple(text for text, _ in found.claims)
            premises = found.premises
        for metric in task.parts:
            if metric != ATOMS:
                tell(self._verdict(task, metric, claims, premises))

    def _atoms(self, task: Task) -> Judgement:
        atoms, known = self._reply(
            Judgement(step_key=task.step_key, part=ATOMS),
            prompts.atomise(task.text),
            lambda reply: replies.read_atoms(reply, task.text.step, task.text.question),
        )
        if atoms is None:
            return known
        return replace(
            known,
            claims=tuple(zip(atoms.claims, atoms.types, strict=True)),
            premises=atoms.premises,
        )

    def _verdict(
        self, task: Task, metric: str, claims: Sequence[str], premises: Sequence[str]
    ) -> Judgement:
        verdict, known = self._reply(
            Judgement(step_key=task.step_key, part=metric),
            prompts.judge(metric, task.text, claims, premises),
            lambda reply: replies.read_verdict(reply, len(claims)),
        )
        if verdict is None:
            return known
        return replace(
            known,
            label=verdict.is_positive,
            claims=verdict.at_fault,
            reason=verdict.reason,
        )

    def _reply(
        self, known: Judgement, messages: list[Message], read: Callable[[str], Read]
    ) -> tuple[Read | None, Judgement]:
        """A reply that can be used, or None; and what it took, or why there is none."""
        why, last = "", messages[-1]["content"]
        for _ in range(self._settings.attempts):
            asked = [*messages[:-1], {"role": "user", "content": last}]
            try:
                try:
                    text, finished, known = self._complete(known, asked)
                except UnreachableError as fault:
                    raise GoneError(fault) from None
            except (TraceRejected, ResourceError) as fault:
                refused = isinstance(fault, TraceRejected)
                detail = fault.detail if isinstance(fault, TraceRejected) else str(fault)
                code = REFUSED if refused else UNANSWERED
                return None, replace(known, failure=code, detail=detail[:_LONGEST_DETAIL])
            except EndedError as end:
                end.known = replace(known, failure=UNFINISHED) if known.n_requests else None
                raise
            try:
                return read(text), known
            except replies.InvalidReplyError as fault:
                why = str(fault)
                if not finished:
                    why += f", and was cut off after {self._settings.reply_tokens:,} tokens"
                last = messages[-1]["content"] + prompts.AGAIN.format(why=why)
        times = "" if self._settings.attempts == 1 else f", {self._settings.attempts} times"
        return None, replace(known, failure=INVALID, detail=f"the reply is of no use{times}: {why}")

    def _complete(self, known: Judgement, messages: list[Message]) -> tuple[str, bool, Judgement]:
        """One reply, whether it is whole, and what was spent up to here."""
        settings = self._settings
        body: dict[str, Any] = {
            "model": settings.model,
            "messages": messages,
            "temperature": settings.temperature,
            "max_tokens": settings.reply_tokens,
            **settings.extra,
        }
        body = {name: value for name, value in body.items() if value is not None}
        held = (about_prompt(messages), settings.reply_tokens)
        if not self._budget.take(*held):
            raise SpentError
        spent, n_estimated = (0, 0), 0
        try:
            document = self._endpoint.complete(body)
            text, finished = self._said(document)
            spent, n_estimated = _spent(document, held[0], text)
        finally:
            self._budget.pay(held, spent)
        cost = settings.cost(*spent)
        return (
            text,
            finished,
            replace(
                known,
                n_requests=known.n_requests + 1,
                tokens_in=known.tokens_in + spent[0],
                tokens_out=known.tokens_out + spent[1],
                n_estimated=known.n_estimated + n_estimated,
                cost=known.cost if cost is None else (known.cost or 0.0) + cost,
            ),
        )

    def _said(self, document: Any) -> tuple[str, bool]:
        """The text of the first choice, and whether it came to its end by itself."""
        try:
            choice = document["choices"][0]
            text = choice["message"].get("content") or ""
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ResourceError(
                f"The endpoint {self._endpoint.address} answers, but with no choices in it: does "
                "it serve chat completions?"
            ) from None
        # JSON may hold the key in a spelling that its text does not show.
        return self._endpoint.without_key(str(text)), choice.get("finish_reason") != "length"


def _spent(document: Any, about: int, text: str) -> tuple[tuple[int, int], int]:
    """Tokens in and out as the server counts them, else about how many; and 1 for the latter."""
    usage = document.get("usage") if isinstance(document, dict) else None
    counts = [
        usage.get(name) if isinstance(usage, dict) else None
        for name in ("prompt_tokens", "completion_tokens")
    ]
    if all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in counts):
        return (int(counts[0]), int(counts[1])), 0  # type: ignore[arg-type]
    return (about, about_tokens(text)), 1
