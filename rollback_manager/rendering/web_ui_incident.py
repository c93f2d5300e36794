"""An incident on its own page of Temporal's Web UI."""

from collections.abc import Iterator

from rollback_manager.incident_status import IncidentStatus


def details(status: IncidentStatus) -> str:
    """Markdown: how it stands, the evidence, the decision with its reasons, the way on."""
    return "\n".join(_lines(status))


def _lines(status: IncidentStatus) -> Iterator[str]:
    incident = status.incident
    yield f"**{incident.service} {incident.version}: {incident.status}**"
    if status.because:
        yield f"\n{status.because}"
    if status.rollback:
        yield f"\nRollback: `{status.rollback}`"
    if incident.joined:
        yield "\n| trigger | source | finding | what it says | alarms |\n|---|---|---|---|---|"
    for one in incident.joined:
        newest = one.newest
        yield (
            f"| {newest.trigger} | {newest.source} | {newest.finding} | {newest.words}"
            f" | {one.alarms} |"
        )
    if status.decision is not None:
        yield f"\nDecision: **{status.decision.action}**, by {status.decision.method}"
        yield from (f"- {reason}" for reason in status.decision.reasons)
        yield from (f"- → {advice}" for advice in status.decision.recommendations)
    for refused in status.refused:
        yield f"- not acted on, {refused.refusal}: {refused.because}"
