"""Where only the gateway starts rollbacks, who speaks to Temporal is told so before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollback_manager.errors import Blocked
from starters import settings
from starters.refusals import UNCHANGED

if TYPE_CHECKING:
    from rollback_manager.plan import RollbackPlan

SECURED = "secured"


def must_go_by_the_gateway(made: RollbackPlan) -> None:
    """Raise Blocked where a start that is not signed would be refused as soon as it is planned."""
    if made.security != SECURED or settings.read().by_gateway:
        return
    raise Blocked(
        f"{made.env} is secured: a rollback begins there only as the gateway signed it",
        effect=UNCHANGED,
        next_step="Start it on the gateway's page, or set ROLLBACK_GATEWAY=https://… and type this"
        " again",
    )
