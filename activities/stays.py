"""Looks after a rollback that has ended: does it stay, and may its owners have theirs back?

A look takes milliseconds and holds no place in between: what has nothing to tell ends as NotYet,
and Temporal looks again when it said, without an event in history.
"""

import time
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from temporalio import activity

from activities.owners import owners_of
from activities.step import now
from activities.targets import Target, Targets
from rollback_manager.errors import NotYet, RollbackError, StaleWrite
from rollback_manager.operation import Mark, op_id
from rollback_manager.owners import Agreement, Owner, OwnerKind
from rollback_manager.plan import OwnersHeld
from rollback_manager.stays import AFTER_ALL_STEPS, Stayed, Staying, Verdict, judge
from rollback_manager.values import Seconds, Value

LOOK_S = 5.0
"""Between two looks while checks are due: self-heal takes about as long (reliability R18)."""
LATER_S = 15.0
"""Between two looks while a hold alone is left."""
GIT_EVERY_S = 60.0
"""Between two questions to Git: each of them is a copy of the repository."""
PATIENCE = timedelta(seconds=60)
"""How long after a due check it may still be answered before it says that it cannot tell."""


class StayQuestion(Value):
    """One look or many: until there is something new, or `until`.

    known: what the last look said. releases: owners that may be given back as soon as they agree.
    quiet_until: before then no change is told, only what was given back and how it ends.
    """

    staying: Staying
    until: datetime
    known: Verdict = Verdict.NOT_LOOKED
    releases: tuple[Owner, ...] = ()
    held: tuple[Owner, ...] = ()
    every_s: Seconds = LOOK_S
    quiet_until: datetime | None = None


class Letting(Value):
    """Give these back now, whatever they would do."""

    staying: Staying
    owners: tuple[Owner, ...]


class Git(Protocol):
    """What the branch that a service is deployed from names."""

    def agrees(self, staying: Staying) -> Agreement | None:
        """Whether it names the good version; None where no repository is known."""


class _Asked(NamedTuple):
    """When Git was asked about a rollback, and what it told; None: nothing so far."""

    rollback: str
    at: float
    told: Agreement | None


