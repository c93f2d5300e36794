"""What a report says after its outcome line, in the order in which it is asked; not escaped."""

from rollback_manager.gates import Group
from rollback_manager.rendering import evidence_words
from rollback_manager.rendering import report_tables as tables
from rollback_manager.rendering.picture import in_words
from rollback_manager.rendering.report_parts import Section, Table
from rollback_manager.rendering.report_summary import utc
from rollback_manager.rendering.words import UNKNOWN, broken, duration
from rollback_manager.report import Lessons, Report, ServicePart, lessons

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
        Section(DEGRADED, tables=(tables.timeline("Until the decision", r.before),)),
        Section(ROLLBACK, _hinge(r), (tables.timeline("From the decision on", r.after),)),
        _steps(r),
        Section(DECISIONS, _security(r), (tables.decisions(r), tables.commands(r))),
        _believed(r),
        Section("Gates", tables=tuple(tables.gates(r, group) for group in Group)),
        Section("What will not be undone", _not_undone(r)),
        _lessons(lessons(r)),
        _appendix(r),
    )


def _changed(r: Report) -> Section:
    lines = () if r.services else (_no_plan(r),)
    return Section("From → to", lines, (tables.versions(r), *tables.waves(r)))


def begun(r: Report) -> tuple[ServicePart, ...]:
    """The services whose steps are worth a table: the only one, or those that were begun."""
    if len(r.services) == 1:
        return r.services
    return tuple(p for p in r.services if any(step.attempts != 0 for step in p.steps))


def _steps(r: Report) -> Section:
    told = begun(r)
    rest = [part.plan.service for part in r.services if part not in told]
    lines = (f"Not begun: {', '.join(rest)}.",) if rest else ()
    return Section(
        "Steps", lines, tuple(t for p in told for t in (tables.steps(p), tables.checks(p)))
    )


def _no_plan(r: Report) -> str:
    because = (r.planned.blocked_because or r.planned.error) if r.planned else ""
    return f"There was no plan: {because or UNKNOWN}."


def _hinge(r: Report) -> tuple[str, ...]:
    if r.decided_at is None:
        return ("When it was decided is unknown.",)
    return (f"Decided at {utc(r.decided_at)}: {r.decided_how}.",)


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
    return Section(BELIEVED, lines, (tables.evidence(r),) if seen else ())


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
    learnt = (
        Table("Near misses", ("service", "step", "what"), misses),
        Table("Follow-ups", ("what was missing", "seen in", "to do"), todo),
    )
    return Section("Lessons", lines, learnt)


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
