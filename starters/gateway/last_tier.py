"""The tier of a rollback while no worker answers: its history keeps the plan, and needs none."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from rollback_manager.contract import Planned
from rollback_manager.errors import RollbackError
from rollback_manager.report import Entry
from rollback_manager.report.evidence import ANSWERS
from rollback_manager.tier import Tier
from starters import history
from starters.gateway.doors import Doors

WITHIN_S = 2.0
"""So long may a stop wait for the history of a rollback (ours)."""
UNKNOWN = "its tier could not be read, so it was taken from whoever may stop a T0"
RESTORES = "abort_restore"


class KnownTier(NamedTuple):
    """What is known of it. tier: None where there is no plan, or where it is unknown."""

    tier: Tier | None
    is_unknown: bool = False

    def asked_for(self, deciding: str) -> Tier | None:
        """By which somebody is judged who would decide that.

        Where it is unknown, to stop and to wait is the safe direction, and the least is asked for.
        To put back what was there before writes to production: for that it is the most.
        """
        return Tier.T3 if self.is_unknown and deciding == RESTORES else self.tier


UNREAD = KnownTier(None, is_unknown=True)


async def from_history(known: Doors, rollback: str) -> KnownTier:
    """As its history tells it. Never fails: what cannot be read is unknown."""
    try:
        async with asyncio.timeout(WITHIN_S):
            told = await history.of_one(known.rollbacks.temporal, rollback)
    except (TimeoutError, RollbackError):
        return UNREAD
    return of(told)


def of(told: Sequence[Entry]) -> KnownTier:
    """By the plan that was made last; of one in parts, by the heaviest part."""
    plans, parts = _planned(told, "plan_rollback"), _planned(told, "seal_part")
    if not plans:
        return KnownTier(None)  # nothing was touched yet
    if (last := plans[-1]) is None or None in parts:
        return UNREAD
    if last.plan is not None:
        return KnownTier(last.plan.tier, is_unknown=last.plan.tier is None)
    return KnownTier(max((one.tier for one in parts if one and one.tier), default=None))


def _planned(told: Sequence[Entry], activity: str) -> list[Planned | None]:
    """All its answers in their order; None: one that cannot be read here."""
    mine = (one for one in told if one.name == activity and one.kind in ANSWERS)
    return [one.says(Planned) for one in mine if not one.because]
