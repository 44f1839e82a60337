"""Are metrics of texts those that were worked out by hand, and do they hold on odd texts?"""

import zlib

import numpy as np
import pytest

from grace_engine.supervision import (
    alignment,
    flow,
    language_of,
    redundancy,
    sentences_of,
    symbolic_fraction,
)
from grace_engine.supervision.syntax import tree_depth

CODE = "```python\nfor i in range(3):\n    print(i)\n```"
LONG = "So 3 plus 4 is 7. " * 20_000  # 100,000 words and more


def test_symbols_by_hand() -> None:
    # "3 + 4 = 7.": ten characters, of which +, = and the full stop are symbols.
    assert symbolic_fraction("3 + 4 = 7.") == pytest.approx(3 / 10)
    assert symbolic_fraction("abc def") == 0.0
    assert symbolic_fraction("+-*/") == 1.0


def test_letters_marks_and_digits_of_other_scripts_are_no_symbols() -> None:
    assert symbolic_fraction("三加四等于七。") == pytest.approx(1 / 7)
    assert symbolic_fraction("हिन्दी") == 0.0  # its vowel signs are marks
    assert symbolic_fraction("٣ زائد ٤") == 0.0


def test_redundancy_by_hand() -> None:
    # zlib needs 2 + 3 + 4 bytes around one literal: 9 for one byte.
    assert redundancy("a") == pytest.approx(1 - 9 / 1)
    text = "Add 4. "
    assert redundancy(text) == 1 - len(zlib.compress(text.encode())) / 7
    assert redundancy("ü") == pytest.approx(1 - 10 / 2)  # two bytes of UTF-8, ten compressed


def test_redundancy_grows_when_a_text_is_repeated() -> None:
    text = "Start with 7. Multiply by 3 to get 21, then subtract 4 to get 17."
    found = [redundancy(text * n) for n in (1, 2, 4, 16, 64)]
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert found[-1] > 0.95


def test_cosines_by_hand() -> None:
    right, up, both = (np.array(v, dtype=np.float32) for v in ([1, 0], [0, 2], [3, 3]))
    assert alignment(right, up) == 0.0
    assert alignment(right, both) == pytest.approx(np.sqrt(0.5))
    # right–both and both–up are √½ each, and so is their mean; right–up are no neighbours.
    assert flow(np.stack([right, both, up])) == pytest.approx(np.sqrt(0.5))
    assert flow(np.stack([both, both, both])) == pytest.approx(1.0)
    assert alignment(right, np.zeros(2, dtype=np.float32)) is None
    assert flow(right[None]) is None


def test_sentences_are_the_segmenters_and_code_is_one() -> None:
    assert sentences_of("It is 3.5. Add 1! 三加四。完。") == [
        "It is 3.5.",
        "Add 1!",
        "三加四。",
        "完。",
    ]
    assert sentences_of(CODE) == [CODE]
    assert sentences_of("") == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Start with 7. Add 5 to get 12. So the answer is 12.", "en"),
        ("Wir addieren die Zahlen, und das ist nicht schwer.", "de"),
        ("On ajoute les nombres et la réponse est dans le tableau.", "fr"),
        ("Dodajemy liczby, więc wynik to siedem, co nie jest trudne.", "pl"),
        ("まず三に四を足します。", "ja"),
        ("三加四等于七，所以答案是七。", "zh"),
        ("Сложим три и четыре.", "ru"),
        ("Додамо три і чотири, і отримаємо сім.", "uk"),
        ("نجمع ثلاثة وأربعة", "ar"),
        ("तीन और चार सात होते हैं", "hi"),
        (CODE, "und"),
        ("x = 3", "und"),
        ("a = 2, v = 3. a + v = 5, a * v = 6, v - a = 1, k = a.", "und"),
        ("3 to 4 by 2: 12 do.", "und"),
        ("Total: 12.", "und"),
        ("The the the the 4.", "und"),
        ("", "und"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert language_of(text) == language


def test_depth_of_trees_by_hand() -> None:
    # "Add four to three": Add ← to ← three is two edges; a word alone none.
    assert tree_depth([0, 0, 0, 2]) == 2
    assert tree_depth([0]) == 0
    assert tree_depth([]) == 0
    assert tree_depth([1, 2, 3, 3]) == 3
    assert tree_depth([*range(1, 50_000), 49_999]) == 49_999  # deeper than Python may recurse


def test_a_trace_of_a_hundred_thousand_words_is_measured() -> None:
    assert len(LONG.split()) >= 100_000
    assert redundancy(LONG) > 0.99
    assert symbolic_fraction(LONG) == pytest.approx(1 / 18)
    assert language_of(LONG) == "en"
    assert len(sentences_of(LONG)) == 20_000
