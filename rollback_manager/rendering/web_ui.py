"""What Temporal's Web UI shows: summaries with numbers, and current details as Markdown tables.

Bars cut a summary at 120 characters, so the numbers come first; details stay under 20 kB.
"""

from rollback_manager.plan import (
    Action,
    Capacity,
    Configured,
    Drained,
    NotWorse,
    OwnersHeld,
    Reduced,
    Removed,
    RollbackPlan,
    ServicePlan,
    Split,
    Well,
    short,
)
from rollback_manager.progress import DecisionRecord, RollbackStatus, ServiceStatus, State
from rollback_manager.rendering import words

FEW = 3
"""Services that a headline names; of more it says how many."""

MANY = 80
"""Rows of a table: those that need somebody come first, and all of it stays under 20 kB."""

SECURITY = {
    "local": "local – one operator, decisions are not authenticated",
    "secured": "secured – decisions are signed by the gateway; what is sent here is ignored",
}


def target_of(action: Action) -> str:
    """What the action brings about, in a few words with numbers."""
    match action.wanted:
        case Configured(version=version, objects=objects):
            return f"{len(objects)} objects as with {version}"
        case OwnersHeld(hold=hold, names=names):
            return f"{names} {'held' if hold else 'given back'}"
        case Capacity(version=version, instances=instances):
            return f"{instances} × {version} ready"
        case Split(shares=shares):
            parts = (f"{version} {part} %" for version, part in sorted(shares.items()) if part)
            return ", ".join(parts)
        case NotWorse(version=version, percent=percent):
            return f"{percent} % on {version} harm nobody"
        case Reduced(version=version, instances=instances):
            return f"{version} down to {instances}, draining"
        case Drained(version=version):
            return f"0 in flight on {version}"
        case Well(version=version):
            return f"users of {version} are well"
        case Removed(version=version, instances=instances):
            return f"{version} down to {instances}"


def step_summary(action: Action, plan: ServicePlan) -> str:
    """The label of the step's bar on the timeline; at most 120 characters."""
    words = f"{target_of(action)} · floor {plan.floor} · ≤ {action.timeout_s:.0f} s"
    return words[:120]


