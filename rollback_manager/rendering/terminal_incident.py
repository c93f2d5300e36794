"""An incident on a terminal: how it stands, what says so, what was decided, what to type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rollback_manager.decision.engine import Decision
from rollback_manager.decision.facts import Action
from rollback_manager.incidents.incident import Incident, Joined, Status
from rollback_manager.incidents.incident_status import UNDONE, SeenIncident
from rollback_manager.rendering import evidence_line, words
from rollback_manager.rendering.layout import command, foreign, labelled, pad, page

if TYPE_CHECKING:  # it brings temporalio, which a rendering never needs
    from rollback_manager.client.incidents import ListedIncident

MOST_REFUSED = 5
"""Refused alarms that are told; --json has all that are kept."""


def incident(seen: SeenIncident) -> str:
    """How it stands, the evidence, the decision with its reasons, and the way on."""
    status, known = seen.status, seen.status.incident
    lines = [f"{known.id}   {state(seen)}   since {words.day_and_clock(known.detected_at)}"]
    lines += labelled("stands so:", [foreign(status.because) or words.UNKNOWN])
    lines += labelled("evidence:", [_evidence(one) for one in known.joined] or ["none joined"])
    if status.trace.points:
        lines += labelled("over time:", [evidence_line.line(status.trace)])
    if status.decision is not None:
        lines += _decision(status.decision)
    refused = [f"{one.refusal}: {foreign(one.because)}" for one in status.refused[-MOST_REFUSED:]]
    lines += labelled("refused:", refused)
    if status.rollback:
        lines += labelled("rollback:", [status.rollback])
    return page([*lines, *labelled("next:", next_steps(seen), indent=7)])


def listed(runs: Sequence[ListedIncident]) -> str:
    """Newest first; ids on lines of their own, for they are copied."""
    if not runs:
        return page(["no incidents"])
    states = max(len("state"), *(len(run.state) for run in runs))
    rows = [f"{pad('began', 20)}  {pad('state', states)}  trigger"]
    for run in runs:
        state = pad(foreign(run.state), states)
        rows.append(f"{words.day_and_clock(run.started_at)}  {state}  {foreign(run.trigger)}")
        rows.append(f"  {foreign(run.incident)}")
    return page([*rows, *_show(_most_urgent(runs).incident)])


def _most_urgent(runs: Sequence[ListedIncident]) -> ListedIncident:
    """The newest that asks a person; else the newest that runs; else the newest."""
    running = [run for run in runs if run.closed_at is None]
    asking = [run for run in running if run.state == Status.DECISION_MADE]
    return next(iter((*asking, *running, *runs)))


def _show(incident_id: str) -> Iterator[str]:
    parts = foreign(incident_id).split("/")
    known = len(parts) == len(("incident", "ENV", "SERVICE", "VERSION"))  # others may start some
    env, service, version = parts[1:] if known else ("E", "SERVICE", "VERSION")
    named = f"rollback-manager incident show {service} {version}"
    yield from command("next:  ", named, f"--env {env}")


def state(seen: SeenIncident) -> str:
    """In capitals: a state is read as a word, never as a colour."""
    if seen.asks:
        return "ASKS A PERSON"
    word = str(seen.status.incident.status).replace("_", " ").upper()
    if not seen.ended:
        return word
    return f"{word}, ENDED" if seen.ended == "completed" else f"{word}, {seen.ended.upper()}"


def decide_line(known: Incident, action: Action | str) -> str:
    """The command by which a person answers."""
    return (
        f"rollback-manager incident decide {known.service} {known.version} {action}"
        f' --env {known.env} --reason "WHY"'
    )


def _evidence(one: Joined) -> str:
    newest = one.newest
    alarms = f"{one.alarms} alarms" if one.alarms != 1 else "1 alarm"
    told = f"{newest.trigger}, {newest.source}: {newest.finding}: {foreign(newest.words)}"
    return f"{told} ({alarms}, last word {words.clock(newest.fired_at)})"


def _decision(made: Decision) -> Iterator[str]:
    sure = words.confidence(made.confidence, made.signs, calibrated=made.calibrated)
    how = f"by {made.method}, {sure}"
    action = str(made.action).replace("_", " ").upper()
    yield from labelled("decided:", [f"{action} {how}, {words.clock(made.decided_at)}"])
    yield from labelled("because:", map(foreign, made.reasons))
    yield from labelled("advice:", map(foreign, made.recommendations))
    if made.approvers:
        yield from labelled("may agree:", [", ".join(map(foreign, made.approvers))])


def next_steps(seen: SeenIncident) -> Iterator[str]:
    """What fits the moment."""
    known = seen.status.incident
    named = f"{known.service} {known.version} --env {known.env}"
    if seen.asks:
        for action in (Action.ROLLBACK, Action.FIX_FORWARD, Action.MONITOR):
            yield decide_line(known, action)
    elif seen.status.rollback:
        verb = "report" if seen.ended or known.status in UNDONE else "watch"
        yield f"rollback-manager {verb} {seen.status.rollback}"
    elif seen.ended:
        yield f"If it is still bad: rollback-manager start {known.service} --env {known.env}"
    else:
        yield f"Look again: rollback-manager incident show {named}"
