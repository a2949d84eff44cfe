"""Runs a target with random inputs for its share of the time, and counts what was tried.

A target runs in rounds, each with a seed of its own: the first has the seed that was asked for, the
next one more. So a failure is played again by asking for the seed of its round.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from hypothesis.strategies import SearchStrategy

SLOW: Final = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
    HealthCheck.filter_too_much,
)
"""What a busy machine may be blamed for, or a wide strategy; neither is a defect of the daemon."""


class TimeIsOver(BaseException):
    """Ends a round at once; hypothesis would take an Exception for a failure to look into."""


@dataclass
class Result:
    """What came of one target."""

    target: str
    inputs: int = 0
    rounds: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failure: str = ""
    failed_seed: int = 0
    failed_after: float = 0.0  # seconds of its round


class Campaign:
    """One target's time.

    Args:
        result: where it is counted.
        seconds: how long; at least one input is tried.
        first_seed: of the first round.
        most_rounds: after so many it ends, None: never before its time.
    """

    def __init__(
        self, result: Result, seconds: float, first_seed: int, most_rounds: int | None = None
    ) -> None:
        self.result = result
        self.counts = result.counts
        self._seconds = seconds
        self._seed = first_seed
        self._most_rounds = most_rounds
        self._end = 0.0
        self._stopped = False
        self._failing = False  # hypothesis looks into a failure

    def _next_input(self) -> None:
        if self.result.inputs and not self._failing and time.monotonic() > self._end:
            self._stopped = True
            raise TimeIsOver
        self.result.inputs += 1

    def fuzz(
        self,
        check: Callable[..., None],
        examples: int = 200,
        shrink: bool = True,
        **strategies: SearchStrategy[Any],
    ) -> None:
        """Call `check` with what the strategies draw, `examples` times a round."""

        def counted(**values: Any) -> None:
            self._next_input()
            with self._watched():
                check(**values)

        counted.__name__ = counted.__qualname__ = check.__name__

        def once(number: int) -> None:
            limited = settings(max_examples=examples, **_common(shrink=shrink))
            seed(number)(limited(given(**strategies)(counted)))()

        self._repeat(once)

    def play(
        self,
        machine: Callable[[], RuleBasedStateMachine],
        examples: int = 100,
        steps: int = 50,
        shrink: bool = True,
    ) -> None:
        """Let the machine take so many steps, `examples` times a round."""

        def once(number: int) -> None:
            def counted() -> RuleBasedStateMachine:
                self._next_input()
                made = machine()
                made.teardown = self._watching(made.teardown)  # type: ignore[method-assign]
                return made

            limited = settings(
                max_examples=examples, stateful_step_count=steps, **_common(shrink=shrink)
            )
            run: Any = run_state_machine_as_test
            run(seed(number)(counted), settings=limited)

        self._repeat(once)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Notice a failure, which hypothesis tries again before it tells it."""
        try:
            yield
        except HypothesisException:
            raise
        except Exception as error:
            if not self._failing:  # trying again may fail in another way, or not at all
                self.result.failure = f"{type(error).__name__}: {error}"
            self._failing = True
            raise

    def _watching(self, teardown: Callable[[], None]) -> Callable[[], None]:
        def watched() -> None:
            with self._watched():
                before = sys.exc_info()[1]
                try:
                    teardown()
                finally:
                    if isinstance(before, Exception):
                        raise before

        return watched

    def _repeat(self, once: Callable[[int], None]) -> None:
        began = round_began = time.monotonic()
        self._end = began + self._seconds
        result = self.result
        try:
            while result.rounds != self._most_rounds:
                round_began = time.monotonic()
                once(self._seed + result.rounds)
                result.rounds += 1
        except BaseException as error:
            if self._stopped:
                return  # hypothesis may have its own words for it
            result.failed_seed = self._seed + result.rounds
            result.failed_after = time.monotonic() - round_began
            result.failure = result.failure or f"{type(error).__name__}: {error}"
            result.failure += "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
            raise
        finally:
            result.seconds += time.monotonic() - began


def _common(shrink: bool) -> dict[str, Any]:
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    return {
        "database": None,
        "deadline": None,
        "phases": phases,
        "suppress_health_check": SLOW,
        "report_multiple_bugs": False,
        "print_blob": False,
    }
