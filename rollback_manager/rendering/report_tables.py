"""The tables of a report; not escaped."""

from collections.abc import Iterable

from rollback_manager.gates import Group
from rollback_manager.plan import short
from rollback_manager.rendering.report_parts import Table
from rollback_manager.rendering.report_summary import ready, seconds, utc
from rollback_manager.rendering.words import UNKNOWN, by_version, duration, image
from rollback_manager.report import Moment, Report, ServicePart, StepLine

NONE = "-"
"""Not applicable; other than what is not known."""
GROUPS = {
    Group.BEFORE: "Gates before",
    Group.DURING: "Gates during",
    Group.AFTER: "Gates after",
    Group.COMPLETION: "Completion criteria",
}


def versions(r: Report) -> Table:
    """Each service with where it was, where it went, and how it stands."""
    head = ("service", "from", "to", "strategy", "ended", "lowest ready", "found at the end")
    rows = tuple(
        (
            p.plan.service,
            f"{p.plan.from_version} {image(p.plan.from_digest)}",
            f"{p.plan.to_version} {image(p.plan.to_digest)}",
            p.plan.strategy,
            str(p.outcome.end) if p.outcome else UNKNOWN,
            ready(p),
            _found(p),
        )
        for p in r.services
    )
    return Table("Services and their versions", head, rows)


def _found(part: ServicePart) -> str:
    found = part.outcome.found if part.outcome else None
    if found is None:
        return UNKNOWN
    return f"traffic {by_version(found.shares, '%')}; ready {by_version(found.ready)}"


def waves(r: Report) -> tuple[Table, ...]:
    """Each wave with how its services ended; nothing where there is one service alone."""
    if r.plan is None or len(r.plan.services) == 1:
        return ()
    ends = {part.plan.service: _ended(part) for part in r.services}
    rows = tuple(
        (str(number), name, ends.get(name, UNKNOWN))
        for number, wave in enumerate(r.plan.waves, start=1)
        for name in wave
    )
    return (Table("Waves", ("wave", "service", "ended"), rows),)


def _ended(part: ServicePart) -> str:
    if part.outcome is None:
        return UNKNOWN
    proof = ", verified" if part.outcome.verified else ""
    return f"{str(part.outcome.end).replace('_', ' ')}{proof}: {part.outcome.because}"


def timeline(caption: str, moments: Iterable[Moment]) -> Table:
    """What happened, in its order."""
    rows = tuple((utc(m.at), m.text, m.source) for m in moments)
    return Table(caption, ("UTC", "what happened", "source"), rows)


def steps(part: ServicePart) -> Table:
    """Each step: planned time-out against actual time, before, written, observed, attempts."""
    head = ("step", "state", "time-out", "took", "before", "written", "observed", "attempts")
    rows = tuple(
        (
            f"undo {step.name}" if step.undo else step.name,
            f"{step.state}{': ' + step.because if step.because else ''}",
            duration(step.timeout_s),
            NONE if step.attempts == 0 else seconds(step.seconds),
            *_seen(step),
            _attempts(step),
        )
        for step in part.steps
    )
    return Table(f"Steps of {part.plan.service}", head, rows)


def _seen(step: StepLine) -> tuple[str, str, str]:
    if step.record is None:
        return (NONE,) * 3 if step.attempts == 0 else (UNKNOWN,) * 3
    record = step.record
    return record.before or UNKNOWN, record.written or "nothing", record.observed or UNKNOWN


def _attempts(step: StepLine) -> str:
    if step.attempts is None:
        return UNKNOWN
    if step.attempts <= 1:
        return str(step.attempts)
    return f"{step.attempts}; the one before ended: {step.earlier or UNKNOWN}"


def checks(part: ServicePart) -> Table:
    """What each check of its steps answered."""
    rows = tuple(
        (step.name, verdict.check, str(verdict.answer), verdict.because)
        for step in part.steps
        for verdict in (step.record.verdicts if step.record else ())
    )
    return Table(f"Verdicts on {part.plan.service}", ("step", "check", "answer", "because"), rows)


def decisions(r: Report) -> Table:
    """The request and every vote, with who is behind it."""
    asked = (utc(r.requested_at), "request", r.request.requested_by or UNKNOWN, r.request.trigger)
    proof = ", not authenticated" if r.security == "local" else ""
    votes = (
        (
            utc(d.at),
            d.decision,
            d.by or UNKNOWN,
            f"{d.method or UNKNOWN}{'' if d.signed else ', not authenticated'}",
            short(d.plan) if d.plan else UNKNOWN,
            d.counted or UNKNOWN,
            d.reason or NONE,
        )
        for d in r.decisions
    )
    first = (*asked[:3], f"{asked[3]}{proof}", NONE, NONE, r.request.reason or NONE)
    head = ("UTC", "decision", "who", "method", "plan", "counted", "reason")
    return Table("Decisions", head, (first, *votes))


def commands(r: Report) -> Table:
    """What people said to it on its way."""
    head = ("UTC", "command", "who", "reason", "answer", "source")
    rows = tuple(
        (utc(c.at), c.command, c.by or UNKNOWN, c.reason or NONE, c.answer or NONE, c.source)
        for c in r.commands
    )
    return Table("Commands used", head, rows)


def evidence(r: Report) -> Table:
    """All of the evidence by version; second by second it is in the picture and the history."""
    versions = sorted({version for point in r.request.evidence for version in point.requests})
    rows = []
    for version in versions:
        asked = sum(point.requests.get(version, 0) for point in r.request.evidence)
        failed = sum(point.errors.get(version, 0) for point in r.request.evidence)
        rows.append((version, str(asked), str(failed), _ratio(failed, asked)))
    return Table("Evidence by version", ("version", "requests", "failed", "ratio"), tuple(rows))


def gates(r: Report, group: Group) -> Table:
    """The gates of one group; a line that says so where none is known."""
    asked = tuple(
        (gate.gate, str(gate.answer).replace("_", " "), gate.because)
        for gate in r.gates
        if gate.group is group
    )
    return Table(GROUPS[group], ("gate", "answer", "because"), asked or ((NONE, UNKNOWN, NONE),))


def _ratio(part: int, whole: int) -> str:
    """Percent; of nothing it is unknown, never 0."""
    return f"{part / whole:.2%}".replace("%", " %") if whole else UNKNOWN
