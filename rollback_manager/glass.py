"""Break-glass: acting now without approval, and the review that follows (security.md §7). Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from rollback_manager.values import Value

REVIEWED_WITHIN = timedelta(hours=24)
"""Until then somebody has looked at it, or the next one is refused."""


class Glass(Value):
    """One break-glass, and its review. reviewed_at: None while nobody has looked at it."""

    rollback: str
    env: str
    services: tuple[str, ...]
    by: str
    incident: str
    reason: str
    broken_at: datetime
    due_at: datetime
    reviewed_at: datetime | None = None
    reviewed_by: str = ""
    said: str = ""

    def is_overdue(self, now: datetime) -> bool:
        """Whether its review should have been by now, and was not."""
        return self.reviewed_at is None and now > self.due_at


class BreakGlass(Value):
    """A glass is broken: kept before anything else happens, the same rollback once."""

    rollback: str
    env: str
    services: tuple[str, ...]
    by: str
    incident: str
    reason: str

    def opened(self, at: datetime) -> Glass:
        """With the date by which it is to be reviewed."""
        return Glass(**self.model_dump(), broken_at=at, due_at=at + REVIEWED_WITHIN)


class ListGlasses(Value):
    """All of an environment, newest first."""

    verb: Literal["list"] = "list"
    env: str


class ReviewGlass(Value):
    """Somebody has looked at it. said: what came of it. token: what the gateway signed."""

    verb: Literal["done"] = "done"
    env: str
    rollback: str
    by: str
    said: str
    token: str = Field(default="", repr=False)


class GlassRequest(Value):
    """One thing to ask or to say about broken glass."""

    ask: Annotated[ListGlasses | ReviewGlass, Field(discriminator="verb")]


class Glasses(Value):
    """As kept, newest first."""

    glasses: tuple[Glass, ...]


def overdue(
    glasses: Iterable[Glass], by: str, services: Iterable[str], now: datetime
) -> Glass | None:
    """The overdue review that forbids this person, or this service's team, the next one."""
    own = set(services)
    late = (one for one in glasses if one.is_overdue(now))
    return next((one for one in late if one.by == by or own & set(one.services)), None)
