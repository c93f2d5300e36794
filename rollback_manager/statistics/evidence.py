"""What the tests are given at every interval, and what they answer.

Everything is an array with one place per release, so that a watcher of a thousand releases and a
benchmark of four thousand run the very same lines; one release is an array of length 1.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rollback_manager.values import Ratio, Seconds, Value

Amounts = NDArray[np.float64]
"""One number per release."""
Flags = NDArray[np.bool_]
"""One yes or no per release."""


@dataclass(frozen=True)
class Arm:
    """What one version answered in one interval: increments, never totals.

    slow: requests above a limit (`slow_requests.slow_limit_ms`), out of the `timed` ones.
    """

    requests: Amounts
    errors: Amounts
    slow: Amounts
    timed: Amounts

    @classmethod
    def of(
        cls, requests: float, errors: float, slow: float = 0, timed: float | None = None
    ) -> Self:
        """One release's numbers. Every request was timed unless said otherwise.

        Raises ValueError for what cannot be counted: less than nothing, or more errors than
        requests, as counters give that were reset between two reads.
        """
        timed = requests if timed is None else timed
        if not (0 <= errors <= requests < math.inf and 0 <= slow <= timed < math.inf):
            raise ValueError(f"{errors} of {requests} failed, {slow} of {timed} slow: not counts")
        return cls(*(np.array([float(one)]) for one in (requests, errors, slow, timed)))


@dataclass(frozen=True)
class Interval:
    """Both versions over the same seconds.

    at_s: end of the interval in seconds since the new version got its first request; negative
    before that, where only the control has numbers, from which the tests learn what is normal.
    """

    at_s: Amounts
    length_s: Amounts
    new: Arm
    control: Arm

    @classmethod
    def of(cls, at_s: Seconds, length_s: Seconds, new: Arm, control: Arm) -> Self:
        """One release's interval."""
        return cls(np.array([at_s]), np.array([length_s]), new, control)


class Answer(StrEnum):
    """What a test says at every moment."""

    REGRESSED = "regressed"
    FINE_SO_FAR = "fine so far"
    CANNOT_TELL = "cannot tell"


class Finding(Value):
    """One test's answer with the numbers that it rests on.

    evidence: natural logarithm of how much better "worse than allowed" explains what was seen than
    "within what is allowed"; regressed at `threshold`. effect: how far the new version is above its
    comparator, between `effect_low` and `effect_high` at 99 % each; None where it has no number.
    usual: what the comparator itself had: effect + usual is what users get. lasted_s: for how long
    that has been so, as far as the test can tell; None where it cannot.
    fine_up_to: a regression of that size would have been seen; None until that can be said.
    suspected: evidence ÷ threshold of what has not stood for long enough yet to count.
    compared: the old version was asked the same at the same time, and was better.
    """

    test: str
    answer: Answer
    evidence_nats: float
    threshold_nats: float
    requests: int
    comparator: str
    because: str
    effect: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    usual: float | None = None
    lasted_s: Seconds | None = None
    fine_up_to: Ratio | None = None
    suspected: float = 0.0
    compared: bool = False


def cannot_tell(test: str, comparator: str, because: str, threshold_nats: float = 0.0) -> Finding:
    """The finding of a test that was given nothing to judge."""
    return Finding(
        test=test,
        answer=Answer.CANNOT_TELL,
        evidence_nats=0.0,
        threshold_nats=threshold_nats,
        requests=0,
        comparator=comparator,
        because=because,
    )
