"""What text does the trainer see of a trace, with the steps and the answer at which characters?

A chat template may trim a text, move its ``<think>`` tags, insert an empty pair or delete the
reasoning. So a trace is rendered twice: as it is, and with one placeholder character for each piece
of text between think tags. The placeholders say where every piece stands, so nothing is searched
for and repeated text cannot confuse; and whatever the template leaves out or rewrites shows as a
difference between the two. Think tags, and white space beside them, belong to no step.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Literal, TypeAlias

from grace_engine.config import Target, require_one_of
from grace_engine.errors import ModelError, TraceRejected
from grace_engine.records import Trace

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Span: TypeAlias = tuple[int, int]
TemplateName: TypeAlias = Literal["chat", "plain"]

TEMPLATE_NAMES: tuple[TemplateName, ...] = ("chat", "plain")
REASONING_KEYS = ("reasoning_content", "thinking")
THINK_TAG = re.compile(r"</?think>")
PRIVATE_USE = range(0xF0000, 0xFFFFE)  # a Unicode plane that no text is written in


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedText:
    """The text of one trace as the trainer tokenises it.

    Attributes:
        text: Template, prompt and assistant turn.
        spans: Character spans in ``text``: the steps in order, then the answer; (0, 0) for one that
            is nothing but white space or think tags.
        end_token_end: One past the end token that directly follows the answer; the answer's own
            end when none follows or none was asked for.
    """

    text: str
    spans: tuple[Span, ...]
    end_token_end: int


def template_name_of(tokenizer: "PreTrainedTokenizerFast") -> TemplateName:
    """Name the template that the trainer uses: ``chat`` where the tokenizer has one."""
    return "chat" if tokenizer.chat_template else "plain"


def reasoning_key_of(tokenizer: "PreTrainedTokenizerFast") -> str:
    """Name the message key in which the chat template expects reasoning; "" when it has none.

    A key counts when the template mentions it and renders it once, before the content. Raises
    ``ModelError`` when the tokenizer has no default chat template.
    """
    try:
        template = tokenizer.get_chat_template()
    except ValueError as error:
        name = tokenizer.name_or_path or "This model"
        raise ModelError(f"{name} has no default chat template: use plain.") from error
    first, second = map(chr, PRIVATE_USE[:2])
    for key in REASONING_KEYS:
        if key in template:
            assistant = {"role": "assistant", key: first, "content": second}
            with suppress(TraceRejected):
                frame = _apply(tokenizer, [{"role": "user", "content": "?"}, assistant])
                if re.findall(f"[{first}{second}]", frame) == [first, second]:
                    return key
    return ""


def messages_of(
    trace: Trace, *, target: Target = "own", reasoning_key: str = ""
) -> list[dict[str, str]]:
    """Write a trace as the user's and the assistant's message: what is scored is what is trained.

    Args:
        trace: The trace.
        target: Whose answer the assistant gives; for ``reference`` it replaces the trace's own.
        reasoning_key: Message key for what stands before ``</think>`` (``reasoning_key_of``);
            with "" the text stays inline, tags and all.

    Raises:
        TraceRejected: ``no-reference`` when the trace has no reference answer to aim at.
    """
    return _messages(trace.prompt, _target(trace, target)[0], reasoning_key)


def prompt_completion_of(trace: Trace, *, target: Target = "own") -> dict[str, str]:
    """Write a trace as the two strings of the plain template; raises as ``messages_of``."""
    return {"prompt": trace.prompt + "\n", "completion": _target(trace, target)[0]}


class Renderer:
    """Renders traces as one tokenizer's template makes them.

    Attributes:
        tokenizer: Of the model that scores.
        add_special_tokens: Whether the tokenizer adds its own BOS and EOS: TRL lets it for plain
            strings, and does not where a chat template has written them.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerFast",
        *,
        template_name: str,
        target: Target = "own",
        with_marks: bool = False,
        with_end_token: bool = False,
    ) -> None:
        require_one_of("Template", template_name, TEMPLATE_NAMES)
        self.tokenizer = tokenizer
        self.add_special_tokens = template_name == "plain"
        self._target = target
        self._with_marks = with_marks
        self._end_token = _special_token_pattern(tokenizer) if with_end_token else None
        self._reasoning_key = reasoning_key_of(tokenizer) if template_name == "chat" else ""

    def render(self, trace: Trace) -> RenderedText:
        """Render one trace.

        Raises:
            TraceRejected: ``template-changes-text`` when the template deletes or rewrites any of
                the text; ``template-error`` when it fails; ``no-reference``; ``has-images``.
        """
        if trace.images:
            raise TraceRejected("has-images", "a trace with images needs an image-text model.")
        text, (answer_start, answer_end) = _target(trace, self._target)
        pieces = _pieces(text)
        if self.add_special_tokens:
            rendered, shifts = self._plain(trace), [len(trace.prompt) + 1] * len(pieces)
        else:
            rendered, shifts = self._chat(trace.prompt, text, pieces)
        cuts = [(step.mark_start, step.start, step.end) for step in trace.steps]
        cuts.append((trace.answer.mark_start, answer_start, answer_end))
        spans = [
            _moved((mark if self._with_marks else start, end), pieces, shifts)
            for mark, start, end in cuts
        ]
        follows = self._end_token.match(rendered, spans[-1][1]) if self._end_token else None
        end_token_end = follows.end() if follows else spans[-1][1]
        return RenderedText(text=rendered, spans=tuple(spans), end_token_end=end_token_end)

    def _plain(self, trace: Trace) -> str:
        """Join the two strings as TRL does, which adds the EOS token unless it is there."""
        text = "".join(prompt_completion_of(trace, target=self._target).values())
        eos = self.tokenizer.eos_token or ""
        return text if text.endswith(eos) else text + eos

    def _chat(self, prompt: str, text: str, pieces: list[Span]) -> tuple[str, list[int]]:
        """Render the text and its placeholders; return it with how far each piece was moved."""
        unused = (c for c in map(chr, PRIVATE_USE) if c not in prompt and c not in text)
        marks = list(islice(unused, len(pieces)))
        replaced = text
        for (start, end), mark in reversed([*zip(pieces, marks, strict=True)]):
            replaced = replaced[:start] + mark + replaced[end:]
        rendered = _apply(self.tokenizer, _messages(prompt, text, self._reasoning_key))
        expected = _apply(self.tokenizer, _messages(prompt, replaced, self._reasoning_key))
        if prompt.strip() not in expected:
            raise _fault(self.tokenizer, f"loses the prompt {_excerpt(prompt)}")

        shifts, done = [], 0
        for (start, end), mark in zip(pieces, marks, strict=True):
            at = expected.find(mark, done)
            if at < 0:
                raise _fault(self.tokenizer, f"loses the text {_excerpt(text[start:end])}")
            expected = expected[:at] + text[start:end] + expected[at + 1 :]
            done = at + end - start
            shifts.append(at - start)
        if rendered != expected:
            at = next(i for i in count() if rendered[i : i + 1] != expected[i : i + 1])
            seen, wanted = _excerpt(rendered[at:]), _excerpt(expected[at:])
            raise _fault(self.tokenizer, f"writes {seen} where the text has {wanted}")
        return rendered, shifts


