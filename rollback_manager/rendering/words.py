"""Values as words and figures with units; the same on every surface."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from rollback_manager.gates import GateAnswer
from rollback_manager.metrics.reading import NoReading, Reading
from rollback_manager.plan import (
    Capacity,
    Configured,
    Drained,
    NotWorse,
    OwnersHeld,
    Reduced,
    Removed,
    Split,
    Wanted,
    Well,
)
from rollback_manager.progress import DecisionRecord, Ignored, RollbackStatus, State
from rollback_manager.rendering.layout import foreign
from rollback_manager.values import Ratio
from rollback_manager.verification import wilson

UNKNOWN = "unknown"

STATES = {
    State.PLANNING: "PLANNING",
    State.HELD: "HELD BY THE BUDGET",
    State.WAITING_FOR_APPROVAL: "WAITING FOR APPROVAL",
    State.WAITING_FOR_ITS_WAVE: "WAITING FOR ITS WAVE",
    State.RUNNING: "RUNNING",
    State.PAUSED: "PAUSED",
    State.NEEDS_HUMAN: "NEEDS A PERSON",
    State.RESTORING: "RESTORING",
    State.FINISHED: "FINISHED",
}
"""A state in capitals: it is read as a word, never as a colour."""

TELLING = (State.NEEDS_HUMAN, State.RESTORING, State.PAUSED)

GATES = {
    GateAnswer.PASSED: "pass",
    GateAnswer.FAILED: "FAIL",
    GateAnswer.INCONCLUSIVE: "unclear",
    GateAnswer.NOT_APPLICABLE: "n/a",
}


def duration(seconds: float | None) -> str:
    """`0.4 s`, `61 s`, `5 min 41 s`, `2 h 5 min`, `12 d`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 2 * 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    if whole < 48 * 3600:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return f"{whole // 86_400} d"


def percent(ratio: Ratio) -> str:
    """A ratio of 0 to 1 for people, `11.2 %`."""
    return f"{ratio * 100:.1f} %"


def clock(moment: datetime | None) -> str:
    """The time of day in UTC, `14:02:11Z`."""
    return UNKNOWN if moment is None else f"{moment:%H:%M:%SZ}"


def day_and_clock(moment: datetime | None) -> str:
    """Day and time in UTC, for lists that go back further than a day."""
    return UNKNOWN if moment is None else f"{moment:%Y-%m-%d %H:%M:%SZ}"


def by_version(figures: Mapping[str, int], unit: str = "") -> str:
    """`v1 4, v2 4`; with a unit `v1 66 %, v2 34 %`."""
    tail = f" {unit}" if unit else ""
    return ", ".join(f"{name} {figure}{tail}" for name, figure in figures.items()) or UNKNOWN


def image(digest: str) -> str:
    """The digest of a release, long enough to compare by eye: `sha256:41d8cd98f00b`."""
    kind, colon, figures = digest.rpartition(":")
    return f"{kind}{colon}{figures[:12]}" if digest else UNKNOWN


def failing(reading: Reading | NoReading) -> str:
    """What users got from a version, or why nobody can say."""
    if isinstance(reading, NoReading):
        return f"{UNKNOWN}: {reading.because}"
    if not reading.requests:
        return f"{UNKNOWN}: {reading.version} was not asked in {duration(reading.window_s)}"
    low, high = wilson(reading.errors, reading.requests)
    p95 = reading.latency_p95_ms
    slow = "" if p95 is None else f", P95 {p95:.0f} ms"
    bounds = f"{percent(low)} to {percent(high)} at 99 %{slow}"
    return (
        f"{reading.version} fails {percent(reading.error_ratio)} of {reading.requests} requests"
        f" in {duration(reading.window_s)} ({bounds})"
    )


def wanted(what: Wanted) -> str:
    """The state that an action brings about."""
    match what:
        case Configured():
            return f"{', '.join(what.objects)} as with {what.version}"
        case OwnersHeld():
            return f"{what.names} {'held' if what.hold else 'given back what it had'}"
        case Capacity():
            return f"{what.version}: {what.instances} instances ready"
        case Split():
            return f"traffic to {by_version(what.shares, '%')}"
        case NotWorse():
            return f"{what.version}: {what.percent} % of the traffic harm nobody"
        case Reduced():
            return f"{what.version}: down to {what.instances}, each drained, {what.kept} takes over"
        case Drained():
            return f"{what.version}: no traffic, no request in flight"
        case Well():
            return f"{what.version}: users are well"
        case Removed():
            return f"{what.version}: {what.instances} instances, {what.kept} carries on"


def quoted(digest: str) -> str:
    """As much of a plan's digest as a vote or a start must quote (at least 12 digits count)."""
    return digest[:16]


def state_of(now_is: RollbackStatus) -> State:
    """Where it is; a service that is paused, restores or waits says more than "running"."""
    if now_is.state is not State.RUNNING:
        return now_is.state
    told = {service.state for service in now_is.services}
    return next((state for state in TELLING if state in told), now_is.state)


def state(now_is: RollbackStatus) -> str:
    """Where it is, or how it ended, in capitals."""
    if now_is.outcome is not None:
        return str(now_is.outcome.result).replace("_", " ").upper()
    return STATES[state_of(now_is)]


def joined(texts: Iterable[str]) -> str:
    """What there is, between middle dots."""
    return " · ".join(text for text in texts if text)


def confidence(stated: Ratio, signs: Ratio | None, *, calibrated: bool) -> str:
    """That the release is bad: as measured on past alarms, beside the sum of signs.

    The sum is the seed's and no probability, so that it is always named.
    """
    if not calibrated:
        return f"confidence {stated:.2f} (sum of signs, not calibrated)"
    beside = "" if signs is None else f"; sum of signs {signs:.2f}"
    return f"confidence {stated:.2f} (measured on past alarms{beside})"


def decision(record: DecisionRecord) -> str:
    """One vote with its time: who, how that was proven, whether it counted."""
    return f"{clock(record.at)} {vote(record)}"


def vote(record: DecisionRecord) -> str:
    """One vote without its time, for lines that begin with one."""
    proof = "" if record.signed else ", not authenticated"
    counted = "" if record.counted else f"   ignored: {foreign(record.because)}"
    reason = f"   {foreign(record.reason)!r}" if record.reason else ""
    who = f"{foreign(record.by)} ({foreign(record.method)}{proof})"
    return f"{record.decision} by {who}{reason}{counted}"


def asked(now_is: RollbackStatus) -> str:
    """What there is to say of an open question besides its deadline: `1 of 2, escalated`."""
    counted = now_is.quorum if now_is.quorum and now_is.quorum[-1] != "1" else ""
    told = ["escalated"] if now_is.escalated else []
    told += [f"reminded {now_is.reminded} ×"] if now_is.reminded else []
    return ", ".join(filter(None, [counted, *told]))


def broken(by: str) -> str:
    """What everybody is told of a break-glass."""
    return f"BREAK-GLASS by {foreign(by)}: nobody was asked; to be reviewed within 24 h"


def ignored(what: Ignored) -> str:
    """A command that did not count, with its time."""
    said = f"{what.command.replace('_', ' ')} by {foreign(what.by)}"
    return f"{clock(what.at)} {said}   ignored: {foreign(what.because)}"


def _two(first: int, unit: str, second: int, small: str) -> str:
    return f"{first} {unit} {second} {small}" if second else f"{first} {unit}"
