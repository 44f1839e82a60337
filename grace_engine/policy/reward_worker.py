"""What does the process do that calls a user's reward function?

``python -m grace_engine.policy.reward_worker MODULE:FUNCTION``: it reads an answer a line and
writes what the function gave a line. Whoever started it kills it where the function hangs; the end
of its input, which comes with the end of that process, is its own end.
"""

import importlib
import json
import math
import os
import sys
from pathlib import Path
from typing import Any


def main(named: str) -> None:
    """Answer until the input ends; the function's own prints go nowhere."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

        def say(document: object) -> None:
            out.write(json.dumps(document) + "\n")
            out.flush()

        try:
            function = load(named)
        except BaseException as fault:  # noqa: BLE001 - a module may raise anything, and exit
            say({"ready": f"{type(fault).__name__}: {fault}"[:300] or "?"})
            return
        say({"ready": ""})
        for line in sys.stdin:
            say(called(function, json.loads(line)))


def load(named: str) -> Any:
    """The function that ``module:function`` names; modules are looked for in this folder, too."""
    module, _, name = named.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    found = getattr(importlib.import_module(module), name)
    if not callable(found):
        raise TypeError(f"{named} is no function")
    return found


def called(function: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """``{reward, outcome, detail}`` of one answer; a reward of null where there is none."""
    try:
        reward = function(**asked)
    except Exception as fault:  # noqa: BLE001 - the user's function may raise anything
        return _none("raised", f"{type(fault).__name__}: {fault}"[:300])
    if isinstance(reward, bool):
        reward = float(reward)
    try:
        number = float(reward)
    except (TypeError, ValueError):
        return _none("raised", f"it returned {str(reward)[:60]!r}, which is no number")
    if not math.isfinite(number):
        return _none("not finite", f"it returned {number}")
    if not 0 <= number <= 1:
        return _none("out of range", f"it returned {number:g}, and rewards are from 0 to 1")
    return {"reward": number, "outcome": "scored", "detail": ""}


def _none(outcome: str, detail: str) -> dict[str, Any]:
    return {"reward": None, "outcome": outcome, "detail": detail}


if __name__ == "__main__":
    main(sys.argv[1])
