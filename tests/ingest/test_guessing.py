"""Does the guess name the prompt, the trace and the answer of any dataset that has one of each?"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from grace_engine.ingest import guess_mapping

# Prompt (asked, told), sentences of the reasoning, and how it ends.
WORDING = {
    "en": (
        "A shop sells {n} pens a day. How many pens does it sell in {m} days?",
        "Compute the product of {n} and {m}.",
        ["It is {n} taken {m} times.", "I begin with {n}.", "Then I add {n} again and again."],
        "So there are {r}.",
    ),
    "zh": (
        "一家商店每天卖出{n}支笔，{m}天一共卖出多少支？",
        "计算{n}与{m}的乘积。",
        ["每天卖出{n}支笔，一共有{m}天。", "所以要把{n}乘以{m}。", "先算十位，再算个位。"],
        "一共是{r}",
    ),
    "ru": (
        "Магазин продаёт {n} ручек в день. Сколько ручек он продаст за {m} дней?",
        "Вычислите произведение {n} и {m}.",
        ["Каждый день продают {n} ручек.", "Дней всего {m}.", "Умножим одно на другое."],
        "Получаем {r}",
    ),
    "ar": (
        "يبيع متجر {n} قلما كل يوم. كم قلما يبيع في {m} أيام؟",
        "احسب حاصل ضرب {n} في {m}.",
        ["في كل يوم يبيع {n} قلما.", "عدد الأيام {m}.", "نضرب العددين معا."],
        "إذن الناتج {r}",
    ),
    "es": (
        "Una tienda vende {n} plumas al día. ¿Cuántas vende en {m} días?",
        "Calcula el producto de {n} por {m}.",
        ["Cada día vende {n} plumas.", "Los días son {m}.", "Multiplico una cosa por la otra."],
        "En total son {r}.",
    ),
    "de": (
        "Ein Laden verkauft {n} Stifte am Tag. Wie viele verkauft er in {m} Tagen?",
        "Berechne das Produkt von {n} und {m}.",
        ["Jeden Tag verkauft er {n} Stifte.", "Es sind {m} Tage.", "Ich nehme beides mal."],
        "Das macht {r}.",
    ),
}  # fmt: skip

Style = Callable[[int, str], tuple[str, str, object]]


def asked(n: int, language: str) -> tuple[str, str, object]:
    """A question, reasoning in lines that ends with the answer, a number."""
    question, _, sentences, end = WORDING[language]
    values = {"n": n + 11, "m": n % 7 + 3, "r": (n + 11) * (n % 7 + 3)}
    trace = "\n".join([*sentences, end]).format(**values)
    return question.format(**values), trace, values["r"]


def told(n: int, language: str) -> tuple[str, str, object]:
    """An order, reasoning in one paragraph, and an answer that it does not hold."""
    _, order, sentences, _ = WORDING[language]
    values = {"n": n + 11, "m": n % 7 + 3}
    trace = " ".join([*sentences, *reversed(sentences)]).format(**values)
    return order.format(**values), trace, f"{(n + 11) * (n % 7 + 3)} cm"


def choice(n: int, language: str) -> tuple[str, str, object]:
    """A question with options, reasoning about them, and the letter of one."""
    question, trace, right = asked(n, language)
    options = f"\n(A) {right}\n(B) {n}\n(C) 0\n(D) 1"
    return question + options, f"{trace}\n({'ABCD'[n % 4]})", "ABCD"[n % 4]


def plain(n: int) -> dict[str, Any]:
    return {
        "id": n,
        "uuid": f"3f2a-{n:08x}",
        "url": f"https://example.org/items/{n}",
        "source": "synthetic" if n % 2 else "web_crawl",
        "level": f"Level {n % 5 + 1}",
        "tokens": 40 + n % 9,
        "model": "qwen-72b-instruct",
        "metadata": {"split": "train", "created_at": f"2025-03-{n % 28 + 1:02}", "lang": "en"},
    }


def compound(n: int) -> dict[str, Any]:
    return {
        "question_id": f"q{n}",
        "answer_type": "number" if n % 2 else "text",
        "solution_url": f"https://example.org/solutions/{n}",
        "prompt_tokens": 30 + n % 5,
        "responseModel": "llama-70b",
        "is_correct": n % 3 > 0,
        "reward": round(n % 10 / 10, 1),
        "tags": ["arithmetic", "shop"],
        "system_prompt": "You are a mathematician. What is asked? Think it over, then say.",
        "hash": f"{n * 2654435761 % 2**32:x}",
    }


def odd(n: int) -> dict[str, Any]:
    return {
        "index": n,
        "title": f"Item {n}",
        "empty": None,
        "links": [f"https://example.org/{n}", f"https://example.org/{n + 1}"],
        "difficulty": n % 10,
        "topic": "multiplication",
        "score": n / 40,
        "language": "en",
        "author": ["ann", "bob", "cem"][n % 3],
        "meta": {"license": "mit", "timestamp": f"2025-03-01T10:{n:02}:00Z", "seed": n * 7},
    }


CASES = [
    # One word each, in English.
    ("question", "solution", "answer"),
    ("problem", "solution", "final_answer"),
    ("prompt", "response", "answer"),
    ("instruction", "output", "label"),
    ("query", "rationale", "target"),
    ("input", "chain_of_thought", "output"),
    ("question", "cot", "gold"),
    ("question_text", "reasoning_trace", "correct_answer"),
    ("task", "reasoning", "expected"),
    ("problem_statement", "worked_solution", "result"),
    ("puzzle", "thoughts", "conclusion"),
    ("exercise", "explanation", "key"),
    ("user_query", "assistant_response", "ground_truth"),
    ("stem", "analysis", "answer_key"),
    ("math_problem", "step_by_step", "final_result"),
    ("q", "cot", "a"),
    ("question", "answer", "final"),
    ("Problem", "Rationale", "correct"),
    ("instruction", "response", "reference"),
    ("text", "thinking", "solution"),
    ("prompt", "completion", "gold_answer"),
    ("question", "model_output", "expected_output"),
    ("goal", "proof_sketch", "value"),
    ("inputs", "generated_text", "targets"),
    # Other ways to write names.
    ("questionText", "reasoningSteps", "finalAnswer"),
    ("userPrompt", "modelReasoning", "expectedAnswer"),
    ("problemText", "solutionText", "answerValue"),
    ("inputText", "chainOfThought", "goldLabel"),
    ("QuestionBody", "ExplanationText", "CorrectOption"),
    ("QUESTION", "REASONING", "ANSWER"),
    ("Question Text", "Detailed Solution", "Right Answer"),
    ("the-question", "the-thinking", "the-answer"),
    # Nested.
    ("data.question", "data.reasoning", "data.answer"),
    ("input.text", "output.reasoning", "output.answer"),
    ("problem.statement", "solution.text", "solution.final"),
    ("sample.prompt", "sample.completion", "gold.value"),
    ("item.q", "item.explanation", "item.label"),
    ("question.text", "trace.text", "answer.text"),
    ("example.inputs.question", "example.outputs.thoughts", "example.outputs.result"),
    # Chats: a number is a place in a list; its text stands beside a role.
    ("messages.0.content", "messages.1.content", "answer"),
    ("messages.1.content", "messages.2.content", "target"),
    ("conversations.0.value", "conversations.1.value", "ground_truth"),
    ("prompt.0.content", "completion.0.content", "reward_model.ground_truth"),
    ("prompt.1.content", "response", "solution"),
    ("dialogue.0.text", "dialogue.1.text", "gold"),
    ("request.messages.0.content", "response.choices.0.message.content", "expected"),
    # Other languages.
    ("问题", "解析", "答案"),
    ("题目", "推理过程", "最终答案"),
    ("提问", "思考", "正确答案"),
    ("問題", "解説", "正解"),
    ("質問", "思考過程", "回答"),
    ("질문", "풀이", "정답"),
    ("вопрос", "решение", "ответ"),
    ("задача", "рассуждение", "ответ"),
    ("énoncé", "raisonnement", "réponse"),
    ("question", "démarche", "réponse_finale"),
    ("Frage", "Lösungsweg", "Antwort"),
    ("aufgabe", "begründung", "ergebnis"),
    ("pregunta", "razonamiento", "respuesta"),
    ("enunciado", "solución", "resultado"),
    ("pergunta", "raciocínio", "resposta"),
    ("problema", "resolução", "gabarito"),
    ("domanda", "ragionamento", "risposta"),
    ("soru", "çözüm", "cevap"),
    ("câu_hỏi", "lời_giải", "đáp_án"),
    ("pytanie", "rozumowanie", "odpowiedź"),
    ("vraag", "uitleg", "antwoord"),
    ("السؤال", "الحل", "الإجابة"),
    ("प्रश्न", "हल", "उत्तर"),
    ("pertanyaan", "penjelasan", "jawaban"),
    ("שאלה", "פתרון", "תשובה"),
]
# Names that say nothing: what the fields hold has to tell.
NAMELESS = [
    ("x", "y", "z"),
    ("f1", "f2", "f3"),
    ("col_x", "col_y", "col_z"),
    ("text_1", "text_2", "text_3"),
]
LANGUAGES = {
    "问": "zh", "题": "zh", "提": "zh", "問": "zh", "質": "zh", "в": "ru", "з": "ru", "ا": "ar",
    "pregunta": "es", "enunciado": "es", "Frage": "de", "aufgabe": "de",
}  # fmt: skip
SYSTEM = "You are a helpful assistant. What you are asked, answer at length and with care."
SPEAKERS = {
    "content": ("role", {"prompt": "user", "trace": "assistant"}),
    "value": ("from", {"prompt": "human", "trace": "gpt"}),
    "text": ("speaker", {"prompt": "User", "trace": "Assistant"}),
}


def put(record: dict[str, Any], path: str, value: object, role: str) -> None:
    """Write a value at a path, making objects, and messages with their speakers, on the way."""
    *parents, name = path.split(".")
    place: Any = record
    for parent, child in pairwise([*parents, name]):
        if parent.isdecimal():
            key, _ = SPEAKERS.get(name, ("role", {}))
            while len(place) <= int(parent):
                place.append({key: "system", name: SYSTEM} if child in SPEAKERS else {})
            place = place[int(parent)]
        else:
            place = place.setdefault(parent, [] if child.isdecimal() else {})
    if name in SPEAKERS and any(parent.isdecimal() for parent in parents):
        key, speakers = SPEAKERS[name]
        place[key] = speakers[role]
    place[name] = value


def record_of(
    n: int, case: tuple[str, str, str], style: Style, others: Callable[[int], dict[str, Any]]
) -> dict[str, Any]:
    prompt, trace, answer = case
    question, reasoning, right = style(n, LANGUAGES.get(prompt, LANGUAGES.get(prompt[0], "en")))
    record = others(n)
    put(record, prompt, question, "prompt")
    put(record, trace, reasoning, "trace")
    put(record, answer, right, "answer")
    return record


@pytest.mark.parametrize("others", [plain, compound, odd])
@pytest.mark.parametrize("style", [asked, told, choice])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_the_guess_is_what_a_person_would_say(
    case: tuple[str, str, str], style: Style, others: Callable[[int], dict[str, Any]]
) -> None:
    found = guess_mapping([record_of(n, case, style, others) for n in range(40)])

    assert (found.get("prompt"), found.get("trace"), found.get("answer")) == case


@pytest.mark.parametrize("others", [plain, compound, odd])
@pytest.mark.parametrize("style", [asked, choice])
@pytest.mark.parametrize("case", NAMELESS, ids=lambda case: case[0])
def test_an_answer_that_ends_the_trace_is_found_without_a_name(
    case: tuple[str, str, str], style: Style, others: Callable[[int], dict[str, Any]]
) -> None:
    found = guess_mapping([record_of(n, case, style, others) for n in range(40)])

    assert (found.get("prompt"), found.get("trace"), found.get("answer")) == case


@pytest.mark.parametrize("case", CASES + NAMELESS, ids=lambda case: case[0])
def test_a_single_record_is_enough(case: tuple[str, str, str]) -> None:
    found = guess_mapping([record_of(4, case, asked, plain)])

    assert (found.get("prompt"), found.get("trace"), found.get("answer")) == case


def test_reasoning_without_an_answer_of_its_own_gets_none() -> None:
    records = [record_of(n, ("question", "solution", "x"), asked, plain) for n in range(40)]
    for record in records:
        del record["x"]
    assert guess_mapping(records) == {"prompt": "question", "trace": "solution"}


def test_a_list_of_texts_may_be_the_trace() -> None:
    records = [record_of(n, ("question", "steps", "answer"), asked, compound) for n in range(40)]
    for record in records:
        record["steps"] = record["steps"].split("\n")
    assert guess_mapping(records)["trace"] == "steps"


def test_a_field_of_single_words_is_no_trace() -> None:
    records = [
        {"ask": f"What is {n} plus 1?", "style": "rule-lighteval/MATH_v2", "truth": str(n + 1)}
        for n in range(5)
    ]
    assert guess_mapping(records).get("trace") != "style"
    assert guess_mapping([{"foo": "1", "bar": "2"}] * 5) == {}
