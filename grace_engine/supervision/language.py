"""Which language is a text in?

Script decides first, frequent short words among languages of the Latin script. That is enough to
choose a parser and to count languages; it is no linguist.
"""

import re
from collections import Counter

UNDETERMINED = "und"

_READ = 20_000  # characters that are looked at
_FEWEST, _DIFFERENT = 3, 2  # short words that decide, and so many different ones among them
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+")

# The first script with most letters wins; Japanese is written with Han, too, and so comes first.
_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af\u1100-\u11ff]")),
    ("zh", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
# Letters that only another language of the script uses.
_TELL_TALE = (
    ("ru", re.compile(r"[іїєґ]"), "uk"),
    ("ar", re.compile(r"[ٹڈڑںے]"), "ur"),
    ("ar", re.compile(r"[پچژگ]"), "fa"),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SHORT_WORDS = {
    "en": _words(
        "the of and to is that it with for this we so he she they has have are was be by from "
        "as what how each then first since which start add subtract multiply divide answer do if "
        "in on at can total his her gives makes leaves adding subtracting multiplying dividing"
    ),
    "de": _words(
        "der die das und ist nicht ein eine mit wir auf für von dem den sich auch dann also wie "
        "sie er werden hat im zu"
    ),
    "fr": _words(
        "le la les et est un une des du que pour dans nous avec qui sur par il elle donc au ce "
        "pas sont"
    ),
    "es": _words(
        "el la los las y es un una que para con por del se como en su entonces no cada hay son al"
    ),
    "it": _words("il lo gli e è un una che per con di del della si non quindi sono nel da ha le"),
    "pt": _words("o os as e é um uma que para com do da em se não então por são ao no na cada"),
    "nl": _words("de het een en is van dat we met voor op niet zijn dus te er aan ook die hij"),
    "pl": _words(
        "i w na z że się jest nie to do więc oraz dla jak po czy ma są od przez który zatem"
    ),
    "cs": _words("a v na je že se to do pro tedy jak nebo jsou od který aby má si také by"),
    "sv": _words("och är att det som en ett på av för med vi så inte den har till de om kan"),
    "tr": _words("ve bir bu için ile da de olarak çok olan var daha ne gibi o her kadar ise"),
    "vi": _words("và là của có một không được cho các trong với để này đó khi số thì mỗi"),
    "id": _words("dan yang di itu ini dengan untuk dari adalah kita pada tidak jadi setiap ada"),
}


def language_of(text: str) -> str:
    """ISO 639-1 code of the language, or ``und`` where nothing decides.

    Words of one letter do not count, since names of quantities have one, nor do words that several
    languages have as often.
    """
    plain = _FENCED.sub(" ", text[:_READ])
    counts = {name: len(script.findall(plain)) for name, script in _SCRIPTS}
    counts["zh"] += counts["ja"] if counts["ja"] < counts["zh"] / 20 else 0
    if counts["ja"] * 20 >= counts["zh"] and counts["ja"]:
        counts["ja"] += counts["zh"]
    best = max(counts, key=lambda name: counts[name])
    if counts[best] and counts[best] * 2 >= len(_LATIN.findall(plain)):
        for script, letters, language in _TELL_TALE:
            if script == best and letters.search(plain):
                return language
        return best
    words = Counter(word.lower() for word in _WORD.findall(plain) if len(word) > 1)
    hits = {
        name: (sum(words[word] for word in short), sum(word in words for word in short))
        for name, short in _SHORT_WORDS.items()
    }
    (n_first, n_different, first), (n_second, _, _) = sorted(
        ((*counts, name) for name, counts in hits.items()), reverse=True
    )[:2]
    enough = n_first >= max(_FEWEST, words.total() / 20) and n_different >= _DIFFERENT
    return first if enough and n_first > n_second else UNDETERMINED
