"""The outcome of a rollback in a line and its numbers; the same on every page."""

from datetime import datetime

from rollback_manager.progress import Result
from rollback_manager.rendering.words import UNKNOWN
from rollback_manager.report import Kind, Report, ServicePart

FEW = 3
"""Services that the first line names; of more it says how many."""


def headline(r: Report) -> str:
    """The outcome in one line with its exact numbers."""
    moves = [f"{p.plan.service} {p.plan.from_version} → {p.plan.to_version}" for p in r.services]
    what = ", ".join(moves) or ", ".join(r.request.services)
    if len(moves) > FEW and r.plan is not None:
        what = f"{len(moves)} services in {len(r.plan.waves)} waves"
    return f"{state(r)}: {what} in {r.request.env}"


def state(r: Report) -> str:
    """How it ended, or that it has not; never by colour alone."""
    if r.ended is None:
        return "STILL RUNNING"
    if r.outcome is not None:
        return str(r.outcome.result).replace("_", " ").upper()
    words = UNKNOWN if r.ended is Kind.COMPLETED else str(r.ended).replace("_", " ")
    return f"ENDED WITHOUT A RESULT ({words})"


def is_good(r: Report) -> bool:
    """Whether nobody has to do anything."""
    return r.outcome is not None and r.outcome.result is Result.VERIFIED


def summary(r: Report) -> tuple[str, ...]:
    """The numbers of the outcome line, and what it means for production."""
    numbers = (
        f"Decision → traffic back {seconds(r.traffic_back_s)}; "
        f"decision → verified {seconds(r.verified_s)}; "
        f"requests failed by our own doing: {own(r)}; impact: {impact(r)}."
    )
    if r.outcome is None:
        effect = r.ended_because or "The effect on production is unknown: look before you act."
        running = f"This is what its history said until {utc(r.as_of)}; ask again for the rest."
        return (numbers, running if r.ended is None else effect)
    silent = f"Not told: {'; '.join(r.outcome.not_told)}." if r.outcome.not_told else ""
    why = (r.outcome.effect, r.outcome.because, r.outcome.next_step, silent)
    return (numbers, *(line for line in why if line))


def utc(at: datetime) -> str:
    """A moment with its date, to the millisecond."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}Z"


def seconds(value: float | None) -> str:
    """A duration; from two minutes on also in minutes."""
    if value is None:
        return UNKNOWN
    minutes, rest = divmod(round(value), 60)
    return f"{value:.1f} s" + (f" ({minutes} min {rest} s)" if minutes >= 2 else "")


def impact(r: Report) -> str:
    """How long users had errors."""
    if r.impact is None:
        return UNKNOWN
    least = "at least " if r.impact.at_least else ""
    return f"{least}{r.impact.minutes:.1f} min from {utc(r.impact.since)}"


def own(r: Report) -> str:
    """Requests that failed by our own doing."""
    if r.own_errors is None:
        return UNKNOWN
    unread = f" (not counted during {', '.join(r.unread)})" if r.unread else ""
    return f"{r.own_errors}{unread}"


def closest(r: Report) -> str:
    """Fewest ready instances of the service that came closest to its floor, by name if several."""
    seen = [part for part in r.services if part.lowest_ready is not None]
    if not seen:
        return ready(r.services[0]) if r.services else UNKNOWN
    part = min(seen, key=lambda one: (one.lowest_ready or 0) - one.plan.floor)
    return f"{part.plan.service}: {ready(part)}" if len(r.services) > 1 else ready(part)


def ready(part: ServicePart) -> str:
    """Fewest ready instances, and the floor."""
    lowest = UNKNOWN if part.lowest_ready is None else str(part.lowest_ready)
    return f"{lowest} (floor {part.plan.floor})"
