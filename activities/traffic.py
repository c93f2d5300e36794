"""The role of traffic: shift it, and wait until the old side answers nothing any more."""

from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from activities.look import Look, Looks
from activities.reconciler import Reconciliation, reconcile
from activities.step import Step, wants
from activities.targets import Target, Targets
from rollback_manager.guard import Judgement, judge_shift
from rollback_manager.moves import FOLLOWS
from rollback_manager.plan import Drained, Split
from rollback_manager.progress import StepRecord


class TrafficActivities:
    """Activities that move traffic and wait for it."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    @activity.defn(no_thread_cancel_exception=True)
    def redirect_traffic(self, step: Step) -> StepRecord:
        """Split the traffic as wanted, confirmed by the share measured at the proxy."""
        target = self._targets(step.env, step.plan.service)
        shift = _Shift(step, wants(step, Split), target)
        return reconcile(
            step,
            target,
            Reconciliation(
                written=shift.written,
                guard=shift.guard,
                write=shift.write,
                confirmed=shift.confirmed,
                missing=shift.missing,
            ),
        )

    @activity.defn(no_thread_cancel_exception=True)
    def drain(self, step: Step) -> StepRecord:
        """Wait until the version answers no request any more; writes nothing."""
        version = wants(step, Drained).version
        return reconcile(
            step,
            self._targets(step.env, step.plan.service),
            Reconciliation(
                written=lambda look: look.shares.shares.get(version, 0) == 0,
                guard=lambda look: Judgement(
                    allowed=False,
                    because=f"{version} still has {look.shares.shares[version]} % of the traffic",
                ),
                write=lambda _: "",
                confirmed=lambda looks, _: drained(looks, version),
                missing=lambda look: _not_drained(look, version),
            ),
        )


def drained(looks: Looks, version: str) -> str | None:
    """Nothing in flight, read twice: one reading may fall between two requests.

    Twice is at two moments: counters that are read seldom answer the same for many looks.
    """
    last = looks.all[-1].snapshot.taken_at
    earlier = (look for look in reversed(looks.all) if look.snapshot.taken_at < last)
    twice = (looks.all[-1], next(earlier, None))
    if any(look is None or look.in_flight(version) for look in twice):
        return None
    return f"0 requests in flight on {version}, read twice"


def _not_drained(look: Look, version: str) -> str:
    if look.snapshot.blind:
        return f"nobody can tell what {version} still answers: {look.snapshot.blind}"
    return f"{look.in_flight(version)} requests in flight on {version}"


@dataclass(frozen=True)
class _Shift:
    """One change of the split."""

    step: Step
    wanted: Split
    target: Target

    def written(self, look: Look) -> bool:
        if look.shares.moves in FOLLOWS:
            return True  # nobody sets it: it is seen
        own = look.shares.mark is not None and look.shares.mark.op_id == self.step.mark.op_id
        return own or (self._is_so(look) and not self.step.leaves_mark)

    def guard(self, look: Look) -> Judgement:
        undo = self.step.action.undo
        if isinstance(undo, Split) and look.shares.shares not in (undo.shares, self._shares()):
            because = f"the traffic is split {look.shares.shares}, the plan found {undo.shares}"
            return Judgement(allowed=False, because=f"{because}: somebody else changed it")
        if self._is_so(look):
            return Judgement(allowed=True, because="it is so already: only the mark is new")
        return judge_shift(look.sides(self._shares()), self.step.plan.floor)

    def write(self, look: Look) -> str:
        self.target.traffic.set_shares(self._shares(), self.step.mark, look.shares.token)
        return f"shares {_words(self._shares())}"

    def confirmed(self, looks: Looks, since: datetime) -> str | None:
        look = looks.all[-1]
        if not (look.shares.acknowledged and look.shares.shares == self._shares()):
            return None
        needed = self.step.plan.policy.confirmed_requests
        if needed == 0 or self.wanted.at_least == 0:
            return f"shares {_words(self._shares())} as set; no measurement is asked for"
        measured = looks.measured_share(self.wanted.version, needed, since)
        if measured is None or measured < self.wanted.at_least:
            return None
        return f"{measured:.1%} of the requests reach {self.wanted.version}"

    def missing(self, look: Look) -> str:
        if not look.shares.acknowledged:
            return "the proxy has not taken the split up"
        if look.shares.shares != self._shares():
            return f"the split is {_words(look.shares.shares)}, not {_words(self._shares())}"
        if look.snapshot.blind:
            return f"the split is set, but nothing measures it: {look.snapshot.blind}"
        return (
            f"the split is set, but ≥ {self.wanted.at_least:.0%} on {self.wanted.version} was not"
            f" measured over {self.step.plan.policy.confirmed_requests} requests"
        )

    def _is_so(self, look: Look) -> bool:
        return look.shares.shares == self._shares() and look.shares.acknowledged

    def _shares(self) -> dict[str, int]:
        return {version: part for version, part in self.wanted.shares.items() if part}


def _words(shares: dict[str, int]) -> str:
    return ", ".join(f"{version} {part} %" for version, part in sorted(shares.items()))
