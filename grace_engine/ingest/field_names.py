"""Which part of a trace does a field's name suggest, in a number of languages?"""

import re
import unicodedata

# A role's own words, and words that name it often but other things, too.
_OWN = {
    "prompt": """
        prompt question problem instruction query task input user ask puzzle exercise stem q
        frage aufgabe enonce pregunta enunciado problema pergunta domanda esercizio soru pytanie
        zadanie vraag opgave fraga pertanyaan soal câu_hỏi đề_bài вопрос задача задание питання
        问题 题目 提问 問題 質問 질문 문제 سؤال مسألة प्रश्न सवाल שאלה
    """,
    "trace": """
        trace solution reasoning cot thought chain rationale thinking step working derivation
        explanation trajectory scratchpad process analysis proof
        lösungsweg lösung begründung raisonnement demarche razonamiento solucion raciocinio
        resolucao ragionamento svolgimento cozum rozumowanie rozwiazanie uitleg losning penjelasan
        lời_giải решение рассуждение розв
        解析 推理 思考 过程 思路 解説 解题 풀이 해설 حل شرح हल פתרון
    """,
    "answer": """
        answer final result gold label truth expected target key ans conclusion option a
        antwort ergebnis reponse respuesta resultado resposta gabarito risposta cevap yanit
        odpowiedz antwoord svar jawaban đáp_án ответ відповідь
        答案 回答 正解 정답 إجابة جواب जवाब उत्तर תשובה
    """,
}
_OFTEN = {
    "prompt": "content text statement goal",
    "trace": "response output completion generation generated assistant answer text content",
    "answer": "correct value output reference solution",
}
# As the last word of a name: "answer_type" is no answer.
_BESIDE = """
    id uuid uid guid url uri link source level difficulty token model split type kind date time
    timestamp at hash digest index idx lang language license licence score reward rating grade tag
    topic category domain subject author seed count num number length len name title version role
    from speaker format path file weight
"""
_CAMEL = re.compile(r"(?<=[^\W\d_])(?<![A-Z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+")


def name_points(role: str, path: str) -> float:
    """How far the names in a field's path speak for a role.

    4 points where the last name has one of the role's own words, 3 where one before it has, 2 where
    the last often means it, -6 where it means something beside: an id, a source, a kind.
    """
    names = [_folded(name) for name in path.split(".") if not name.isdecimal()]
    words = names[-1].split("_") if names else [""]
    if words[-1] in _BESIDE_WORDS or "system" in words:
        return -6.0
    if any(_says(word, names[-1]) for word in _OWN_WORDS[role]):
        return 4.0
    if any(_says(word, name) for name in names[:-1] for word in _OWN_WORDS[role]):
        return 3.0
    return 2.0 if _OFTEN_WORDS[role] & set(words) else 0.0


def _folded(name: str) -> str:
    """Words in lower case, without accents and plurals, joined by ``_``."""
    plain = unicodedata.normalize("NFKD", _CAMEL.sub("_", name)).casefold()
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return "_".join(word.removesuffix("s") for word in _WORD.findall(kept))


def _says(word: str, name: str) -> bool:
    """Whether a word stands in a name; scripts other than Latin do not part words by spaces."""
    return word in name if not word.isascii() else f"_{word}_" in f"_{name}_"


def _words(text: str) -> frozenset[str]:
    return frozenset(map(_folded, text.split()))


_OWN_WORDS = {role: _words(text) for role, text in _OWN.items()}
_OFTEN_WORDS = {role: _words(text) for role, text in _OFTEN.items()}
_BESIDE_WORDS = _words(_BESIDE)
