"""How many traces a minute are measured, and where does the time go?

``python -m benchmarks.supervision [--traces 398] [--rounds 3] [--json FILE]``. The shipped model
measures GSM8K solutions, all analytical metrics but the syntactic one, in batches as
``grace report`` takes them. In each round two others take their turn: bare forward passes over the
same tokens (prompts, traces, and sentences once more, each text once), which is the floor; and each
metric on its own, where perplexity and the embedding of a trace are two passes. Before the race
the values of the shared pass are held against those of one text at a time.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.race import Ratio, ratio_of, seconds_by_round
from grace_engine.api import sample_folder
from grace_engine.digests import file_digest
from grace_engine.ingest import parse_segmenter, traces_of
from grace_engine.models.load import load_model, load_tokenizer
from grace_engine.models.locate import locate_model
from grace_engine.quantities import counted
from grace_engine.records import Trace
from grace_engine.supervision import MeasureConfig, Measurer, TextPair, sentences_of
from grace_engine.supervision.reader import CausalReader

_BATCH = 64  # as grace_engine/api/measuring.py
_TOLERANCE = 1e-3
_OURS, _FLOOR, _APART = "ours", "bare forward passes over the same tokens", "each metric alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionBenchmark:
    """All measurements of one run.

    Attributes:
        n_traces: Traces.
        n_tokens: Tokens of prompts, traces and sentences.
        n_threads: Threads of torch.
        per_minute: Traces a minute by the clock, one a round's median.
        per_processor_minute: Traces a minute of processor time, over all rounds.
        shares: Of our time, by what took it.
        ratios: A competitor's time over ours; above 1 ours is faster.
        apart: Largest relative difference of a perplexity or embedding from that of one alone.
    """

    n_traces: int
    n_tokens: int
    n_threads: int
    per_minute: float
    per_processor_minute: float
    shares: dict[str, float]
    ratios: dict[str, Ratio]
    apart: float


def run(n_traces: int, rounds: int) -> SupervisionBenchmark:
    """Check that the values agree, then race."""
    files = locate_model(str(sample_folder() / "tiny-reasoner"))
    pairs = _pairs(n_traces)
    reader = CausalReader(load_model(files), load_tokenizer(files), window=2048)
    measurer = Measurer(MeasureConfig(model=str(files.folder)), digest_of=file_digest)
    apart = _difference(reader, [pair.text for pair in pairs])
    if apart > _TOLERANCE:
        raise SystemExit(f"Values differ by {apart:.1e} from those measured one by one.")
    processor = [0.0]

    def ours() -> None:
        began = time.process_time()
        for batch in _batches(pairs):
            measurer.measure(batch)
        processor.append(time.process_time() - began)

    measurer.measure(pairs[:2])  # loads the weights
    measurer.seconds.clear()
    seconds = seconds_by_round(
        {
            _OURS: ours,
            _FLOOR: lambda: [_bare(reader, _texts(batch)) for batch in _batches(pairs)],
            _APART: lambda: [_alone(reader, batch) for batch in _batches(pairs)],
        },
        rounds,
        lambda line: print(line, file=sys.stderr),
    )
    total = sum(measurer.seconds.values())
    texts = [text for batch in _batches(pairs) for text in _texts(batch)]
    return SupervisionBenchmark(
        n_traces=len(pairs),
        n_tokens=sum(len(ids) for ids in reader.token_ids(texts)),
        n_threads=torch.get_num_threads(),
        per_minute=ratio_of([60.0 * len(pairs)] * rounds, seconds[_OURS]).median,
        per_processor_minute=60 * len(pairs) * (len(processor) - 1) / sum(processor),
        shares={name: took / total for name, took in measurer.seconds.items()},
        ratios={name: ratio_of(seconds[name], seconds[_OURS]) for name in (_FLOOR, _APART)},
        apart=apart,
    )


def markdown(found: SupervisionBenchmark) -> str:
    """The table."""
    shares = sorted(found.shares.items(), key=lambda each: -each[1])
    return "\n".join(
        [
            f"| {found.n_traces:,} GSM8K solutions, {found.n_tokens:,} tokens with prompts and "
            f"sentences, {counted(found.n_threads, 'thread')} | |",
            "|---|---:|",
            f"| traces a minute | {found.per_minute:,.0f} |",
            f"| traces a minute of processor time | {found.per_processor_minute:,.0f} |",
            *(f"| time of {name} over ours | {ratio} |" for name, ratio in found.ratios.items()),
            *(
                f"| share of the time: {name.replace('_', ' ')} | {share:.1%} |"
                for name, share in shares
            ),
        ]
    )


def _pairs(n: int) -> list[TextPair]:
    found = traces_of(
        sample_folder() / "gsm8k" / "model_solutions.jsonl",
        dataset="sample",
        segmenter=parse_segmenter("auto"),
    )
    kept = [item for item in found if isinstance(item, Trace)]
    return [TextPair(prompt=trace.prompt, text=trace.full_text) for trace in kept[:n]]


def _batches(pairs: Sequence[TextPair]) -> list[Sequence[TextPair]]:
    return [pairs[at : at + _BATCH] for at in range(0, len(pairs), _BATCH)]


def _texts(pairs: Sequence[TextPair]) -> list[str]:
    """Everything that is read of some traces, once."""
    cut = [sentences_of(pair.text) for pair in pairs]
    sentences = [sentence for own in cut if len(own) > 1 for sentence in own]
    return list(dict.fromkeys([p.prompt for p in pairs] + [p.text for p in pairs] + sentences))


def _bare(reader: CausalReader, texts: Sequence[str]) -> None:
    """Forward passes over texts of like length, in batches of 2,048 padded tokens; no logits."""
    model = reader._loaded.model
    ids = sorted(reader.token_ids(texts), key=len, reverse=True)
    at = 0
    while at < len(ids):
        width = len(ids[at])
        some = ids[at : at + max(1, 2048 // width)]
        rows = torch.tensor([own + [0] * (width - len(own)) for own in some])
        mask = torch.tensor([[1] * len(own) + [0] * (width - len(own)) for own in some])
        with torch.inference_mode():
            model.model(input_ids=rows, attention_mask=mask, use_cache=False)
        at += len(some)


def _alone(reader: CausalReader, pairs: Sequence[TextPair]) -> None:
    """Perplexity, alignment and flow, each with passes of its own."""
    texts = [pair.text for pair in pairs]
    cut = [sentences_of(text) for text in texts]
    reader.losses(texts)
    reader.embed([text for pair in pairs for text in (pair.prompt, pair.text)])
    reader.embed([sentence for own in cut if len(own) > 1 for sentence in own])


def _difference(reader: CausalReader, texts: Sequence[str]) -> float:
    """How far the shared pass is from one text at a time, relative to the value."""
    some = texts[:32]
    together = reader.read(some)
    apart = 0.0
    for place, text in enumerate(some):
        loss, vector = reader.losses([text])[0], reader.embed([text])[0]
        if loss is not None:
            apart = max(apart, abs((together.losses[place] or 0.0) - loss) / loss)
        length = float((vector**2).sum() ** 0.5)
        distance = float(((together.vectors[place] - vector) ** 2).sum() ** 0.5)
        apart = max(apart, distance / length)
    return apart


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=398)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for all numbers")
    given = parser.parse_args()
    found = run(given.traces, given.rounds)
    print(markdown(found))
    if given.json:
        given.json.write_text(json.dumps(asdict(found), indent=2))


if __name__ == "__main__":
    main()
