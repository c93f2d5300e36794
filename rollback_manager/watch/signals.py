"""What can be judged of a version's minute, and the words that both kinds of judge share. Pure."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import Field

MOST_MINUTES = 360
"""Minutes that a judge may look back: a reading of both versions is kept for each (ours)."""


class Subject(StrEnum):
    """What a judge's word is about."""

    ERRORS = "errors"
    LATENCY = "latency"
    THROUGHPUT = "throughput"


class Signal(StrEnum):
    """What can be judged of a version's minute."""

    ERROR_RATIO = "error_ratio"
    SUCCESS_RATIO = "success_ratio"
    ERRORS_PER_S = "errors_per_s"
    LATENCY_P95_MS = "latency_p95_ms"
    REQUESTS_PER_S = "requests_per_s"

    @property
    def subject(self) -> Subject:
        """What it is about."""
        if self is Signal.LATENCY_P95_MS:
            return Subject.LATENCY
        return Subject.THROUGHPUT if self is Signal.REQUESTS_PER_S else Subject.ERRORS

    @property
    def is_ratio(self) -> bool:
        """Whether it lies between 0 and 1."""
        return self in (Signal.ERROR_RATIO, Signal.SUCCESS_RATIO)


class Role(StrEnum):
    """What a judge's bad verdict may do.

    advises: people see it beside our own tests. alarms: it opens an incident too, and is decided
    on like any alarm. Decision 0030 says why the first one is the default.
    """

    ADVISES = "advises"
    ALARMS = "alarms"


JudgeName = Annotated[str, Field(min_length=1, max_length=100)]
Minutes = Annotated[int, Field(ge=1, le=MOST_MINUTES)]
Points = Annotated[float, Field(ge=0, le=100)]


def names_differ(what: str, names: Iterable[str]) -> None:
    """ValueError where two of them have one name."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"two {what} have one name: {', '.join(twice)}")
