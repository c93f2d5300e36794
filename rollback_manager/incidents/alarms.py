"""May this alarm open or join an incident? Refusals are kept, with their reasons. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rollback_manager.incidents.triggers import Evidence, Finding, Source, TriggerKind
from rollback_manager.metrics.reading import Reading
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Release
from rollback_manager.values import Ratio, Value
from rollback_manager.watch.evidence_trace import EvidenceTrace


class Sighting(Value):
    """What was seen around a release when an alarm was given.

    new, old: readings of both versions over the same window. traffic_share: of the release.
    starting: what it still waits for. onset_at: when trouble began, as far as the numbers tell.
    common_mode: what says that the old version is hit as well. worse_than_old: the words of a
    detector that compared both at the same time. trace: its evidence until it spoke.
    """

    new: Reading | None = None
    old: Reading | None = None
    traffic_share: Ratio = 1.0
    starting: str = ""
    onset_at: datetime | None = None
    common_mode: str = ""
    worse_than_old: str = ""
    trace: EvidenceTrace = EvidenceTrace()


class Alarm(Value):
    """ "This release is worse", or that it is so no more; and what was seen then.

    times: how many alarms it stands for.
    """

    env: str
    service: str
    version: str
    evidence: Evidence
    seen: Sighting = Sighting()
    times: Annotated[int, Field(ge=1)] = 1


def collected(alarms: tuple[Alarm, ...], alarm: Alarm) -> tuple[Alarm, ...]:
    """With one more; of those that say the same the newest stands for all: a storm stays small."""
    same = next((one for one in alarms if _says(one) == _says(alarm)), None)
    if same is None:
        return *alarms, alarm
    newest = max(same, alarm, key=lambda one: one.evidence.fired_at)
    both = newest.model_copy(update={"times": same.times + alarm.times})
    return tuple(both if one is same else one for one in alarms)


def _says(alarm: Alarm) -> tuple[TriggerKind, Source, Finding, str]:
    said = alarm.evidence
    return said.trigger, said.source, said.finding, said.test


class Refusal(StrEnum):
    """Why an alarm is not acted on."""

    UNKNOWN_SERVICE = "unknown service"
    UNKNOWN_RELEASE = "unknown release"
    STALE = "stale alarm"
    FROM_THE_FUTURE = "fired in the future"
    OUTSIDE_THE_WINDOW = "release outside its window"
    STILL_STARTING = "release still starting"


class Refused(Value):
    """An alarm that is kept and not acted on."""

    refusal: Refusal
    because: str


class AlarmFacts(Value):
    """What an alarm is held against: what is known of its service and release, and the time.

    carries_traffic: the release has some of it, or had when the alarm fired. starting: what it
    still waits for, such as "1 of 4 instances ready"; empty when it has come up.
    """

    service: str
    version: str
    service_known: bool
    release: Release | None
    carries_traffic: bool
    starting: str
    now: datetime


CLOCK_SKEW_S = 60.0
"""How far two clocks may differ: security.md T38."""


def refused(evidence: Evidence, facts: AlarmFacts, policy: DecisionPolicy) -> Refused | None:
    """Why this alarm may not open or join an incident; None if it may."""
    if not facts.service_known:
        return _no(Refusal.UNKNOWN_SERVICE, f"the catalogue has no service {facts.service!r}")
    if facts.release is None:
        return _no(Refusal.UNKNOWN_RELEASE, f"{facts.service} has no release {facts.version!r}")
    age_s = (facts.now - evidence.fired_at).total_seconds()
    if age_s > policy.stale_after_s:
        because = f"it fired {age_s:.0f} s ago, limit {policy.stale_after_s:.0f} s"
        return _no(Refusal.STALE, because)
    if age_s < -CLOCK_SKEW_S:
        because = f"it fired {-age_s:.0f} s from now; clocks may differ by {CLOCK_SKEW_S:.0f} s"
        return _no(Refusal.FROM_THE_FUTURE, because)
    return _by_release(facts.release, facts, policy)


def _by_release(release: Release, facts: AlarmFacts, policy: DecisionPolicy) -> Refused | None:
    age = facts.now - release.recorded_at
    if age > timedelta(seconds=policy.watched_s):
        limit = timedelta(seconds=policy.watched_s)
        because = f"{release.version} went out {age} ago, its window is {limit}"
        return _no(Refusal.OUTSIDE_THE_WINDOW, because)
    if not facts.carries_traffic:
        because = f"{release.version} has no traffic: it was replaced or never had any"
        return _no(Refusal.OUTSIDE_THE_WINDOW, because)
    if facts.starting and age.total_seconds() < policy.start_within_s:
        limit_s = policy.start_within_s
        because = f"{facts.starting}, {age.total_seconds():.0f} s of {limit_s:.0f} s to come up"
        return _no(Refusal.STILL_STARTING, because)
    return None


def _no(refusal: Refusal, because: str) -> Refused:
    return Refused(refusal=refusal, because=because)
