"""A judge that is played: a server of the OpenAI protocol that checks sums by rule.

``python -m tests.judging.played 8123`` serves it on 127.0.0.1, to try ``grace judge`` without a
model. It reads requests as a careful reader would, block by block, and knows nothing of the code
that wrote them.
"""

import json
import re
import sys
import threading
from typing import Any

from tests.served import Served

BLOCK = re.compile(r"^<([a-z-]+) ([0-9a-f]+)>\n(.*?)\n</\1 \2>$", re.DOTALL | re.MULTILINE)
SUM = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
QUESTIONS = ("FACTUALITY", "VALIDITY", "COHERENCE", "UTILITY")


def blocks(body: dict[str, Any]) -> dict[str, str]:
    """The blocks of a request by name."""
    return {name: text for name, _, text in BLOCK.findall(body["messages"][-1]["content"])}


def asked_for(body: dict[str, Any]) -> str:
    """``atoms``, or the metric that is asked."""
    system = body["messages"][0]["content"]
    return next((q.lower() for q in QUESTIONS if f"\n{q}." in system), "atoms")


def verdict(body: dict[str, Any]) -> dict[str, Any]:
    """What the played judge finds, as the JSON object that is asked for."""
    found, what = blocks(body), asked_for(body)
    step, before = found["step"], found["question"] + found["earlier-steps"]
    if what == "atoms":
        return {
            "claims": [{"text": step, "type": "calculation" if SUM.search(step) else "meta"}],
            "premises": [found["question"].split(".")[0]],
        }
    sums = [(int(a), op, int(b), int(c)) for a, op, b, c in SUM.findall(step)]
    wrong = [one for one in sums if not holds(*one)]
    strange = [one for one in sums if not re.search(rf"\b{one[0]}\b", before)]
    if what == "validity" and wrong:
        return no("{} {} {} is not {}.".format(*wrong[0]))
    if what == "factuality" and strange:
        return no(f"{strange[0][0]} stands nowhere before.")
    if what == "utility" and step.strip() in before:
        return no("It says again what stands there.")
    return {"label": "positive", "claims": [], "reason": "It holds."}


def holds(a: int, op: str, b: int, c: int) -> bool:
    """Whether a op b is c."""
    results = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}
    return results[op] == c


def no(reason: str) -> dict[str, Any]:
    return {"label": "negative", "claims": [1], "reason": reason}


def reply(content: str, *, finish: str = "stop", usage: bool = True) -> tuple[int, Any]:
    """A reply of the protocol with this text."""
    document: dict[str, Any] = {
        "choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": finish}]
    }
    if usage:
        document["usage"] = {"prompt_tokens": 100, "completion_tokens": 10}
    return 200, document


def play(body: dict[str, Any]) -> tuple[int, Any]:
    """A good judge."""
    return reply(json.dumps(verdict(body)))


if __name__ == "__main__":
    server = Served(play, port=int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    sys.stdout.write(f"The played judge listens at {server.url}\n")
    sys.stdout.flush()
    threading.Event().wait()
