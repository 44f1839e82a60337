"""When may the next request go out, and is there enough left to pay for it?"""

import threading
import time

from grace_engine.errors import UnreachableError
from grace_engine.judging.settings import JudgeSettings
from grace_engine.progress import Progress
from grace_engine.records import Judgement

# A rest that long is told; shorter ones come and go. What was told of a state is told again only
# after so long.
_TOLD_SECONDS, _TOLD_AGAIN = 5.0, 600.0


class EndedError(Exception):
    """Whoever asks is to stop.

    Attributes:
        known: What was spent on what is not finished; None for nothing.
        fault: What ended it; None where all is well.
    """

    known: Judgement | None = None
    fault: UnreachableError | None = None


class StoppedError(EndedError):
    """The run has come to its end."""


class SpentError(EndedError):
    """There is not enough left for one more request."""


class GoneError(EndedError):
    """Nobody answers any more."""

    def __init__(self, fault: UnreachableError) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Pace:
    """Requests of many threads, no more a minute than allowed, and none while a server rests."""

    def __init__(self, per_minute: float, progress: Progress) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._progress = progress
        self._lock = threading.Lock()
        self._next = self._rested = 0.0
        self._told: dict[str, float] = {}
        self.over = threading.Event()

    def turn(self) -> None:
        """Wait until one more request may go out.

        Raises:
            StoppedError: The run has ended meanwhile.
        """
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._next, self._rested)
            self._next = mine + self._gap
        while True:
            self._wait(mine - time.monotonic())
            with self._lock:
                if time.monotonic() >= self._rested:
                    return
                # The server asked for a rest while this one waited: each goes after it, in turn.
                mine = max(self._rested, self._next)
                self._next = mine + self._gap

    def rest(self, seconds: float, why: str) -> None:
        """Let nobody ask for so long, because the server was busy."""
        with self._lock:
            now = time.monotonic()
            self._rested = max(self._rested, now + seconds)
            state = why.partition(",")[0]  # a status without what the server says beside it
            tells = seconds >= _TOLD_SECONDS and now >= self._told.get(state, now)
            if tells:
                self._told[state] = now + _TOLD_AGAIN
        if tells:
            self._progress.say(
                f"The server is busy or away ({why}): it is asked again in {seconds:.0f} s, and "
                "from time to time while that stays so."
            )
        self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        if self.over.wait(max(0.0, seconds)):
            raise StoppedError


class Budget:
    """What was spent, and whether one more request fits below the limits.

    A request is paid for in advance with the most that it may take, so that those under way
    together stay below a limit, too.
    """

    def __init__(self, settings: JudgeSettings, tokens: int, cost: float) -> None:
        """Begin with what was spent on the same traces before."""
        self._settings = settings
        self._changed = threading.Condition()
        self._tokens, self._cost = float(tokens), cost
        self._held_tokens = self._held_cost = 0.0
        self._n_held = 0
        self.is_spent = False

    @property
    def tokens(self) -> int:
        """Tokens spent."""
        return int(self._tokens)

    @property
    def cost(self) -> float:
        """Cost so far; 0 without prices."""
        return self._cost

    def take(self, tokens_in: int, tokens_out: int) -> bool:
        """Hold what a request may take; False where it does not fit, whatever comes back.

        Waits for requests under way, which may take less than was held for them.
        """
        cost = self._settings.cost(tokens_in, tokens_out) or 0.0
        with self._changed:
            while not self.is_spent and not self._fits(tokens_in + tokens_out, cost):
                if not self._n_held:
                    self.is_spent = True
                    self._changed.notify_all()
                    break
                self._changed.wait(1.0)
            if self.is_spent:
                return False
            self._n_held += 1
            self._held_tokens += tokens_in + tokens_out
            self._held_cost += cost
            return True

    def pay(self, held: tuple[int, int], spent: tuple[int, int]) -> None:
        """Give back what was held, and count what was spent: tokens in and out of each."""
        with self._changed:
            self._n_held -= 1
            self._held_tokens -= sum(held)
            self._held_cost -= self._settings.cost(*held) or 0.0
            self._tokens += sum(spent)
            self._cost += self._settings.cost(*spent) or 0.0
            self._changed.notify_all()

    def _fits(self, tokens: float, cost: float) -> bool:
        most, dearest = self._settings.max_tokens, self._settings.max_cost
        return (not most or self._tokens + self._held_tokens + tokens <= most) and (
            not dearest or self._cost + self._held_cost + cost <= dearest + 1e-12
        )
