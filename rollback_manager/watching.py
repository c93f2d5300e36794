"""What one environment's watch knows, and what a test's finding says to an incident. Pure."""

from datetime import datetime

from rollback_manager.alarms import Sighting
from rollback_manager.release import Release, Standing
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.triggers import Evidence, Source, TriggerKind
from rollback_manager.triggers import Finding as Said
from rollback_manager.values import Value
from rollback_manager.verification import wilson

TRIGGERS = {
    "error_ratio": TriggerKind.CRITICAL_ERROR_RATE,
    "latency_p95": TriggerKind.LATENCY_DEGRADATION,
    "static_3_of_5": TriggerKind.CRITICAL_ERROR_RATE,
    "instances": TriggerKind.HEALTH_CHECK_FAILURE,
}
"""The trigger of each test. Silence is no regression and common mode no alarm: neither is here."""

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


class Watch(Value):
    """What the watch of one environment knows. trouble: of services that could not be read."""

    env: str
    releases: tuple[Watched, ...] = ()
    trouble: tuple[str, ...] = ()
    looked: bool = False

    def first(self, most: int) -> "Watch":
        """The same with so many releases and troubles at most."""
        fewer = {"releases": self.releases[:most], "trouble": self.trouble[:most]}
        return self.model_copy(update=fewer)

    def with_news(self, news: "Watch") -> "Watch":
        """The same with what `news` says of its releases; the others keep their older word."""
        told = {(one.service, one.version): one for one in news.releases}
        releases = tuple(told.get((one.service, one.version), one) for one in self.releases)
        return self.model_copy(update={"releases": releases, "trouble": news.trouble})

    def names(self) -> tuple[tuple[str, str, str], ...]:
        """What is watched beside what, whatever it says."""
        return tuple((one.service, one.version, one.beside) for one in self.releases)


class SeenWatch(Value):
    """The watch of one environment as a caller finds it.

    looked_at: when its last look reached Temporal, a few seconds behind; None before the first.
    trouble: why it may stand still, such as the last failure of its activity.
    """

    watch: Watch
    looked_at: datetime | None = None
    trouble: str = ""


def to_be_watched(
    releases: list[Release], shares: dict[str, int], now: datetime, watched_s: float
) -> Release | None:
    """The newest release with traffic, unless it is bad or older than the watch lasts."""
    live = [one for one in releases if shares.get(one.version)]
    newest = max(live, key=lambda one: one.recorded_at, default=None)
    if newest is None or newest.standing is Standing.BAD:
        return None
    return newest if (now - newest.recorded_at).total_seconds() <= watched_s else None


def beside(version: str, shares: dict[str, int]) -> str:
    """The other version with the most traffic: the control. Empty where there is none."""
    others = {name: part for name, part in shares.items() if part and name != version}
    return max(sorted(others), key=lambda name: others[name], default="")


def evidence(finding: Finding, seen: Sighting, at: datetime) -> Evidence | None:
    """What the finding says to an incident; None for a test that fires no trigger."""
    trigger = TRIGGERS.get(finding.test)
    if trigger is None:
        return None
    size, high = _size(trigger, finding, seen)
    return Evidence(
        trigger=trigger,
        finding=_SAYS[finding.answer],
        words=f"{finding.because} (beside {finding.comparator})",
        source=Source.DETECTOR,
        fired_at=at,
        size=size,
        size_high=high,
        nats=max(0.0, finding.evidence_nats),
    )


def _size(
    trigger: TriggerKind, finding: Finding, seen: Sighting
) -> tuple[float | None, float | None]:
    """In the trigger's own measure, and the upper end of its interval where there is one."""
    new, old = seen.new, seen.old
    if trigger is TriggerKind.HEALTH_CHECK_FAILURE:
        return finding.effect, None
    if new is None or not new.requests:
        return None, None
    if trigger is TriggerKind.CRITICAL_ERROR_RATE:
        return new.error_ratio, wilson(new.errors, new.requests)[1]
    if old is None or not old.latency_p95_ms or new.latency_p95_ms is None:
        return None, None
    return new.latency_p95_ms / old.latency_p95_ms, None
