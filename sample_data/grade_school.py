"""Which GSM8K rows train the sample model, and which are held out?"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

FOLDER = Path(__file__).parent / "gsm8k"
HELD_OUT = 300

Pair = tuple[str, str]


def read_pairs() -> tuple[list[Pair], list[Pair]]:
    """Reads question and answer pairs: those to train on, then the last HELD_OUT of the file."""
    with gzip.open(FOLDER / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    pairs = [(row["question"], row["answer"]) for row in rows]
    return pairs[:-HELD_OUT], pairs[-HELD_OUT:]


def vary_ending(rng: Random, pair: Pair) -> Pair:
    """Ends every second answer in "A: 72", as the shipped model solutions do, not "#### 72"."""
    question, answer = pair
    if rng.random() < 0.5:
        answer = answer.replace("\n#### ", "\nA: ")
    return question, answer
