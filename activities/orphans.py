"""What rollbacks that were ended from outside left behind: looked at, given back, watched for."""

import time

from temporalio import activity

from activities.asks import Asks
from activities.claims import Holders
from activities.look import Look, Looks
from activities.records import PastRollback, Records
from activities.step import asked_to_stop, now
from activities.targets import Targets
from rollback_manager.claim import Claim, Left, Watched, nothing_left
from rollback_manager.contract import AdoptRequest
from rollback_manager.errors import RollbackError
from rollback_manager.progress import EndState, ServiceOutcome, end_state

EVERY_S = 10.0
"""An orphan harms nobody by itself; one query in ten seconds costs nothing."""
BREATH_S = 1.0
"""A heartbeat so often: an ending worker, or a cancel, is noticed within that."""
ROUND_S = 55 * 60.0
"""Below the hour that one attempt may take."""


class OrphanActivities:
    """Activities on claims whose workflow is gone."""

    def __init__(self, holders: Holders, records: Records, targets: Targets, asks: Asks) -> None:
        self._holders = holders
        self._asks = asks
        self._records = records
        self._targets = targets

    @activity.defn(no_thread_cancel_exception=True)
    def look_at_orphan(self, request: AdoptRequest) -> Left:
        """What was left of the service, and how the world stands. Changes nothing."""
        claim, *older = self._left(request)
        return _judged(claim, older, self._look(claim))

    @activity.defn(no_thread_cancel_exception=True)
    def give_back(self, request: AdoptRequest) -> Left:
        """End the quarantine and leave the service as it stands; a person has looked."""
        self._asks.prove(request)
        claim, *older = self._left(request)
        try:
            left = _judged(claim, older, self._look(claim))
        except RollbackError:  # its target may be what is gone
            left = Left(claim=claim, end=EndState.UNKNOWN, older=tuple(older))
        for one in (claim, *older):
            self._close(one, left, f"given back as it stands by {request.by}: {request.reason}")
        return left.model_copy(update={"given_back": True})

    @activity.defn(no_thread_cancel_exception=True)
    def watch_claims(self, before: Watched) -> Watched:
        """Look again and again; answers when there is something new, and after an hour."""
        until, pause = time.monotonic() + ROUND_S, before.looked
        while True:
            if pause and _breathe():
                return before
            seen, pause = self._seen(before), True
            if not seen.same_as(before) or time.monotonic() >= until:
                return seen

    def _left(self, request: AdoptRequest) -> list[Claim]:
        left = self._holders.left(request.env, request.service)
        if not left:
            raise nothing_left(request.env, request.service)
        return left

    def _look(self, claim: Claim) -> Look:
        return Looks(self._targets(claim.env, claim.service)).take()

    def _close(self, claim: Claim, left: Left, because: str) -> None:
        outcome = ServiceOutcome(
            service=claim.service,
            end=left.end,
            verified=False,
            because=because,
            found=left.found,
            epoch=claim.epoch,
        )
        past = PastRollback(
            strategy=claim.purpose.strategy,
            verified=False,
            traffic_back_s=None,
            verified_s=None,
            finished_at=now(),
        )
        self._records.close(claim.env, claim.rollback, outcome, past)

    def _seen(self, before: Watched) -> Watched:
        try:
            orphans = self._holders.orphans(before.env, activity.heartbeat)
        except RollbackError as error:  # told to people as it is: not "no orphans"
            return before.model_copy(update={"looked": True, "trouble": error.what})
        grown = tuple(claim for claim in orphans if not claim.is_young(now()))
        return Watched(env=before.env, orphans=grown, trouble="", looked=True)


def _judged(claim: Claim, older: list[Claim], look: Look) -> Left:
    found, mark, purpose = look.found(), look.shares.mark, claim.purpose
    wrote = mark is not None and mark.epoch >= claim.epoch
    end = EndState.UNKNOWN
    if purpose.to_version and purpose.from_version:
        end = end_state(found, purpose.to_version, purpose.from_version, wrote)
    return Left(claim=claim, end=end, found=found, mark=mark, older=tuple(older))


def _breathe() -> bool:
    """Wait for the next look; whether a person ended the watch meanwhile."""
    until = time.monotonic() + EVERY_S
    while time.monotonic() < until:
        activity.heartbeat()
        if asked_to_stop():
            return True
        time.sleep(min(BREATH_S, EVERY_S))
    return False
