"""What are the metrics of many traces, and by which recipes?"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from grace_engine.digests import text_digest
from grace_engine.models.fingerprint import FileDigest, files_digest
from grace_engine.models.load import (
    length_limit,
    load_config,
    load_model,
    load_tokenizer,
    resolve_device,
    resolve_dtype,
)
from grace_engine.models.locate import locate_model
from grace_engine.supervision.language import UNDETERMINED, language_of
from grace_engine.supervision.metrics import METRICS, Measured
from grace_engine.supervision.reader import LONGEST_WINDOW, CausalReader
from grace_engine.supervision.sentence_model import SentenceModel
from grace_engine.supervision.settings import MeasureConfig
from grace_engine.supervision.syntax import AUTO, Parser
from grace_engine.supervision.texts import LEVEL, redundancy, sentences_of, symbolic_fraction
from grace_engine.supervision.vectors import Vectors, alignment, flow

SHARED = "perplexity and the trace's embedding"
"""What is read of a trace in one forward pass, among times."""

LANGUAGE = "language"
WITHOUT_MODEL = frozenset({LANGUAGE, "redundancy", "symbolic_fraction", "syntactic_depth"})
"""Metrics for which no language model is loaded."""

_EMPTY = Measured(word="the trace is empty")
_NO_LANGUAGE = Measured(word=UNDETERMINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPair:
    """What is read of a trace.

    Attributes:
        prompt: What the model is asked.
        text: What its author wrote.
        appended: What is trained on after that: the answer, where the data has it in a field.
    """

    prompt: str
    text: str
    appended: str = ""

    @property
    def whole(self) -> str:
        """The trace as it is trained on, its answer line included: every metric is of this."""
        return self.text + self.appended


class _Embedder(Protocol):
    def embed(self, texts: Sequence[str]) -> Vectors: ...


class Measurer:
    """Texts in, metrics out, by models that are loaded when the first text comes.

    Attributes:
        recipes: By metric: digest of everything that decides it apart from the text.
        says: By metric: what made it, for a person to read.
        seconds: By metric, and by ``SHARED``: time spent so far.
    """

    def __init__(
        self,
        config: MeasureConfig,
        *,
        digest_of: FileDigest,
        say: Callable[[str], None] = lambda _message: None,
    ) -> None:
        """Find the models and what is decided by them; weights are not loaded.

        Args:
            config: Which models.
            digest_of: Digest of one file.
            say: Told what is loaded.

        Raises:
            ModelError: A model, its tokenizer or a pipeline cannot be used.
            MissingExtraError: spaCy is wanted and not installed.
        """
        self._config, self._say = config, say
        remote = config.trust_remote_code
        self._files = locate_model(config.model, revision=config.revision, trust_remote_code=remote)
        self._embedding_files = (
            locate_model(config.embeddings, trust_remote_code=remote) if config.embeddings else None
        )
        self._device = resolve_device(config.device)
        self._dtype = resolve_dtype(config.dtype, self._device)
        self._tokenizer = load_tokenizer(self._files, trust_remote_code=remote)
        limit = length_limit(load_config(self._files, trust_remote_code=remote))
        self._window = min(limit or LONGEST_WINDOW, LONGEST_WINDOW)
        self._parser = Parser(config.parser) if config.parser else None
        self._reader: CausalReader | None = None
        self._embedder: _Embedder | None = None
        self.seconds: dict[str, float] = defaultdict(float)
        self.says = self._said()
        self.recipes = self._recipes(digest_of)

    @property
    def device(self) -> str:
        """Where models run."""
        return str(self._device)

    def measure(
        self, pairs: Sequence[TextPair], metrics: Collection[str] | None = None
    ) -> list[dict[str, Measured]]:
        """Metrics of each text: every one that has a recipe, or these of them.

        No language model is loaded where ``metrics`` are all ``WITHOUT_MODEL``.
        """
        wanted = self.recipes.keys() & (self.recipes if metrics is None else metrics)
        found: list[dict[str, Measured]] = [dict.fromkeys(wanted, _EMPTY) for _ in pairs]
        if LANGUAGE in wanted:
            for row in found:
                row[LANGUAGE] = _NO_LANGUAGE
        texts = [pair.whole for pair in pairs]
        whole = [k for k, text in enumerate(texts) if text.strip()]
        if whole:
            self._measure_texts(found, pairs, whole, wanted)
            embedded = self._measure_losses(found, texts, whole, wanted)
            self._measure_meaning(found, pairs, whole, embedded, wanted)
        return found

    def _measure_texts(
        self,
        found: list[dict[str, Measured]],
        pairs: Sequence[TextPair],
        whole: Sequence[int],
        wanted: Collection[str],
    ) -> None:
        texts = [pair.whole for pair in pairs]
        for name, of in (("redundancy", redundancy), ("symbolic_fraction", symbolic_fraction)):
            if name in wanted:
                with self._timed(name):
                    for k in whole:
                        found[k][name] = Measured(value=of(texts[k]))
        if LANGUAGE in wanted:
            with self._timed(LANGUAGE):
                for k in whole:
                    found[k][LANGUAGE] = Measured(word=language_of(pairs[k].text))
        if self._parser and "syntactic_depth" in wanted:
            with self._timed("syntactic_depth"):
                for k in whole:
                    language = language_of(pairs[k].text)
                    found[k]["syntactic_depth"] = self._parser.depth(texts[k], language)
        if "tokens" in wanted:
            with self._timed("tokens"):
                ids = self._loaded_reader().token_ids([texts[k] for k in whole])
                for k, own in zip(whole, ids, strict=True):
                    found[k]["tokens"] = Measured(value=float(len(own)))

    def _measure_losses(
        self,
        found: list[dict[str, Measured]],
        texts: Sequence[str],
        whole: Sequence[int],
        wanted: Collection[str],
    ) -> dict[str, Vectors]:
        """Perplexity; what the same forward pass says of a trace's meaning, where it is asked."""
        if "perplexity" not in wanted:
            return {}
        reader, different = self._loaded_reader(), list(dict.fromkeys(texts[k] for k in whole))
        if self._embedding_files is None and "semantic_alignment" in wanted:
            with self._timed(SHARED):
                reading = reader.read(different)
                losses, vectors = reading.losses, list(reading.vectors)
        else:
            with self._timed("perplexity"):
                losses, vectors = reader.losses(different), []
        of = dict(zip(different, losses, strict=True))
        for k in whole:
            loss = of[texts[k]]
            found[k]["perplexity"] = (
                Measured(word="no token of it has a prediction")
                if loss is None
                else Measured(value=math.exp(min(loss, 700.0)))
            )
        return dict(zip(different, vectors, strict=True)) if vectors else {}

    def _measure_meaning(
        self,
        found: list[dict[str, Measured]],
        pairs: Sequence[TextPair],
        whole: Sequence[int],
        embedded: Mapping[str, Vectors],
        wanted: Collection[str],
    ) -> None:
        if "semantic_alignment" in wanted:
            with self._timed("semantic_alignment"):
                told = [t for k in whole for t in (pairs[k].prompt, pairs[k].whole)]
                more = _embedded(self._loaded_embedder(), [t for t in told if t not in embedded])
                of = {**embedded, **more}
                for k in whole:
                    if not pairs[k].prompt.strip():
                        found[k]["semantic_alignment"] = Measured(word="the prompt is empty")
                        continue
                    cosine = alignment(of[pairs[k].prompt], of[pairs[k].whole])
                    found[k]["semantic_alignment"] = _known(cosine)
        if "semantic_flow" in wanted:
            with self._timed("semantic_flow"):
                cut = {k: sentences_of(pairs[k].whole) for k in whole}
                sentences = [s for own in cut.values() if len(own) > 1 for s in own]
                of = _embedded(self._loaded_embedder(), sentences)
                for k, own in cut.items():
                    if len(own) < 2:
                        found[k]["semantic_flow"] = Measured(word="it has one sentence")
                        continue
                    found[k]["semantic_flow"] = _known(flow(np.stack([of[s] for s in own])))

    def _loaded_reader(self) -> CausalReader:
        if self._reader is None:
            self._say(f"Loading {self._files.name} as {self._dtype} on {self._device}.")
            loaded = load_model(
                self._files,
                dtype=self._dtype,
                device=self._device,
                trust_remote_code=self._config.trust_remote_code,
            )
            self._reader = CausalReader(
                loaded,
                self._tokenizer,
                window=self._window,
                tokens_per_batch=self._config.tokens_per_batch,
            )
        return self._reader

    def _loaded_embedder(self) -> _Embedder:
        if self._embedding_files is None:
            return self._loaded_reader()
        if self._embedder is None:
            self._say(f"Loading {self._embedding_files.name} on {self._device}.")
            self._embedder = SentenceModel(
                self._embedding_files,
                device=str(self._device),
                trust_remote_code=self._config.trust_remote_code,
            )
        return self._embedder

    def _said(self) -> dict[str, str]:
        revision = f" at {self._config.revision}" if self._config.revision else ""
        model = f"{_spoken(self._files.name)}{revision}"
        meaning = (
            f"sentence-transformers model {_spoken(self._embedding_files.name)}"
            if self._embedding_files
            else f"mean-pooled last hidden states of {model}, chunks of {self._window:,} tokens"
        )
        found = {
            "tokens": f"tokenizer of {model}",
            "semantic_alignment": meaning,
            "semantic_flow": meaning,
            "redundancy": f"zlib, level {LEVEL}",
            "symbolic_fraction": "Unicode categories",
            "perplexity": f"{model}, {self._dtype}, windows of {self._window:,} tokens",
            LANGUAGE: "script and three short words",
        }
        if self._parser:
            found["syntactic_depth"] = self._parser.recipe
        return {name: found[name] for name in METRICS if name in found}

    def _recipes(self, digest_of: FileDigest) -> Mapping[str, str]:
        """Metrics whose model is another one have another recipe."""
        model = f"{files_digest(self._files, digest_of)} {self._dtype} {self._window}"
        embeddings = files_digest(self._embedding_files, digest_of) or model
        parts = {
            "tokens": model,
            "perplexity": model,
            "semantic_alignment": embeddings,
            "semantic_flow": embeddings,
        }
        if self._parser and self._config.parser == AUTO:
            # Which pipeline reads a trace is decided by its language, so by how that is found.
            parts["syntactic_depth"] = f"{self._parser.recipe} by {self.says[LANGUAGE]}"
        return {
            name: text_digest(f"1 {name} {parts.get(name, said)}")
            for name, said in self.says.items()
        }

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] += time.monotonic() - began


def _spoken(name: str) -> str:
    """A hub id as it is; of a folder its last part: where it lies is nobody else's."""
    return Path(name).name if Path(name).is_absolute() or Path(name).is_dir() else name


def _embedded(embedder: _Embedder, texts: Sequence[str]) -> dict[str, Vectors]:
    """The embedding of each text; what stands there twice is read once."""
    different = list(dict.fromkeys(texts))
    return dict(zip(different, embedder.embed(different), strict=True)) if different else {}


def _known(cosine: float | None) -> Measured:
    if cosine is None:
        return Measured(word="an embedding is zero")
    return Measured(value=cosine)
