"""Freezes: windows that stop the way forward. They know their direction: the way back passes. Pure.

A freeze that stops rollbacks, too, says so itself; then an incident commander must agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field, model_validator

from rollback_manager.gates import GateAnswer, GateResult, Group
from rollback_manager.values import Value

RULE = "rollback_passes_freeze"
"""By this name plans, reports and audits say why a rollback ran inside a freeze."""
WRITTEN = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
LONGEST_REASON = 300


def _with_its_day(value: object) -> object:
    """A bare number is no moment that a person could check; a bare day has no hour."""
    if isinstance(value, datetime) or (isinstance(value, str) and WRITTEN.match(value)):
        return value
    raise ValueError("write day, time and zone, as in 2026-12-24T18:00:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(_with_its_day)]
"""An absolute time with its zone: what means another hour elsewhere stops nothing for sure."""
Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]


class Direction(StrEnum):
    """What a freeze stops."""

    DEPLOYS = "deploys"
    """The way forward alone."""
    ROLLBACKS_TOO = "rollbacks_too"
    """Both ways: for windows in which nothing at all may move, such as a data centre's move."""


class Window(Value):
    """A freeze as it is declared in the catalogue, for all of an environment."""

    model_config = ConfigDict(populate_by_name=True)

    begins: Moment = Field(alias="from")
    until: Moment
    reason: Reason
    direction: Direction = Direction.DEPLOYS

    @model_validator(mode="after")
    def _has_a_length(self) -> Window:
        if self.until <= self.begins:
            raise ValueError("until is not after from")
        return self


class Freeze(Value):
    """One freeze, wherever it was said.

    service: "" for all of the environment. id: "" where it is declared in the catalogue. said_at:
    when it was kept. lifted_at: None while nobody ended it before its time.
    """

    env: str
    service: str = ""
    id: str = ""
    begins: datetime
    until: datetime
    reason: str
    direction: Direction = Direction.DEPLOYS
    by: str
    said_at: datetime | None = None
    lifted_at: datetime | None = None
    lifted_by: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it is in force; its first moment counts, its last does not."""
        return self.lifted_at is None and self.begins <= now < self.until

    def is_of(self, service: str) -> bool:
        """Whether it stops that service."""
        return self.service in {"", service}

    @property
    def words(self) -> str:
        """What is frozen until when, why, and who said so."""
        what = self.service or f"all of {self.env}"
        until = f"{self.until.astimezone(UTC):%Y-%m-%d %H:%MZ}"
        return f"{what} is frozen until {until} ({self.reason}; {self.by})"


def declared(env: str, windows: Iterable[Window]) -> tuple[Freeze, ...]:
    """The catalogue's own, which only a reviewed change of the catalogue ends."""
    return tuple(
        Freeze(
            env=env,
            begins=one.begins,
            until=one.until,
            reason=one.reason,
            direction=one.direction,
            by="catalogue",
        )
        for one in windows
    )


def in_force(freezes: Iterable[Freeze], service: str, now: datetime) -> tuple[Freeze, ...]:
    """Those that hold for the service now, the last to end first."""
    mine = [one for one in freezes if one.is_of(service) and one.holds(now)]
    return tuple(sorted(mine, key=lambda one: (one.until, one.id), reverse=True))


def stops_rollbacks(held: Iterable[Freeze]) -> tuple[Freeze, ...]:
    """Those that say that they stop the way back, too."""
    return tuple(one for one in held if one.direction is Direction.ROLLBACKS_TOO)


def gates(held: Sequence[Freeze]) -> tuple[GateResult, ...]:
    """The gate `freeze` of a rollback; none where nothing is frozen."""
    if not held:
        return ()
    if stopping := stops_rollbacks(held):
        told = "; ".join(one.words for one in stopping)
        because = f"{told}: it stops rollbacks, too: an incident commander must approve"
        return (_gate(GateAnswer.INCONCLUSIVE, because),)
    told = "; ".join(one.words for one in held)
    return (_gate(GateAnswer.PASSED, f"rule {RULE}: {told}; a freeze stops the way forward"),)


def _gate(answer: GateAnswer, because: str) -> GateResult:
    return GateResult(group=Group.BEFORE, gate="freeze", answer=answer, because=because)
