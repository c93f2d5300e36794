"""One rollback as it stands now and as its history tells it; what cannot be asked is said."""

import asyncio
from dataclasses import dataclass

from rollback_manager.contract import rollback_id
from rollback_manager.errors import NotFound, RollbackError
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import RollbackStatus
from rollback_manager.report import Report
from starters.gateway.doors import Doors


@dataclass(frozen=True)
class Seen:
    """What is known of it. silent: why nobody says how it stands now, in words."""

    id: str
    status: RollbackStatus | None
    report: Report
    silent: str = ""

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
        return Seen(named, None, report, silent=status.what)
    return Seen(named, status, report)


async def told(known: Doors, id: str) -> Report:
    """As its history tells it, up to now."""
    return await known.told.report(known.rollbacks.temporal, id, known.now())


async def _asked(known: Doors, id: str) -> RollbackStatus | RollbackError:
    """Its own word. A worker that is away must not hide what the history says."""
    try:
        return await known.rollbacks.rollback(id).status()
    except NotFound:
        raise
    except RollbackError as error:
        return error
