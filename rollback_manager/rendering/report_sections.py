"""What a report says after its outcome line, in the order in which it is asked; not escaped."""

from collections.abc import Iterable

from rollback_manager.gates import Group
from rollback_manager.plan import short
from rollback_manager.rendering import evidence_words
from rollback_manager.rendering.picture import in_words
from rollback_manager.rendering.report_parts import Section, Table
from rollback_manager.rendering.report_summary import ready, seconds, utc
from rollback_manager.rendering.words import UNKNOWN, broken, by_version, duration, image
from rollback_manager.report import Lessons, Moment, Report, ServicePart, StepLine, lessons

NONE = "-"
"""Not applicable; other than what is not known."""
GROUPS = {
    Group.BEFORE: "Gates before",
    Group.DURING: "Gates during",
    Group.AFTER: "Gates after",
    Group.COMPLETION: "Completion criteria",
}
PICTURE = "Picture in words"
"""The section that pages with pictures draw."""
DEGRADED = "Timeline: deploy degraded"
ROLLBACK = "Timeline: rollback"
DECISIONS = "Decisions and commands"
BELIEVED = "Why we believed it"
"""Sections that pages show while it runs."""


def sections(r: Report) -> tuple[Section, ...]:
    """Everything after the outcome line, in the order in which it is asked."""
    return (
        _changed(r),
        Section(PICTURE, tuple(in_words(r).splitlines())),
        *evidence_words.section(r.request.trace),
        Section(DEGRADED, tables=(_timeline("Until the decision", r.before),)),
        Section(ROLLBACK, _hinge(r), (_timeline("From the decision on", r.after),)),
        _steps(r),
        Section(DECISIONS, _security(r), (_decisions(r), _commands(r))),
        _believed(r),
        Section("Gates", tables=tuple(_gates(r, group) for group in Group)),
        Section("What will not be undone", _not_undone(r)),
        _lessons(lessons(r)),
        _appendix(r),
    )


def _changed(r: Report) -> Section:
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
    lines = () if rows else (_no_plan(r),)
    versions = Table("Services and their versions", head, rows)
    return Section("From → to", lines, (versions, *waves_of(r)))


def waves_of(r: Report) -> tuple[Table, ...]:
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


def begun(r: Report) -> tuple[ServicePart, ...]:
    """The services whose steps are worth a table: the only one, or those that were begun."""
    if len(r.services) == 1:
        return r.services
    return tuple(p for p in r.services if any(step.attempts != 0 for step in p.steps))


def _steps(r: Report) -> Section:
    told = begun(r)
    rest = [part.plan.service for part in r.services if part not in told]
    lines = (f"Not begun: {', '.join(rest)}.",) if rest else ()
    return Section("Steps", lines, tuple(t for p in told for t in (steps_of(p), _checks(p))))


def _no_plan(r: Report) -> str:
    because = (r.planned.blocked_because or r.planned.error) if r.planned else ""
    return f"There was no plan: {because or UNKNOWN}."


def _found(part: ServicePart) -> str:
    found = part.outcome.found if part.outcome else None
    if found is None:
        return UNKNOWN
    return f"traffic {by_version(found.shares, '%')}; ready {by_version(found.ready)}"


def _hinge(r: Report) -> tuple[str, ...]:
    if r.decided_at is None:
        return ("When it was decided is unknown.",)
    return (f"Decided at {utc(r.decided_at)}: {r.decided_how}.",)


def _timeline(caption: str, moments: Iterable[Moment]) -> Table:
    rows = tuple((utc(m.at), m.text, m.source) for m in moments)
    return Table(caption, ("UTC", "what happened", "source"), rows)


def steps_of(part: ServicePart) -> Table:
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


def _checks(part: ServicePart) -> Table:
    rows = tuple(
        (step.name, verdict.check, str(verdict.answer), verdict.because)
        for step in part.steps
        for verdict in (step.record.verdicts if step.record else ())
    )
    return Table(f"Verdicts on {part.plan.service}", ("step", "check", "answer", "because"), rows)


def _security(r: Report) -> tuple[str, ...]:
    by = (broken(r.request.requested_by),) if r.request.break_glass else ()
    return (*by, *_level(r))


def _level(r: Report) -> tuple[str, ...]:
    match r.security:
        case "local":
            return ("Security: local. Names are as given, not authenticated.",)
        case "":
            return ("Security: unknown.",)
        case level:
            return (f"Security: {level}.",)


