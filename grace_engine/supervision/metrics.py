"""Which metrics of a trace are there, and how is each made?

They are those of "What properties of reasoning supervision are associated with improved downstream
model quality?" (arXiv 2605.13290, section on analytical metrics). What that paper leaves open is
decided here and said in ``how``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric, for people to read.

    Attributes:
        name: As code, columns and JSON have it.
        title: As a heading.
        published: Its name in the paper's tables; "" for one that the paper does not have.
        how: How it is made.
        bounds: The least and the most that it can be; None for no bound.
    """

    name: str
    title: str
    published: str = ""
    how: str
    bounds: tuple[float | None, float | None] = (None, None)


_LISTED = (
    Metric(
        name="tokens",
        title="Length in tokens",
        how="Tokens of the whole trace, its answer line included, by the scoring model's "
        "tokenizer, without special tokens.",
        bounds=(0.0, None),
    ),
    Metric(
        name="semantic_alignment",
        title="Semantic alignment",
        published="Semantic Alignment",
        how="Cosine between the embeddings of the prompt and of the whole trace, its answer line "
        "included. A text longer "
        "than the model's window is embedded in chunks, averaged by their tokens.",
        bounds=(-1.0, 1.0),
    ),
    Metric(
        name="semantic_flow",
        title="Semantic flow",
        published="Semantic Flow",
        how="Mean cosine between the embeddings of neighbouring sentences, each embedded alone; "
        "sentences as the segmenter “sentences” cuts them. Two or more are needed.",
        bounds=(-1.0, 1.0),
    ),
    Metric(
        name="redundancy",
        title="Redundancy",
        published="Redundancy Ratio",
        how="1 − compressed bytes / bytes of the whole trace in UTF-8, zlib at level 6. Below 0 "
        "for texts so short that the compressor's own header outweighs them.",
        bounds=(None, 1.0),
    ),
    Metric(
        name="symbolic_fraction",
        title="Symbolic fraction",
        published="Symbolic Fraction",
        how="Characters that are no letter, mark, digit or white space, over all characters. (With "
        "white space counted, the values that the paper prints could not occur.)",
        bounds=(0.0, 1.0),
    ),
    Metric(
        name="perplexity",
        title="Perplexity",
        published="Perplexity",
        how="exp of the mean loss of the whole trace's tokens under the scoring model, in nats, "
        "the prompt not given. A long text goes through windows that overlap by half; each token "
        "counts once.",
        bounds=(1.0, None),
    ),
    Metric(
        name="syntactic_depth",
        title="Syntactic depth",
        published="Syntactic Depth",
        how="Mean over sentences of the edges from the root of the dependency tree to its deepest "
        "word, by a spaCy pipeline.",
        bounds=(0.0, None),
    ),
    Metric(
        name="language",
        title="Language",
        how="By script, and among Latin ones by frequent short words; undetermined with "
        "fewer than three of them, or as many of two languages. Code in fences is left out.",
    ),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _LISTED}
"""All of them, by name, in the order in which they are shown."""

NUMBERS = tuple(name for name in METRICS if name != "language")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came out of one metric for one trace.

    Attributes:
        value: The number; None where there is none.
        word: Why there is none, or the word where the metric is one.
    """

    value: float | None = None
    word: str = ""
