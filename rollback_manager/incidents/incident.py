"""One incident per release: its evidence, its status, and how it ended. Pure.

Whatever number of alarms comes, they join the one incident of their release. An alarm that goes
away is noted; it never brings the release back.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from rollback_manager.errors import PermanentError
from rollback_manager.incidents.triggers import (
    Automation,
    Evidence,
    Finding,
    Fired,
    Severity,
    Source,
    TriggerKind,
    fired,
    triggers,
)
from rollback_manager.policy import TriggerLimits
from rollback_manager.values import Count, Value


class Status(StrEnum):
    """How far an incident is: the seed's words, in its order."""

    DETECTED = "detected"
    ANALYZED = "analyzed"
    DECISION_MADE = "decision_made"
    PLANNED = "planned"
    EXECUTED = "executed"
    RESOLVED = "resolved"
    VERIFICATION_FAILED = "verification_failed"
    FIX_FORWARD_INITIATED = "fix_forward_initiated"
    MONITORING = "monitoring"
    ANALYSIS_COMPLETE = "analysis_complete"
    ERROR = "error"


class Resolution(StrEnum):
    """How an incident ended: the seed's words."""

    ROLLBACK_SUCCESSFUL = "rollback_successful"
    ROLLBACK_VERIFICATION_FAILED = "rollback_verification_failed"
    FIXING_FORWARD = "fixing_forward"
    MONITORING_CONTINUE = "monitoring_continue"
    ERROR_DURING_HANDLING = "error_during_handling"


RESOLUTIONS = {
    Status.RESOLVED: Resolution.ROLLBACK_SUCCESSFUL,
    Status.VERIFICATION_FAILED: Resolution.ROLLBACK_VERIFICATION_FAILED,
    Status.FIX_FORWARD_INITIATED: Resolution.FIXING_FORWARD,
    Status.MONITORING: Resolution.MONITORING_CONTINUE,
    Status.ERROR: Resolution.ERROR_DURING_HANDLING,
}
"""A status that settles something settles it in one way; the others leave it as it was."""

_DECIDED = {Status.PLANNED, Status.FIX_FORWARD_INITIATED, Status.MONITORING}
_ORDER = {
    Status.DETECTED: {Status.ANALYZED},
    Status.ANALYZED: {Status.DECISION_MADE},
    # A review by people waits here and ends in one of the same three; evidence that joins meanwhile
    # is analysed anew.
    Status.DECISION_MADE: {*_DECIDED, Status.ANALYZED},
    # A plan that nobody agrees to, or that is blocked, is a decision to be made again.
    Status.PLANNED: {Status.EXECUTED, Status.DECISION_MADE},
    Status.EXECUTED: {Status.RESOLVED, Status.VERIFICATION_FAILED},
    Status.RESOLVED: {Status.ANALYSIS_COMPLETE},
    Status.VERIFICATION_FAILED: {Status.PLANNED, Status.ANALYSIS_COMPLETE},
    Status.FIX_FORWARD_INITIATED: {Status.ANALYZED, Status.ANALYSIS_COMPLETE},
    Status.MONITORING: {Status.ANALYZED, Status.ANALYSIS_COMPLETE},
    Status.ANALYSIS_COMPLETE: set[Status](),
    Status.ERROR: {Status.ANALYZED, Status.ANALYSIS_COMPLETE},
}


def may_follow(status: Status) -> frozenset[Status]:
    """What may come after `status`: handling can fail everywhere but at the end."""
    broken = set() if status is Status.ANALYSIS_COMPLETE else {Status.ERROR}
    return frozenset(_ORDER[status] | broken)


class Joined(Value):
    """All that one test of a source said: the newest, the strongest, how many alarms."""

    newest: Evidence
    strongest: Evidence
    first_alarm_at: datetime | None
    alarms: Count


class Incident(Value):
    """What is known about one release that is said to be bad.

    `joined` has at most one entry per trigger, source and test, so that a storm of alarms stays
    small.
    """

    env: str
    service: str
    version: str
    detected_at: datetime
    status: Status = Status.DETECTED
    resolution: Resolution | None = None
    joined: tuple[Joined, ...] = ()

    @property
    def id(self) -> str:
        """One release, one incident (design §3)."""
        return f"incident/{self.env}/{self.service}/{self.version}"

    @property
    def alarms(self) -> int:
        """How many alarms have joined so far."""
        return sum(one.alarms for one in self.joined)

    @property
    def is_one(self) -> bool:
        """Whether any source ever said that it is worse, or that nothing is known of it."""
        said = (one for joined in self.joined for one in (joined.newest, joined.strongest))
        return any(one.finding is not Finding.FINE for one in said)


