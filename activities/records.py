"""The role of the records: releases, and how earlier rollbacks ended; activities on them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.claims import Claims
from activities.look import READERS, Looks
from activities.step import now
from activities.targets import Targets
from rollback_manager.claim import UNSAID, Purpose
from rollback_manager.errors import NotFound, RollbackError, TemporaryError
from rollback_manager.operation import Mark
from rollback_manager.plan import Capacity, ServicePlan
from rollback_manager.progress import EndState, Found, ServiceOutcome
from rollback_manager.release import Baseline, Release, Standing
from rollback_manager.values import Seconds, Value


class PastRollback(Value):
    """How long an earlier rollback of the same service took."""

    strategy: str
    verified: bool
    traffic_back_s: Seconds | None
    verified_s: Seconds | None
    finished_at: datetime


class Records(Protocol):
    """What must outlive a workflow."""

    def releases(self, env: str, service: str) -> list[Release]:
        """All recorded releases, newest first."""

    def young(self, env: str, since: datetime) -> Mapping[str, Sequence[Release]]:
        """By service, of those with a release since then: the newest ones, newest first."""

    def save_release(self, env: str, service: str, release: Release) -> None:
        """Remember a release. The same version again replaces what was recorded, standing too."""

    def mark_release(
        self,
        env: str,
        service: str,
        version: str,
        standing: Standing,
        because: str,
        baseline: Baseline | None,
    ) -> None:
        """Change the standing; NotFound when no such release is recorded.

        A baseline of None leaves the recorded one as it is.
        """

    def close(self, env: str, rollback: str, outcome: ServiceOutcome, past: PastRollback) -> None:
        """Keep the outcome and give the claim back, in one transaction; again is harmless.

        Where it adopted another one, every older claim of the service ends with its own.
        """

    def past(self, env: str, service: str) -> list[PastRollback]:
        """Earlier rollbacks of the service, newest first, at most 100."""


LOOK_S = 1.0
"""How long a claim waits for its look: that saves a step later, and nothing depends on it."""


class Opening(Value):
    """Who takes the service over, and for what.

    capacity: what its first step wants, looked at meanwhile. adopts: whose claim it goes on from.
    """

    env: str
    rollback: str
    service: str
    capacity: Capacity | None = None
    purpose: Purpose = UNSAID
    adopts: str = ""


class Claimed(Value):
    """The epoch that all writes of this rollback carry.

    capacity: in words that the wanted capacity is there already; empty where it was not seen.
    above: the epoch at the target, where the records were behind it.
    """

    epoch: int
    capacity: str = ""
    found: Found | None = None
    above: int = 0


class Closing(Value):
    """How one service's rollback ended, for the records.

    plan: without its phases. traffic_back_s, verified_s: seconds since the go; None if not reached.
    """

    env: str
    rollback: str
    plan: ServicePlan
    outcome: ServiceOutcome
    traffic_back_s: Seconds | None
    verified_s: Seconds | None


class Question(Value):
    """What is asked of the world without changing it."""

    env: str
    service: str
    capacity: Capacity | None = None


class Observed(Value):
    """The world, and in words that the wanted capacity is there already (empty: it is not)."""

    found: Found
    capacity: str = ""
    mark: Mark | None = None


class RecordActivities:
    """Activities on the records, short enough to be local ones.

    They write, which local activities should not; but every write is the same when made twice,
    and an epoch that is drawn and lost leaves a harmless gap.
    """

    def __init__(self, records: Records, claims: Claims, targets: Targets) -> None:
        self._records = records
        self._claims = claims
        self._targets = targets

    @activity.defn(no_thread_cancel_exception=True)
    def claim(self, opening: Opening) -> Claimed:
        """Draw the epoch and leave the claim that outlives a terminated workflow."""
        question = Question(env=opening.env, service=opening.service, capacity=opening.capacity)
        if opening.adopts:
            return self._take_over(opening, question)
        looking = READERS.submit(self._look, question)
        epoch = self._draw(opening)
        try:
            seen = looking.result(LOOK_S)
        except (RollbackError, TimeoutError):  # the step itself will say what is wrong
            return Claimed(epoch=epoch)
        return Claimed(epoch=epoch, capacity=seen.capacity, found=seen.found)

    @activity.defn(no_thread_cancel_exception=True)
    def observe(self, question: Question) -> Observed:
        """How the service stands now, read from its targets: it is declared, so nothing older."""
        target = self._targets(question.env, question.service)
        if target.anew is not None:
            target.anew()
        return self._look(question)

    @activity.defn(no_thread_cancel_exception=True)
    def close_service(self, closing: Closing) -> None:
        """Remember how it ended, mark the undone release bad, and give the claim back."""
        outcome, plan = closing.outcome, closing.plan
        if outcome.end is EndState.ROLLED_BACK:
            self._mark_bad(closing)
        else:
            self._take_back(closing)
        past = PastRollback(
            strategy=plan.strategy,
            verified=outcome.verified,
            traffic_back_s=closing.traffic_back_s,
            verified_s=closing.verified_s,
            finished_at=now(),
        )
        self._records.close(closing.env, closing.rollback, outcome, past)

    def _draw(self, opening: Opening, above: int = 0) -> int:
        return self._claims.claim(
            opening.env, opening.service, opening.rollback, opening.purpose, above
        )

    def _take_over(self, opening: Opening, question: Question) -> Claimed:
        """Draw above what stands at the target: records that were restored may be behind it.

        Only here, where a person says that nobody else is at it; all others are refused there.
        """
        try:
            seen = self._look(question)
        except TemporaryError:  # the step itself will say what is wrong
            return Claimed(epoch=self._draw(opening))
        epoch, there = self._draw(opening), seen.mark.epoch if seen.mark else 0
        if epoch > there:
            return Claimed(epoch=epoch, capacity=seen.capacity, found=seen.found)
        epoch = self._draw(opening, above=there)
        return Claimed(epoch=epoch, capacity=seen.capacity, found=seen.found, above=there)

    def _look(self, question: Question) -> Observed:
        look = Looks(self._targets(question.env, question.service)).take()
        wanted = question.capacity
        words = ""
        if wanted is not None and look.has(wanted):
            words = f"{look.able(wanted.version)} of {wanted.instances} ready"
        return Observed(found=look.found(), capacity=words, mark=look.shares.mark)

    def _mark_bad(self, closing: Closing) -> None:
        plan, because = closing.plan, _undone_by(closing)
        try:
            self._records.mark_release(
                closing.env, plan.service, plan.from_version, Standing.BAD, because, None
            )
        except NotFound:  # it went out without being recorded: remember it, or we walk back into it
            release = Release(
                version=plan.from_version,
                digest=plan.from_digest,
                recorded_at=now(),
                recorded_by=closing.rollback,
                standing=Standing.BAD,
                because=because,
            )
            self._records.save_release(closing.env, plan.service, release)

    def _take_back(self, closing: Closing) -> None:
        """What an earlier try at closing marked, when a restore came before its answer counted."""
        plan, why = closing.plan, _undone_by(closing)
        for release in self._records.releases(closing.env, plan.service):
            if release.version == plan.from_version and release.because == why:
                self._records.mark_release(
                    closing.env,
                    plan.service,
                    release.version,
                    Standing.CANDIDATE,
                    f"{why}, which then restored it",
                    None,
                )


def _undone_by(closing: Closing) -> str:
    return f"undone by {closing.rollback}"
