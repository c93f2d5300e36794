"""One rollback as it stands now and as its history tells it; what cannot be asked is said."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Path

from rollback_manager.contract import NAME, rollback_id
from rollback_manager.errors import NotFound, RollbackError, Unreachable
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import RollbackStatus
from rollback_manager.report import Report
from starters import refusals
from starters.gateway.doors import Doors

Part = Annotated[str, Path(pattern=f"^{NAME.pattern}$")]
"""Environment and key, as they stand in an address."""
ANSWER_S = 2.5
"""A page is there within three seconds, also where no worker is."""


@dataclass(frozen=True)
class Seen:
    """What is known of it. trouble: why nobody says how it stands now."""

    id: str
    status: RollbackStatus | None
    report: Report
    trouble: RollbackError | None = None

    @property
    def silent(self) -> str:
        """The trouble in words; empty without one."""
        return refusals.what(self.trouble) if self.trouble else ""

    @property
    def plan(self) -> RollbackPlan | None:
        """The plan that is decided on; None where there is none yet, or where it is in parts."""
        return self.report.plan


async def seen(known: Doors, env: str, key: str) -> Seen:
    """Both; NotFound where there is none, Unreachable where Temporal is away."""
    named = rollback_id(env, key)
    report, status = await asyncio.gather(told(known, named), _asked(known, named))
    if report.plan is not None:
        known.plans.keep(named, report.plan)
    if isinstance(status, RollbackError):
        return Seen(named, None, report, trouble=status)
    return Seen(named, status, report)


async def told(known: Doors, id: str) -> Report:
    """As its history tells it, up to now."""
    return await known.told.report(known.rollbacks.temporal, id, known.now())


async def _asked(known: Doors, id: str) -> RollbackStatus | RollbackError:
    """Its own word. A worker that is away must not hide what the history says."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await known.rollbacks.rollback(id).status()
    except NotFound:
        raise
    except TimeoutError:
        return Unreachable(
            f"no worker answers for {id} within {ANSWER_S:.1f} s",
            effect="What was started stays as it is and goes on when a worker is back.",
            next_step="Start one: rollback-manager worker (or serve)",
        )
    except RollbackError as error:
        return error
