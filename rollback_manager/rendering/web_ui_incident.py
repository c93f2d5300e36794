"""An incident on its own page of Temporal's Web UI."""

from collections.abc import Iterator

from rollback_manager.incidents.incident_status import IncidentStatus
from rollback_manager.rendering import evidence_line, words
from rollback_manager.rendering.web_ui import cell
from rollback_manager.watch.watching import Watch


def details(status: IncidentStatus) -> str:
    """Markdown: how it stands, the evidence, the decision with its reasons, the way on."""
    return "\n".join(_lines(status))


def _lines(status: IncidentStatus) -> Iterator[str]:
    incident = status.incident
    yield f"**{incident.service} {incident.version}: {incident.status}**"
    if status.because:
        yield f"\n{cell(status.because)}"
    if status.rollback:
        yield f"\nRollback: `{status.rollback}`"
    if incident.joined:
        yield "\n| trigger | source | finding | what it says | alarms |\n|---|---|---|---|---|"
    for one in incident.joined:
        newest = one.newest
        yield (
            f"| {newest.trigger} | {newest.source} | {newest.finding} | {cell(newest.words)}"
            f" | {one.alarms} |"
        )
    if status.trace.points:
        yield f"\nEvidence: {evidence_line.line(status.trace)}"
    if status.decision is not None:
        made = status.decision
        sure = words.confidence(made.confidence, made.signs, calibrated=made.calibrated)
        yield f"\nDecision: **{made.action}**, by {made.method}, {sure}"
        yield from (f"- {cell(reason)}" for reason in made.reasons)
        yield from (f"- → {cell(advice)}" for advice in made.recommendations)
    for refused in status.refused:
        yield f"- not acted on, {refused.refusal}: {cell(refused.because)}"


def watched(watch: Watch) -> str:
    """Markdown: what is watched beside what, and what cannot be read."""
    if not watch.looked:
        return "It has not looked yet."
    lines = ["| service | release | beside |", "|---|---|---|"] if watch.releases else []
    lines += [
        f"| {one.service} | {one.version} | {one.beside or 'nothing: fixed limits'} |"
        for one in watch.releases
    ]
    lines += [f"- cannot be read: {one.service}: {cell(one.because)}" for one in watch.trouble]
    return "\n".join(lines) or "No release is to be watched."
