"""Do real spaCy pipelines and sentence-transformers models work, made small in the test?"""

from pathlib import Path

import numpy as np
import pytest

from grace_engine.digests import file_digest
from grace_engine.errors import MissingExtraError, ModelError
from grace_engine.models.locate import locate_model
from grace_engine.supervision import MeasureConfig, Measurer, TextPair
from grace_engine.supervision.sentence_model import SentenceModel
from grace_engine.supervision.syntax import Parser

MODEL = Path(__file__).parents[2] / "sample_data" / "tiny-reasoner"
# Words and their heads: "Add four" is one edge deep; in "Add four to three" three hangs below to.
TREES = [
    (["Add", "four"], [0, 0], ["ROOT", "obj"]),
    (["Add", "four", "to", "three"], [0, 0, 0, 2], ["ROOT", "obj", "prep", "pobj"]),
    (["Take", "two", "from", "nine"], [0, 0, 0, 2], ["ROOT", "obj", "prep", "pobj"]),
    (["Take", "two"], [0, 0], ["ROOT", "obj"]),
]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dependency parser, trained on four sentences until it knows them."""
    spacy = pytest.importorskip("spacy", reason="spaCy is not installed")
    from spacy.tokens import Doc
    from spacy.training import Example
    from spacy.util import fix_random_seed

    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("parser", config={"min_action_freq": 1})
    examples = []
    for words, heads, deps in TREES:
        told = Doc(nlp.vocab, words=words, heads=heads, deps=deps)
        examples.append(Example(Doc(nlp.vocab, words=words), told))
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    folder = tmp_path_factory.mktemp("spacy") / "tiny"
    nlp.to_disk(folder)
    return folder


def test_depth_is_that_of_the_parsed_trees(pipeline: Path) -> None:
    parser = Parser(str(pipeline))
    assert parser.depth("Add four", "en").value == 1.0
    # Depths 1 and 2: the line break ends a sentence.
    assert parser.depth("Add four\nTake two from nine", "und").value == 1.5
    assert parser.depth("", "en").word == "the trace is empty"


def test_a_named_pipeline_measures_every_trace(pipeline: Path) -> None:
    config = MeasureConfig(model=str(MODEL), parser=str(pipeline))
    measurer = Measurer(config, digest_of=file_digest)
    assert "syntactic_depth" in measurer.recipes
    (found,) = measurer.measure([TextPair(prompt="?", text="Add four")])
    assert found["syntactic_depth"].value == 1.0


def test_a_pipeline_that_is_missing_or_parses_nothing_is_refused(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy", reason="spaCy is not installed")
    with pytest.raises(ModelError, match="python -m spacy download xx_none_sm"):
        Parser("xx_none_sm")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ModelError, match="has no dependency parser"):
        Parser(str(tmp_path / "blank"))


def test_a_language_without_a_pipeline_says_so_for_its_traces() -> None:
    pytest.importorskip("spacy", reason="spaCy is not installed")
    parser = Parser("auto")
    assert "spacy download pl_core_news_sm" in parser.depth("Dodajemy.", "pl").word
    assert parser.depth("x = 3", "und").word == "its language is undetermined"


def test_without_the_libraries_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "spacy", None)
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'grace-studio\[syntax\]'"):
        Parser("auto")
    with pytest.raises(MissingExtraError, match=r"pip install 'grace-studio\[embeddings\]'"):
        SentenceModel(locate_model(str(MODEL)), device="cpu")


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model under mean pooling, eight tokens at a time."""
    library = pytest.importorskip(
        "sentence_transformers", reason="sentence-transformers is not installed"
    )
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    transformer = Transformer(str(MODEL), max_seq_length=8)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    folder = tmp_path_factory.mktemp("embedder") / "tiny"
    library.SentenceTransformer(modules=[transformer, pooling]).save(str(folder))
    return folder


def test_a_sentence_transformers_model_reads_long_texts_in_chunks(embedder: Path) -> None:
    model = SentenceModel(locate_model(str(embedder)), device="cpu")
    chunks = model._chunks("Start with 7. Add 5 to get 12. The answer is 12.")
    assert len(chunks) > 2
    texts = [text for text, _ in chunks]
    weights = np.array([n for _, n in chunks])
    apart = model.embed(texts)
    whole = model.embed(["Start with 7. Add 5 to get 12. The answer is 12."])[0]
    np.testing.assert_allclose(
        whole, (apart * weights[:, None]).sum(axis=0) / weights.sum(), atol=1e-4
    )
    assert not model.embed([""]).any()


def test_meaning_comes_from_the_embedding_model_where_one_is_named(embedder: Path) -> None:
    plain = Measurer(MeasureConfig(model=str(MODEL)), digest_of=file_digest)
    named = Measurer(
        MeasureConfig(model=str(MODEL), embeddings=str(embedder)), digest_of=file_digest
    )
    pair = TextPair(prompt="Add 5 to 7.", text="Start with 7. Add 5 to get 12.")
    (one,), (other,) = plain.measure([pair]), named.measure([pair])
    assert named.recipes["semantic_flow"] != plain.recipes["semantic_flow"]
    assert named.recipes["perplexity"] == plain.recipes["perplexity"]
    assert other["perplexity"] == one["perplexity"]
    assert other["semantic_alignment"].value != one["semantic_alignment"].value
