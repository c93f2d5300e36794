"""How often one person, or program, may ask: kept by subject, once it is known who it is."""

import time
from collections.abc import Callable
from enum import StrEnum

from starters.gateway.buckets import Buckets, Rate
from starters.gateway.problems import Refused


class Kind(StrEnum):
    """What is asked for, by what it costs others."""

    READ = "read"
    CHANGE = "change"
    DECISION = "decision"


RATES = {
    Kind.READ: Rate(per_s=20, burst=100),
    Kind.CHANGE: Rate(per_s=1, burst=30),
    Kind.DECISION: Rate(per_s=1, burst=60),
}
"""Figures of ours. A page that is open costs a request every few seconds; who stops all that runs
in a bad hour sends some dozens of decisions. Who sends a thousand keeps nobody else from sending
theirs (security.md T30)."""


class Pace:
    """The buckets of all subjects; a decision has its own, which reads and starts do not empty."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._buckets = {kind: Buckets(rate, monotonic) for kind, rate in RATES.items()}

    def allow(self, subject: str, kind: Kind) -> None:
        """Raise Refused (429) where this subject has asked too often."""
        wait_s = self._buckets[kind].take(subject)
        if wait_s:
            raise Refused(
                429,
                "too-often",
                f"{kind}s of one subject come at most so fast",
                next_step="Wait as long as Retry-After says, then send it again.",
                headers={"Retry-After": str(max(1, round(wait_s)))},
            )
