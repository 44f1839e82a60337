"""Are texts grouped as a person, or all pairs compared, would group them?"""

import os
import random
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from grace_engine.duplicates import (
    N_HASHES,
    Text,
    bands,
    chance_met,
    find_groups,
    folded,
    jaccard,
    rows_per_band,
    shingles,
)
from grace_engine.errors import InputError, MissingExtraError

ROOT = Path(__file__).parents[2]

# n words are n - 4 shingles.
PROSE = "the quick brown fox jumps over a lazy dog and runs far away home"
LETTERS = PROSE.split(" ")  # 14
CHINESE = "小明有三个苹果又买了五个梨子"
THAI = "แมวกินปลาที่ตลาด"
HINDI = "राम के पास तीन सेब हैं और उसने पाँच नाशपाती और खरीदीं फिर घर"  # 14
ARABIC = "اشترى سامي ثلاث تفاحات ثم أعطى أخاه واحدة فكم بقي معه في البيت"


def groups(*texts: str, threshold: float = 0.8) -> list[list[tuple[int, float, bool]]]:
    found = find_groups((Text(words=text) for text in texts), threshold)
    return [
        [(m.index, pytest.approx(m.similarity), m.exact) for m in group.members] for group in found
    ]


def test_two_of_three_runs_of_five_words_differ_in_one_word() -> None:
    # {a–e, b–f} and {a–e, b–g}: one of three in common.
    a, b = shingles("a b c d e f"), shingles("a b c d e g")
    assert (len(a), len(b)) == (2, 2)
    assert jaccard(a, b) == pytest.approx(1 / 3)
    assert jaccard(a, a) == 1.0


def test_a_short_text_is_one_shingle_and_one_without_words_none() -> None:
    assert [len(shingles(text)) for text in ("", "a", "a b c d e", "a b c d e f")] == [0, 1, 1, 2]
    assert jaccard(shingles(""), shingles("")) == 0.0
    assert jaccard(shingles("a b"), shingles("a b c")) == 0.0


def test_signs_are_words_so_that_spaces_around_them_do_not_matter() -> None:
    assert jaccard(shingles("60-20=<<60-20=40>>40"), shingles("60 - 20 = <<60-20=40>> 40")) == 1.0


def test_folding_takes_forms_and_white_space_for_the_same_and_keeps_case() -> None:
    assert folded(" x²\u00a0=\r\n\t４ ﬁne ") == "x2 = 4 fine"
    assert folded("Step One") != folded("step one")


def test_equal_texts_are_exact_and_others_carry_their_similarity() -> None:
    whole, less = " ".join(LETTERS), " ".join(LETTERS[:-1])
    # Ten shingles and nine of them: nine of ten in common.
    found = groups("alone here", whole, less, f"  {whole}\n", less)
    assert found == [[(1, 1.0, True), (2, 0.9, False), (3, 1.0, True), (4, 0.9, False)]]
    assert groups(whole, less, threshold=0.9) == [[(0, 1.0, True), (1, 0.9, False)]]
    assert groups(whole, less, whole, threshold=0.95) == [[(0, 1.0, True), (2, 1.0, True)]]
    (group,) = find_groups(Text(words=text) for text in (whole, less, whole))
    assert group.n_different == 2


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (CHINESE, CHINESE[:-1]),
        (THAI, THAI[:-1]),
        (HINDI, HINDI.rsplit(" ", 1)[0]),
        (ARABIC, ARABIC.rsplit(" ", 1)[0]),
    ],
    ids=["Chinese", "Thai", "Hindi", "Arabic"],
)
def test_scripts_with_and_without_spaces_are_cut_into_their_words(text: str, cut: str) -> None:
    n = len(text.split()) if " " in text else len(text)
    assert len(shingles(text)) == n - 4
    expected = (n - 5) / (n - 4)  # the last word is in one shingle
    assert groups(text, cut) == [[(0, 1.0, True), (1, expected, False)]]


def test_a_group_is_whatever_pairs_connect() -> None:
    words = [f"w{i}" for i in range(28)]
    a, b, c = (" ".join(words[start : start + 24]) for start in (0, 2, 4))
    # Twenty shingles each: neighbours share 18 of 22, the ends 16 of 24, which is below 0.8.
    assert groups(a, c) == []
    assert groups(a, b, c) == [[(0, 1.0, True), (1, 18 / 22, False), (2, 16 / 24, False)]]


def test_the_largest_group_comes_first() -> None:
    found = groups("a", "b", "a", "b", "b")
    assert [[index for index, *_ in group] for group in found] == [[1, 3, 4], [0, 2]]


def test_texts_that_are_kept_apart_are_no_duplicates() -> None:
    what = " ".join(LETTERS)
    texts = [Text(words=what, apart=image) for image in ("a.png", "b.png", "a.png", "")]
    (group,) = find_groups(texts)
    assert [member.index for member in group.members] == [0, 2]