def _target(trace: Trace, target: Target) -> tuple[str, Span]:
    """Return the text whose answer is the target, with the span of that answer."""
    text, start, end = trace.full_text, trace.answer.start, trace.answer.end
    if target == "own":
        return text, (start, end)
    reference = (trace.reference or "").strip()
    if not reference:
        raise TraceRejected("no-reference", "the record holds no reference answer to aim at.")
    return text[:start] + reference + text[end:], (start, start + len(reference))


def _messages(prompt: str, text: str, reasoning_key: str) -> list[dict[str, str]]:
    assistant = {"role": "assistant", "content": text}
    head, tag, final = text.partition("</think>")
    reasoning = head.strip().removeprefix("<think>").strip()
    if reasoning_key and tag and "<think>" not in reasoning:
        assistant |= {reasoning_key: reasoning, "content": final.lstrip()}
    return [{"role": "user", "content": prompt}, assistant]


def _apply(tokenizer: "PreTrainedTokenizerFast", messages: list[dict[str, str]]) -> str:
    """Render messages; a template is a program, and whatever it raises rejects this trace."""
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False))
    except Exception as error:
        raise _fault(tokenizer, f"failed: {error}", "template-error") from error


def _fault(
    tokenizer: "PreTrainedTokenizerFast", what: str, reason: str = "template-changes-text"
) -> TraceRejected:
    name = tokenizer.name_or_path or "this model"
    return TraceRejected(reason, f"the chat template of {name} {what}.")


def _pieces(text: str) -> list[Span]:
    """Spans of what stands between think tags, without the white space at its edges."""
    cuts = [0, *(at for tag in THINK_TAG.finditer(text) for at in tag.span()), len(text)]
    spans = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=True):
        kept = text[start:end].strip()
        if kept:
            first = text.index(kept, start)
            spans.append((first, first + len(kept)))
    return spans


def _moved(span: Span, pieces: list[Span], shifts: list[int]) -> Span:
    """Where a span of the target text stands in the rendered text; (0, 0) when nowhere."""
    start, end = span
    inside = [i for i, (first, last) in enumerate(pieces) if first < end and start < last]
    if not inside:
        return 0, 0
    i, j = inside[0], inside[-1]
    return max(start, pieces[i][0]) + shifts[i], min(end, pieces[j][1]) + shifts[j]


def _special_token_pattern(tokenizer: "PreTrainedTokenizerFast") -> re.Pattern[str] | None:
    """Match white space and one special token; None for a tokenizer without special tokens."""
    added = tokenizer.added_tokens_decoder.values()
    tokens = {token.content for token in added if token.special} | {*tokenizer.all_special_tokens}
    one_of_them = "|".join(map(re.escape, tokens - {"<think>", "</think>"}))
    return re.compile(rf"\s*(?:{one_of_them})") if one_of_them else None


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