class StayActivities:
    """Activities that look after what has ended."""

    def __init__(self, targets: Targets, git: Git | None = None) -> None:
        self._targets = targets
        self._git = git
        self._asked: dict[tuple[str, str], _Asked] = {}

    @activity.defn(no_thread_cancel_exception=True)
    def check_stays(self, question: StayQuestion) -> Stayed:
        """What there is to tell: a change, or how it stands at `until`."""
        staying, left_s = question.staying, (question.until - now()).total_seconds()
        try:
            stayed = self._look(question)
        except RollbackError as error:
            if now() < question.until + PATIENCE:
                raise NotYet(f"cannot look: {error.what}", retry_after_s=question.every_s) from None
            return Stayed(verdict=Verdict.CANNOT_TELL, because=error.what, left=question.held)
        if stayed.verdict is Verdict.CANNOT_TELL and now() < question.until + PATIENCE:
            raise NotYet(stayed.because, retry_after_s=min(question.every_s, LOOK_S))
        is_new = stayed.verdict is not question.known and question.known is not Verdict.NOT_LOOKED
        is_quiet = question.quiet_until is not None and now() < question.quiet_until
        is_told = not is_quiet and (is_new or _tells(stayed, question.known))
        if left_s <= 0 or is_told or stayed.released:
            return stayed
        raise NotYet(
            f"{staying.service}: {stayed.because}", retry_after_s=min(question.every_s, left_s)
        )

    @activity.defn(no_thread_cancel_exception=True)
    def deny_version(self, staying: Staying) -> str:
        """Bar the bad version's images, where the cluster has a list for that."""
        target = self._target(staying)
        target.must_be_at(staying.place)
        return owners_of(target).deny(staying.bad)

    @activity.defn(no_thread_cancel_exception=True)
    def let_owners_go(self, letting: Letting) -> str:
        """Give them back what they had."""
        return self._release(letting.staying, letting.owners)

    def _look(self, question: StayQuestion) -> Stayed:
        staying, target = question.staying, self._target(question.staying)
        owners = owners_of(target)
        if not staying.checks_s:  # nothing is to stay: the hold alone is looked after
            stayed = _of_the_hold_alone(staying, owners.live().newest_epoch)
        else:
            shares, versions = target.traffic.split(), target.workloads.versions()
            ready = {version: state.ready for version, state in versions.items()}
            stayed = judge(_meant(question), owners.live(), shares, ready)
        if stayed.verdict is not Verdict.STAYS:
            return stayed.model_copy(update={"left": question.held})
        found = self._released(question, stayed)  # first: one that agrees may be let loose by hand
        if loose := owners.missing(OwnersHeld(owners=found.left, minimum=staying.minimum)):
            because = f"it is let loose, and not by us: {loose}"
            return found.model_copy(update={"verdict": Verdict.UNHELD, "because": because})
        return found

    def _released(self, question: StayQuestion, stayed: Stayed) -> Stayed:
        """Those that agree are given back; the others stay, with the reason."""
        staying, told, why = question.staying, dict[str, str](), list[str]()
        for owner in question.releases:
            agreement = self._agrees(owner, staying)
            if agreement.agrees:
                self._release(staying, (owner,))
                told[owner.name] = f"{owner.name} given back: {agreement.because}"
            else:
                why.append(f"{owner.name}: {agreement.because}")
        left = tuple(one for one in question.held if one.name not in told)
        return stayed.model_copy(
            update={"released": tuple(told.values()), "left": left, "held_because": "; ".join(why)}
        )

    def _agrees(self, owner: Owner, staying: Staying) -> Agreement:
        said = owners_of(self._target(staying)).agrees(owner, staying.since)
        return said if said.agrees else (self._git_says(staying) or said)

    def _git_says(self, staying: Staying) -> Agreement | None:
        """As it was told last, while that is young; noted before it is asked, for that may take.

        One entry for each service that was rolled back.
        """
        if self._git is None:
            return None
        name = staying.env, staying.service
        last = self._asked.get(name)
        is_same = last is not None and last.rollback == staying.rollback
        if last is not None and is_same and time.monotonic() - last.at < GIT_EVERY_S:
            return last.told
        asked = _Asked(staying.rollback, time.monotonic(), None)
        self._asked[name] = asked
        told = self._git.agrees(staying)
        self._asked[name] = asked._replace(told=told)
        return told

    def _release(self, staying: Staying, owners: tuple[Owner, ...]) -> str:
        mark = Mark(
            op_id=op_id(staying.rollback, staying.service, AFTER_ALL_STEPS, staying.digest),
            epoch=staying.epoch,
            step=AFTER_ALL_STEPS,
        )
        wanted = OwnersHeld(owners=owners, minimum=staying.minimum, hold=False)
        target = self._target(staying)
        target.must_be_at(staying.place)
        try:
            return owners_of(target).set(wanted, mark)
        except StaleWrite as stale:
            return f"left to the newer rollback that holds it: {stale.what}"

    def _target(self, staying: Staying) -> Target:
        return self._targets(staying.env, staying.service)


def _tells(stayed: Stayed, known: Verdict) -> bool:
    """Whether a first look already says something that nobody must wait for."""
    return known is Verdict.NOT_LOOKED and stayed.verdict is not Verdict.STAYS


def _meant(question: StayQuestion) -> Staying:
    """Without its floor once an autoscaler has its own bounds back: then it follows the load."""
    given_back = [one for one in question.staying.owners if one not in question.held]
    if any(one.kind is OwnerKind.AUTOSCALER for one in given_back):
        return question.staying.model_copy(update={"floor": 1})
    return question.staying


def _of_the_hold_alone(staying: Staying, epoch: int) -> Stayed:
    if epoch > staying.epoch:
        because = f"rollback number {epoch} of this service took over"
        return Stayed(verdict=Verdict.SUPERSEDED, because=because)
    because = "nothing that was rolled back is left to watch; what was held is held still"
    return Stayed(verdict=Verdict.STAYS, because=because)