def _decisions(r: Report) -> Table:
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


def _commands(r: Report) -> Table:
    head = ("UTC", "command", "who", "reason", "answer", "source")
    rows = tuple(
        (utc(c.at), c.command, c.by or UNKNOWN, c.reason or NONE, c.answer or NONE, c.source)
        for c in r.commands
    )
    return Table("Commands used", head, rows)


def _believed(r: Report) -> Section:
    gates = [gate for gate in r.gates if gate.gate == "impact_assessment"]
    judged = (f"impact_assessment {g.answer.replace('_', ' ')}: {g.because}." for g in gates)
    seen = r.request.evidence
    span = f"{len(seen)} seconds from {utc(seen[0].at)}" if seen else UNKNOWN
    targets = (f"{p.plan.to_version}: {p.plan.target_because}." for p in r.services)
    lines = (
        f"Reason given: {r.request.reason or UNKNOWN}.",
        f"Trigger: {r.request.trigger}. Incident: {r.request.incident or UNKNOWN}.",
        f"Evidence sent with the request: {span}.",
        *judged,
        *targets,
    )
    return Section(BELIEVED, lines, (_evidence(r),) if seen else ())


def _evidence(r: Report) -> Table:
    """All of the evidence by version; second by second it is in the picture and the history."""
    versions = sorted({version for point in r.request.evidence for version in point.requests})
    rows = []
    for version in versions:
        asked = sum(point.requests.get(version, 0) for point in r.request.evidence)
        failed = sum(point.errors.get(version, 0) for point in r.request.evidence)
        rows.append((version, str(asked), str(failed), _ratio(failed, asked)))
    return Table("Evidence by version", ("version", "requests", "failed", "ratio"), tuple(rows))


def _gates(r: Report, group: Group) -> Table:
    asked = tuple(
        (gate.gate, str(gate.answer).replace("_", " "), gate.because)
        for gate in r.gates
        if gate.group is group
    )
    return Table(GROUPS[group], ("gate", "answer", "because"), asked or ((NONE, UNKNOWN, NONE),))


def _not_undone(r: Report) -> tuple[str, ...]:
    stays = [f"{p.plan.service}: {what}." for p in r.services for what in p.plan.not_undone]
    return tuple(stays) or (f"{UNKNOWN}: the plan names nothing.",)


def _lessons(found: Lessons) -> Section:
    lines = (
        f"Refused by the guard: {found.guard_refusals}. Halts: {found.halts}.",
        *(
            f"Slower than planned: {slow.what} took {duration(slow.took_s)}, "
            f"planned {duration(slow.planned_s)} ({slow.source})."
            for slow in found.slower
        ),
    )
    misses = tuple((miss.service, miss.step, miss.what) for miss in found.near_misses)
    todo = tuple((f.missing, f.seen_in, f.to_do) for f in found.follow_ups)
    tables = (
        Table("Near misses", ("service", "step", "what"), misses),
        Table("Follow-ups", ("what was missing", "seen in", "to do"), todo),
    )
    return Section("Lessons", lines, tables)


def _appendix(r: Report) -> Section:
    lines = (
        f"Rollback {r.rollback}; plan digest {r.digest or UNKNOWN}.",
        "Times of events are the Temporal server's clock; times of records and of evidence are "
        "those of the machine that looked. The error of either clock is unknown.",
        *(f"{p.plan.from_version}: {p.plan.from_digest or UNKNOWN}." for p in r.services),
        *(f"{p.plan.to_version}: {p.plan.to_digest or UNKNOWN}." for p in r.services),
        *_audit(r),
        "Made from Temporal's history alone. The same history gives the same report.",
        "The same by hand, if there is no Temporal:",
    )
    found = r.plan.found if r.plan else ()
    shell = tuple(line for service in found for line in service.by_hand)
    return Section("Appendix", lines, shell=shell or ("# unknown: the plan names no commands",))


def _audit(r: Report) -> tuple[str, ...]:
    if r.audit is not None:
        return (str(r.audit),)
    because = r.no_audit_because
    return (f"Not held against the audit chain: {because}.",) if because else ()


def _ratio(part: int, whole: int) -> str:
    """Percent; of nothing it is unknown, never 0."""
    return f"{part / whole:.2%}".replace("%", " %") if whole else UNKNOWN
