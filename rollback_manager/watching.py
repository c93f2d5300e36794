"""What one environment's watch knows, and what a test's finding says to an incident. Pure."""

from datetime import datetime

from rollback_manager.alarms import Sighting
from rollback_manager.release import Baseline, Release, Standing
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.triggers import Evidence, Source, TriggerKind
from rollback_manager.triggers import Finding as Said
from rollback_manager.values import Value
from rollback_manager.verification import wilson

ERRORS, SLOWNESS = "static_errors", "static_latency"
"""The two fixed limits to which a version is held that has nothing beside it."""

TRIGGERS = {
    "error_ratio": TriggerKind.CRITICAL_ERROR_RATE,
    "latency_p95": TriggerKind.LATENCY_DEGRADATION,
    ERRORS: TriggerKind.CRITICAL_ERROR_RATE,
    SLOWNESS: TriggerKind.LATENCY_DEGRADATION,
    "instances": TriggerKind.HEALTH_CHECK_FAILURE,
}
"""The trigger of each test. Silence is no regression and common mode no alarm: neither is here."""

COMPARING = ("error_ratio", "latency_p95")
"""Tests that compare both versions at the same time; their evidence is in nats."""

_SAYS = {
    Answer.REGRESSED: Said.REGRESSED,
    Answer.FINE_SO_FAR: Said.FINE,
    Answer.CANNOT_TELL: Said.CANNOT_TELL,
}


class Watched(Value):
    """One release under watch, in words for people."""

    service: str
    version: str
    beside: str
    """The version that it is compared with; empty where nothing else has traffic."""
    says: str


class Trouble(Value):
    """A service that cannot be looked at, and why."""

    service: str
    because: str


class Watch(Value):
    """What the watch of one environment knows. trouble: only what has lasted for a while."""

    env: str
    releases: tuple[Watched, ...] = ()
    trouble: tuple[Trouble, ...] = ()
    looked: bool = False

    def names(self) -> tuple[tuple[str, str, str], ...]:
        """What is watched beside what, whatever it says."""
        return tuple((one.service, one.version, one.beside) for one in self.releases)

    def troubled(self) -> tuple[str, ...]:
        """Services that cannot be looked at, whatever the reason."""
        return tuple(one.service for one in self.trouble)


def may_be_watched(release: Release, now: datetime, watched_s: float) -> bool:
    """Whether it is young enough, and not known to be bad."""
    young = (now - release.recorded_at).total_seconds() <= watched_s
    return young and release.standing is not Standing.BAD


def to_be_watched(
    releases: list[Release], shares: dict[str, int], now: datetime, watched_s: float
) -> Release | None:
    """The newest release with traffic, unless it is bad or older than the watch lasts."""
    live = [one for one in releases if shares.get(one.version)]
    newest = max(live, key=lambda one: one.recorded_at, default=None)
    return newest if newest is not None and may_be_watched(newest, now, watched_s) else None


def beside(version: str, shares: dict[str, int]) -> str:
    """The other version with the most traffic: the control. Empty where there is none."""
    others = {name: part for name, part in shares.items() if part and name != version}
    return max(sorted(others), key=lambda name: others[name], default="")


def usual(releases: list[Release], version: str, control: str) -> Baseline | None:
    """What users usually get: of the control; else of the newest other one that was good.

    Never of a bad release: what was measured of that would make the next bad one look well.
    """
    others = [one for one in releases if one.version != version and one.baseline is not None]
    good = [one for one in others if one.standing is not Standing.BAD]
    newest_first = sorted(good, key=lambda one: one.recorded_at, reverse=True)
    own = next((one for one in newest_first if one.version == control), None)
    chosen = own or next(iter(newest_first), None)
    return chosen.baseline if chosen else None


def evidence(
    finding: Finding, seen: Sighting, usually: Baseline | None, at: datetime
) -> Evidence | None:
    """What the finding says to an incident; None for a test that fires no trigger."""
    trigger = TRIGGERS.get(finding.test)
    if trigger is None:
        return None
    size, high = _size(trigger, finding, seen, usually)
    return Evidence(
        trigger=trigger,
        finding=_SAYS[finding.answer],
        words=f"{finding.because} (beside {finding.comparator})",
        source=Source.DETECTOR,
        fired_at=at,
        size=size,
        size_high=high,
        nats=max(0.0, finding.evidence_nats) if finding.test in COMPARING else 0.0,
    )


def _size(
    trigger: TriggerKind, finding: Finding, seen: Sighting, usually: Baseline | None
) -> tuple[float | None, float | None]:
    """In the trigger's own measure, and the upper end of its interval where there is one."""
    if trigger is TriggerKind.HEALTH_CHECK_FAILURE:
        return finding.effect, None
    if trigger is TriggerKind.CRITICAL_ERROR_RATE:
        return _failing(finding, seen)
    old = seen.old.latency_p95_ms if seen.old else usually.latency_p95_ms if usually else None
    if not old or seen.new is None or seen.new.latency_p95_ms is None:
        return None, None
    return seen.new.latency_p95_ms / old, None


def _failing(finding: Finding, seen: Sighting) -> tuple[float | None, float | None]:
    """The share that fails since the trouble began: a whole minute has the good time in it too."""
    if finding.usual is not None and finding.effect is not None:
        high = finding.effect_high
        return finding.usual + finding.effect, None if high is None else finding.usual + high
    if seen.new is None or not seen.new.requests:
        return None, None
    return seen.new.error_ratio, wilson(seen.new.errors, seen.new.requests)[1]