def service_details(status: ServiceStatus) -> str:
    """Current details of the workflow that carries out one service."""
    rows = [
        f"| {step.name} | {cell(step.target)} | {step.state} | {cell(step.summary)} |"
        for step in status.steps
    ]
    lines = [
        f"### {words.STATES[status.state]} · {cell(status.service)}"
        f" {cell(status.from_version)} → {cell(status.to_version)}",
        f"- **Waits for** {cell(status.waits_for) or 'nobody'}",
        f"- **Serving** {_serving(status)}",
        f"- **Part of** `{status.rollback}`",
        f"- **Stop** `rollback-manager abort {status.rollback}`",
        "",
        "| step | wanted | state | seen |",
        "|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines)


def _serving(status: ServiceStatus) -> str:
    """Who has the traffic; a mixture of versions is named for as long as it exists."""
    shares = status.found.shares if status.found else {}
    parts = ", ".join(f"{cell(v)} {part} %" for v, part in sorted(shares.items()) if part)
    return f"MIXED VERSIONS: {parts}" if status.mixture else parts or "not read yet"


def rollback_details(status: RollbackStatus, plan: RollbackPlan | None) -> str:
    """Current details of the rollback: where it is, what it waits for, what to send."""
    lines = [
        f"### {words.STATES[status.state]} · {_moves(plan) or status.rollback}",
        f"- **Waits for** {cell(status.waits_for) or 'nobody'}",
        f"- **Stop** signal `abort`, or `rollback-manager abort {status.rollback}`",
        f"- **Security** {SECURITY.get(status.security, status.security)}",
    ]
    if plan is not None and plan.break_glass:
        lines += [f"- **{cell(words.broken(plan.break_glass))}**"]
    if plan is not None and plan.tier is not None:
        lines += [f"- **Tier** {plan.tier}: {cell(plan.tier_because)}"]
    if status.state is State.WAITING_FOR_APPROVAL and plan is not None:
        lines += ["", *_to_approve(plan, status)]
    if plan is not None:
        lines += ["", *_plan(plan, status.digest, status)]
    if status.decisions:
        lines += ["", *_decisions(status)]
    if status.ignored:
        lines += ["", *_ignored(status)]
    if status.outcome is not None:
        lines += ["", f"- **Ended** {status.outcome.result}: {cell(status.outcome.because)}"]
        lines += [f"- **Production** {status.outcome.effect}"]
        lines += [f"- **Not told** {cell(one)}" for one in status.outcome.not_told]
    return "\n".join(lines)


def _moves(plan: RollbackPlan | None) -> str:
    """`shop v2 → v1`, for the first line: tables further down may be cut off."""
    services = plan.services if plan else ()
    if len(services) > FEW and plan is not None:
        return f"{len(services)} services in {len(plan.waves)} waves"
    return ", ".join(
        f"{cell(s.service)} {cell(s.from_version)} → {cell(s.to_version)}" for s in services
    )


def _plan(plan: RollbackPlan, digest: str, status: RollbackStatus) -> list[str]:
    if len(plan.services) > 1:
        return [f"**Plan** `{short(digest)}`", "", *_waves(plan, status)]
    rows = [
        f"| {s.service} | {cell(s.from_version)} | {cell(s.to_version)} | {s.strategy}"
        f" | {s.floor} of {s.desired} | `service/{plan.env}/{s.service}` |"
        for s in plan.services
    ]
    return [
        f"**Plan** `{short(digest)}`",
        "",
        "| service | from | to | strategy | floor | workflow |",
        "|---|---|---|---|---|---|",
        *rows,
        *_drift(plan),
    ]


def _drift(plan: RollbackPlan) -> list[str]:
    """What became of the world since the target was recorded; at most so many sentences."""
    told = [sentence for seen in plan.found for sentence in seen.drift]
    more = [f"… and {len(told) - MANY} more"] if len(told) > MANY else []
    if not told:
        return []
    return [
        "",
        "**Changed since it was recorded**",
        "",
        *(f"- {cell(t)}" for t in told[:MANY]),
        *more,
    ]


def _waves(plan: RollbackPlan, status: RollbackStatus) -> list[str]:
    """A row for each service with its wave and state; those that need somebody first."""
    states = {one.service: one for one in status.services}
    ends = {one.service: str(one.end) for one in status.outcome.services} if status.outcome else {}
    wave_of = {name: number for number, wave in enumerate(plan.waves, 1) for name in wave}
    rows = [
        f"| {wave_of[s.service]} | {s.service} | {cell(s.from_version)} → {cell(s.to_version)}"
        f" | {ends.get(s.service) or words.STATES[states[s.service].state]} | {s.strategy}"
        f" | {s.floor} of {s.desired} |"
        for s in sorted(plan.services, key=lambda one: _urgency(states[one.service].state))
    ]
    more = [f"… and {len(rows) - MANY} more"] if len(rows) > MANY else []
    head = ["| wave | service | versions | state | strategy | floor |", "|---|---|---|---|---|---|"]
    return [*head, *rows[:MANY], *more, "", f"Workflows: `service/{plan.env}/SERVICE`"]


def _urgency(state: State) -> int:
    order = (State.NEEDS_HUMAN, State.RESTORING, State.PAUSED, State.RUNNING)
    return order.index(state) if state in order else len(order)


def _to_approve(plan: RollbackPlan, status: RollbackStatus) -> list[str]:
    until = f" until {status.deadline:%H:%M:%SZ}" if status.deadline else ""
    silence = f"If nobody answers: {plan.approval.on_expiry}. Silence never approves."
    asked = [f"**Asked** {cell(words.asked(status))}", ""] if words.asked(status) else []
    if plan.quorum is not None and plan.quorum.because:
        asked = [*asked, cell(plan.quorum.because), ""]
    if plan.keys:
        signed = "through the gateway: it signs, and what is sent here is ignored."
        return [*asked, f"**To decide{until}** approve or reject {signed}", "", silence]
    return [
        *asked,
        f"**To decide{until}** send the update `approve` or `reject` with this:",
        "",
        f'    {{"plan": "{status.digest[:16]}", "by": "YOUR NAME"}}',
        "",
        silence,
    ]


def _decisions(status: RollbackStatus) -> list[str]:
    rows = [
        f"| {d.at:%H:%M:%SZ} | {d.decision} | {cell(d.by)} ({cell(_proof(d))})"
        f" | {'counted' if d.counted else 'ignored'}: {cell(d.because)} |"
        for d in status.decisions
    ]
    return ["| at | decision | who | counted |", "|---|---|---|---|", *rows]


def _proof(record: DecisionRecord) -> str:
    return record.method if record.signed else f"{record.method}, not authenticated"


def _ignored(status: RollbackStatus) -> list[str]:
    return [
        f"- **Ignored** {cell(one.command)} by {cell(one.by)}: {cell(one.because)}"
        for one in status.ignored[-FEW:]
    ]


def cell(text: str) -> str:
    """Foreign text inside a Markdown table: one line, no markup, no address to click on."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    for mark in "\\`*_[]<>|":
        plain = plain.replace(mark, f"\\{mark}")
    return plain.replace("://", "\\://")[:300]
