"""The role of the claims: who holds a service, and whether that still runs."""

from collections.abc import Callable
from typing import Protocol

from rollback_manager.claim import (
    UNSAID,
    Claim,
    Purpose,
    held,
    newest_first,
    nothing_left,
    quarantined,
)
from rollback_manager.contract import service_id


class Claims(Protocol):
    """What outlives a workflow that was ended from outside."""

    def claim(
        self, env: str, service: str, rollback: str, purpose: Purpose = UNSAID, above: int = 0
    ) -> int:
        """Draw the next epoch of the service and note who holds it, in one transaction.

        The same rollback again gets a new, higher epoch; its claim stays one row.
        above: an epoch that a target carries already; the one that is drawn is higher.
        """

    def claims(self, env: str, service: str | None = None) -> list[Claim]:
        """Every claim that was not given back, of one service or of all."""


class Runs(Protocol):
    """What Temporal says of workflows."""

    def started_by(self, workflow_id: str) -> str | None:
        """Id of the workflow that started the one of this id; None when none of it runs now.

        The id alone tells nothing: it is a lock, and recurs with every rollback of the service.
        """


class Holders:
    """Compares claims with the workflows that run. Nothing is set free by time, or by silence."""

    def __init__(self, claims: Claims, runs: Runs) -> None:
        self._claims = claims
        self._runs = runs

    def adopted(self, env: str, service: str, adopts: str) -> Claim | None:
        """The claim of the rollback `adopts`; None where none is adopted and nobody holds it.

        Raises Blocked where the service is held or in quarantine, NotFound where that rollback
        left nothing.
        """
        left = self.left(env, service)
        if not adopts:
            if left:
                raise quarantined(left[0])
            return None
        claim = next((one for one in left if one.rollback == adopts), None)
        if claim is None:
            raise nothing_left(env, service, adopts)
        return claim

    def left(self, env: str, service: str) -> list[Claim]:
        """The orphans of one service, newest first. Raises Blocked while a rollback of it runs."""
        claims = self._claims.claims(env, service)
        if not claims:
            return []
        holder = self._runs.started_by(service_id(env, service))
        if holder is not None:
            raise held(env, service, holder, claims)
        return newest_first(self._claims.claims(env, service))  # it may just have closed

    def orphans(self, env: str, alive: Callable[[], None]) -> list[Claim]:
        """The orphans of a whole environment; calls `alive` between two questions."""
        gone = [claim for claim in self._claims.claims(env) if not self._runs_for(claim, alive)]
        if not gone:
            return []
        still = {(claim.service, claim.rollback) for claim in self._claims.claims(env)}
        return newest_first(one for one in gone if (one.service, one.rollback) in still)

    def _runs_for(self, claim: Claim, alive: Callable[[], None]) -> bool:
        alive()
        return self._runs.started_by(service_id(claim.env, claim.service)) == claim.rollback
