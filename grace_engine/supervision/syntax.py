"""How deep are the dependency trees of a text's sentences?"""

from collections.abc import Sequence
from typing import Any

from grace_engine.errors import MissingExtraError, ModelError
from grace_engine.supervision.language import UNDETERMINED
from grace_engine.supervision.metrics import Measured
from grace_engine.supervision.texts import sentences_of

AUTO = "auto"
INSTALL = "pip install 'grace-studio[syntax]'"
_NEWS = "ca da de el es fi fr hr it ja ko lt mk nb nl pl pt ro ru sl sv uk"
_PIPELINES = {
    "en": "en_core_web_sm",
    "zh": "zh_core_web_sm",
    **{code: f"{code}_core_news_sm" for code in _NEWS.split()},
}
"""spaCy's small pipelines, by language."""


class Parser:
    """spaCy pipelines, loaded when a trace needs them."""

    def __init__(self, wanted: str) -> None:
        """Load a named pipeline at once.

        Args:
            wanted: A package, a folder, or ``auto``.

        Raises:
            MissingExtraError: spaCy is not installed.
            ModelError: The named pipeline cannot be loaded, or has no dependency parser.
        """
        try:
            import spacy
        except ImportError as error:
            raise MissingExtraError(
                f"Syntactic depth needs the spaCy library: {INSTALL}"
            ) from error
        self._spacy: Any = spacy
        self._wanted = wanted
        self._loaded: dict[str, Any] = {}
        self._faults: dict[str, str] = {}
        if wanted != AUTO and self._pipeline(wanted) is None:
            raise ModelError(self._faults[wanted])

    @property
    def recipe(self) -> str:
        """Version of spaCy, and name and version of the pipeline, or of all that may be taken.

        So a pipeline that is installed later makes depths that were missing for the lack of it.
        """
        if self._wanted == AUTO:
            there = sorted({*self._spacy.util.get_installed_models()} & {*_PIPELINES.values()})
            named = ", ".join(
                f"{name} {self._spacy.util.get_package_version(name)}" for name in there
            )
            return f"spacy {self._spacy.__version__} auto ({named or 'no pipeline installed'})"
        meta = self._pipeline(self._wanted).meta
        return (
            f"spacy {self._spacy.__version__} {meta.get('lang')} {meta.get('name')} "
            f"{meta.get('version')} {self._wanted}"
        )

    def depth(self, text: str, language: str) -> Measured:
        """Mean depth of a text's sentences; why there is none where no pipeline fits."""
        sentences = sentences_of(text)
        if not sentences:
            return Measured(word="the trace is empty")
        name = self._wanted if self._wanted != AUTO else _PIPELINES.get(language, "")
        if not name and language == UNDETERMINED:
            return Measured(word="its language is undetermined")
        if not name:
            return Measured(word=f"no pipeline is known for the language {language!r}")
        pipeline = self._pipeline(name)
        if pipeline is None:
            return Measured(word=self._faults[name])
        longest = int(pipeline.max_length)
        readable = [sentence[:longest] for sentence in sentences]
        depths = [tree_depth([token.head.i for token in doc]) for doc in pipeline.pipe(readable)]
        return Measured(value=sum(depths) / len(depths))

    def _pipeline(self, name: str) -> Any:
        """A pipeline; None, its fault remembered, where it cannot be used."""
        if name in self._faults:
            return None
        if name not in self._loaded:
            try:
                found = self._spacy.load(name, exclude=["ner", "textcat", "lemmatizer"])
            except (OSError, ValueError) as error:
                first = (str(error).strip().splitlines() or [type(error).__name__])[0]
                self._faults[name] = (
                    f"The spaCy pipeline {name} cannot be loaded ({first[:200]}). Install it with: "
                    f"python -m spacy download {name}"
                )
                return None
            if "parser" not in found.pipe_names:
                self._faults[name] = (
                    f"The spaCy pipeline {name} has no dependency parser, only "
                    f"{', '.join(found.pipe_names) or 'a tokenizer'}: name another one."
                )
                return None
            self._loaded[name] = found
        return self._loaded[name]


def tree_depth(heads: Sequence[int]) -> int:
    """Edges from a root to the deepest word.

    Args:
        heads: ``[n]`` the head of each word, a root its own.
    """
    known: dict[int, int] = {}
    for word in range(len(heads)):
        path = []
        at = word
        while at not in known and heads[at] != at:
            path.append(at)
            at = heads[at]
        depth = known.setdefault(at, 0)
        for passed in reversed(path):
            depth += 1
            known[passed] = depth
    return max(known.values(), default=0)