def moved(incident: Incident, status: Status) -> Incident:
    """The incident in its next status and resolved as that says; PermanentError out of order."""
    if status not in may_follow(incident.status):
        possible = ", ".join(sorted(may_follow(incident.status))) or "nothing"
        raise PermanentError(
            f"{incident.id} is {incident.status}; {status} cannot follow, only {possible}",
            effect="The incident is unchanged.",
        )
    resolution = RESOLUTIONS.get(status, incident.resolution)
    return incident.model_copy(update={"status": status, "resolution": resolution})


def join(incident: Incident, evidence: Evidence, times: int = 1) -> Incident:
    """The incident with this evidence in it; its status stays.

    Only "regressed" counts as an alarm. Other answers update what the same source said before, so
    that a recovery is seen; nothing here ever brings a release back. times: how many alarms it
    stands for.
    """
    mine = _index(incident.joined, evidence)
    if mine is None:
        first = Joined(newest=evidence, strongest=evidence, first_alarm_at=None, alarms=0)
        joined = (*incident.joined, _with(first, evidence, times))
    else:
        new = _with(incident.joined[mine], evidence, times)
        joined = (*incident.joined[:mine], new, *incident.joined[mine + 1 :])
    return incident.model_copy(update={"joined": joined})


def _index(joined: tuple[Joined, ...], evidence: Evidence) -> int | None:
    told = (_who(one.newest) for one in joined)
    return next((place for place, who in enumerate(told) if who == _who(evidence)), None)


def _who(evidence: Evidence) -> tuple[TriggerKind, Source, str]:
    return evidence.trigger, evidence.source, evidence.test


def _with(old: Joined, evidence: Evidence, times: int) -> Joined:
    """Alarms may come out of order: the first is the one that fired first."""
    first, alarms = old.first_alarm_at, old.alarms
    if evidence.finding is Finding.REGRESSED:
        first, alarms = min(first or evidence.fired_at, evidence.fired_at), alarms + times
    return Joined(
        newest=evidence if evidence.fired_at >= old.newest.fired_at else old.newest,
        strongest=max(old.strongest, evidence, key=_strength),
        first_alarm_at=first,
        alarms=alarms,
    )


def _strength(evidence: Evidence) -> tuple[bool, float, float]:
    return evidence.finding is Finding.REGRESSED, evidence.nats, evidence.size or 0.0


def fired_by(incident: Incident, limits: TriggerLimits) -> tuple[Fired, ...]:
    """Every trigger that fired, the most severe first; one that has recovered did fire."""
    all_of_them = (fired(one.strongest, limits) for one in incident.joined)
    order = list(Severity)
    found = [one for one in all_of_them if one is not None]
    return tuple(sorted(found, key=lambda one: -order.index(one.severity)))


def respond_by(incident: Incident, limits: TriggerLimits) -> datetime | None:
    """When an answer is due by the table's response times; None where nothing fired."""
    table = triggers(limits)
    due = (
        one.first_alarm_at + timedelta(seconds=table[one.newest.trigger].respond_within_s)
        for one in incident.joined
        if one.first_alarm_at is not None
    )
    return min(due, default=None)


def burning(incident: Incident) -> bool:
    """Whether any source still says "regressed"; if none does, users may be well again by now."""
    return any(one.newest.finding is Finding.REGRESSED for one in incident.joined)


def severity_of(fired: Iterable[Fired]) -> Severity | None:
    """The worst of all that fired; None where nothing did."""
    order = list(Severity)
    return max((one.severity for one in fired), key=order.index, default=None)


def automation_of(fired: Iterable[Fired]) -> Automation | None:
    """The most that any of them allows: a second alarm adds evidence, not hesitation.

    What data and security forbid is a cap of its own (caps.py), whatever else fired.
    """
    order = list(Automation)
    return min((one.automation for one in fired), key=order.index, default=None)