def test_texts_without_a_word_are_equal_to_each_other_alone() -> None:
    assert groups("", " \n", "a") == [[(0, 1.0, True), (1, 1.0, True)]]
    assert groups() == []


def edited(rng: random.Random, text: list[str]) -> list[str]:
    """A text with some words replaced, so that similarities of all sizes arise."""
    found = list(text)
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 3, 5])):
        found[rng.randrange(len(found))] = rng.choice(["one", "two", "other", "seven", "2"])
    return found


@pytest.fixture(scope="module")
def crowd() -> list[str]:
    """Three hundred texts of fifteen families."""
    rng = random.Random(7)
    vocabulary = [f"word{i}" for i in range(400)]
    families = [rng.choices(vocabulary, k=rng.randint(30, 150)) for _ in range(15)]
    return [" ".join(edited(rng, rng.choice(families))) for _ in range(300)]


def components(n: int, pairs: list[tuple[int, int]]) -> list[list[int]]:
    """Of a graph, slowly."""
    of = list(range(n))
    for a, b in pairs:
        gone, kept = of[b], of[a]
        of = [kept if x == gone else x for x in of]
    found = [[i for i in range(n) if of[i] == name] for name in dict.fromkeys(of)]
    return sorted(group for group in found if len(group) > 1)


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
def test_groups_are_those_of_all_pairs_compared(crowd: list[str], threshold: float) -> None:
    sets = [set(shingles(folded(text)).tolist()) for text in crowd]
    similar = {
        (a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b])
        for a, b in combinations(range(len(crowd)), 2)
    }
    pairs = [pair for pair, value in similar.items() if value >= threshold]
    assert len(pairs) > 200
    found = find_groups((Text(words=text) for text in crowd), threshold)
    assert sorted([m.index for m in group.members] for group in found) == components(300, pairs)
    for group in found:
        first = group.members[0].index
        for member in group.members[1:]:
            assert member.similarity == pytest.approx(similar[first, member.index], abs=1e-12)

    # The bands themselves: of pairs that should meet nearly all do, and many meet that are too
    # unlike, which only the comparison keeps out.
    numbers = [bands.hashes_of(shingles(folded(text))) for text in crowd]
    signatures = np.frombuffer(b"".join(numbers), dtype=np.uint32).reshape(-1, N_HASHES)
    met = {
        (int(a), int(b))
        for band in bands.buckets(signatures, rows_per_band(threshold))
        for bucket in band
        for a, b in combinations(bucket, 2)
    }
    assert len(met.intersection(pairs)) / len(pairs) >= 0.99
    assert len(met.difference(pairs)) > 20


def test_the_bands_are_those_of_the_formula() -> None:
    # 1 − (1 − 0.8⁶)²¹ = 0.9983; seven rows in eighteen bands would be 0.9856.
    assert rows_per_band(0.8) == 6
    assert chance_met(0.8, 6) == pytest.approx(0.99831, abs=1e-5)
    assert chance_met(0.8, 7) == pytest.approx(0.98555, abs=1e-5)
    assert [rows_per_band(threshold) for threshold in (0.1, 0.5, 0.95, 1.0)] == [1, 3, 16, 64]


def test_the_same_texts_have_the_same_hashes_in_every_process() -> None:
    code = (
        "from grace_engine.duplicates import bands, shingles; "
        "print(bands.hashes_of(shingles('the quick brown fox jumps over a dog')).hex())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert len(said.pop().strip()) == 2 * 4 * N_HASHES


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(InputError, match=r"out of range: use a Jaccard similarity above 0"):
        find_groups([], threshold)


def test_without_the_library_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    bands._empty.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'grace-studio\[duplicates\]'"):
        find_groups([Text(words="a")])


class Impatient:
    """Progress that is interrupted after a while, as a cancelled run is."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, str]] = []

    def begin(self, what: str, total: int, unit: str, *, done: int = 0) -> None:
        self.begun.append((what, total, unit))

    def advance(self, amount: int, *, tokens: int = 0) -> None:
        raise KeyboardInterrupt

    def fail(self, reason: str, amount: int = 1) -> None:
        pass

    def say(self, message: str) -> None:
        pass


def test_an_interrupted_search_leaves_nothing_behind(tmp_path: Path) -> None:
    watcher = Impatient()
    with pytest.raises(KeyboardInterrupt):
        find_groups(
            (Text(words=f"text {i}") for i in range(1000)),
            total=1000,
            progress=watcher,
            folder=tmp_path,
        )
    assert watcher.begun == [("Fingerprint texts", 1000, "texts")]
    assert list(tmp_path.iterdir()) == []
