"""What Temporal's Web UI shows: summaries with numbers, and current details as Markdown tables.

Bars cut a summary at 120 characters, so the numbers come first; details stay under 20 kB.
"""

from rollback_manager.plan import (
    Action,
    Capacity,
    Drained,
    Removed,
    RollbackPlan,
    ServicePlan,
    Split,
    Well,
    short,
)
from rollback_manager.progress import RollbackStatus, ServiceStatus, State

SECURITY = "local – one operator, decisions are not authenticated"


def target_of(action: Action) -> str:
    """What the action brings about, in a few words with numbers."""
    match action.wanted:
        case Capacity(version=version, instances=instances):
            return f"{instances} × {version} ready"
        case Split(shares=shares):
            parts = (f"{version} {part} %" for version, part in sorted(shares.items()) if part)
            return ", ".join(parts)
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
        f"| {step.name} | {_cell(step.target)} | {step.state} | {_cell(step.summary)} |"
        for step in status.steps
    ]
    lines = [
        f"### {_word(status.state)} · {_cell(status.service)}"
        f" {_cell(status.from_version)} → {_cell(status.to_version)}",
        f"- **Waits for** {_cell(status.waits_for) or 'nobody'}",
        f"- **Part of** `{status.rollback}`",
        f"- **Stop** `rollback-manager abort {status.rollback}`",
        "",
        "| step | wanted | state | seen |",
        "|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines)


def rollback_details(status: RollbackStatus, plan: RollbackPlan | None) -> str:
    """Current details of the rollback: where it is, what it waits for, what to send."""
    lines = [
        f"### {_word(status.state)} · {_moves(plan) or status.rollback}",
        f"- **Waits for** {_cell(status.waits_for) or 'nobody'}",
        f"- **Stop** signal `abort`, or `rollback-manager abort {status.rollback}`",
        f"- **Security** {SECURITY}",
    ]
    if status.state is State.WAITING_FOR_APPROVAL and plan is not None:
        lines += ["", *_to_approve(plan, status)]
    if plan is not None:
        lines += ["", *_plan(plan, status.digest)]
    if status.decisions:
        lines += ["", *_decisions(status)]
    if status.outcome is not None:
        lines += ["", f"- **Ended** {status.outcome.result}: {_cell(status.outcome.because)}"]
        lines += [f"- **Production** {status.outcome.effect}"]
    return "\n".join(lines)


def _moves(plan: RollbackPlan | None) -> str:
    """`shop v2 → v1`, for the first line: tables further down may be cut off."""
    services = plan.services if plan else ()
    return ", ".join(
        f"{_cell(s.service)} {_cell(s.from_version)} → {_cell(s.to_version)}" for s in services
    )


def _plan(plan: RollbackPlan, digest: str) -> list[str]:
    rows = [
        f"| {s.service} | {_cell(s.from_version)} | {_cell(s.to_version)} | {s.strategy}"
        f" | {s.floor} of {s.desired} | `service/{plan.env}/{s.service}` |"
        for s in plan.services
    ]
    return [
        f"**Plan** `{short(digest)}`",
        "",
        "| service | from | to | strategy | floor | workflow |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def _to_approve(plan: RollbackPlan, status: RollbackStatus) -> list[str]:
    until = f" until {status.deadline:%H:%M:%SZ}" if status.deadline else ""
    return [
        f"**To decide{until}** send the update `approve` or `reject` with this:",
        "",
        f'    {{"plan": "{status.digest[:16]}", "by": "YOUR NAME"}}',
        "",
        f"If nobody answers: {plan.approval.on_expiry}. Silence never approves.",
    ]


def _decisions(status: RollbackStatus) -> list[str]:
    rows = [
        f"| {d.at:%H:%M:%SZ} | {d.decision} | {_cell(d.by)} ({d.method}, not authenticated)"
        f" | {'counted' if d.counted else 'ignored'}: {_cell(d.because)} |"
        for d in status.decisions
    ]
    return ["| at | decision | who | counted |", "|---|---|---|---|", *rows]


def _word(state: State) -> str:
    return str(state).upper().replace("_", " ")


def _cell(text: str) -> str:
    """Foreign text inside a Markdown table: one line, no markup."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    for mark in "\\`*_[]<>|":
        plain = plain.replace(mark, f"\\{mark}")
    return plain[:300]
