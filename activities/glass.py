"""The role that keeps broken glass: each one until somebody has looked at it, and after."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.asks import Asks
from activities.step import now
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.errors import Blocked, NotFound
from rollback_manager.glass import (
    BreakGlass,
    Glass,
    Glasses,
    GlassRequest,
    ListGlasses,
    ReviewGlass,
)


class GlassesKept(Protocol):
    """Every break-glass. None is ever forgotten."""

    def keep_glass(self, glass: Glass) -> None:
        """Keep it under its rollback; what is there already stays as it is."""

    def glasses(self, env: str) -> tuple[Glass, ...]:
        """All of an environment, newest first."""

    def review_glass(self, rollback: str, by: str, said: str, at: datetime) -> None:
        """Note the review; one that was noted already stays as it is."""


class GlassActivities:
    """Activities that keep and review; they touch nothing in production."""

    def __init__(
        self, kept: GlassesKept, level: Callable[[str], SecurityLevel], asks: Asks
    ) -> None:
        self._kept = kept
        self._asks = asks
        self._level = level

    @activity.defn(no_thread_cancel_exception=True)
    def break_glass(self, broken: BreakGlass) -> Glass:
        """Open the review, before anything is touched."""
        self._kept.keep_glass(broken.opened(now()))
        return next(
            one for one in self._kept.glasses(broken.env) if one.rollback == broken.rollback
        )

    @activity.defn(no_thread_cancel_exception=True)
    def ask_glasses(self, request: GlassRequest) -> Glasses:
        """List them, or note that one was reviewed."""
        match request.ask:
            case ListGlasses(env=env):
                return Glasses(glasses=self._kept.glasses(env))
            case ReviewGlass() as review:
                self._asks.prove(review)
                self._review(review)
                return Glasses(glasses=self._kept.glasses(review.env))

    def _review(self, review: ReviewGlass) -> None:
        known = self._kept.glasses(review.env)
        glass = next((one for one in known if one.rollback == review.rollback), None)
        if glass is None:
            raise NotFound(
                f"{review.rollback} broke no glass",
                effect="Production is unchanged.",
                next_step=f"See which did: rollback-manager review list --env {review.env}",
            )
        if glass.by == review.by and self._level(review.env) is not SecurityLevel.LOCAL:
            raise Blocked(
                f"{review.by} broke it: somebody else reviews it",
                effect="The review stays open.",
                next_step="Ask an owner, an incident commander or an admin.",
            )
        self._kept.review_glass(review.rollback, review.by, review.said, now())
