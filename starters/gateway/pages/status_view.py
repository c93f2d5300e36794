"""How a rollback stands, for a page: the words of the command line, with a shape for each state.

Pure. A state is a word and a shape; its colour says nothing that these two do not.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from rollback_manager.progress import (
    EndState,
    Result,
    RollbackOutcome,
    RollbackStatus,
    ServiceOutcome,
    ServiceStatus,
    State,
    StepState,
    StepStatus,
)
from rollback_manager.rendering import terminal_fleet, terminal_status, words
from rollback_manager.rendering.layout import foreign


class Badge(NamedTuple):
    """A state: its word, the shape before it, and the class that colours both."""

    word: str
    shape: str
    kind: str


class Step(NamedTuple):
    """One step of a service, planned or begun."""

    name: str
    wanted: str
    badge: Badge
    took: str
    said: str


class ServiceShown(NamedTuple):
    """One service that is told in full. percent: of the traffic on the good version."""

    service: str
    versions: str
    to_version: str
    badge: Badge
    percent: int | None
    traffic: str
    mixed: str
    ready: str
    waits_for: str
    steps: tuple[Step, ...]


class Ended(NamedTuple):
    """How it ended, and what it means."""

    because: str
    effect: str
    next_step: str
    services: tuple[str, ...]


class StatusShown(NamedTuple):
    """One rollback. sentence: what is read aloud when it changes, so without running figures."""

    rollback: str
    badge: Badge
    age: str
    sentence: str
    waits: tuple[str, ...]
    is_over: bool
    services: tuple[ServiceShown, ...]
    others: tuple[str, ...]
    ended: Ended | None
    decisions: tuple[str, ...]
    digest: str
    requested_by: str
    reason: str


GOOD, RUN, WAIT, ACT = "good", "run", "wait", "act"
SHAPES = {
    State.PLANNING: ("◌", WAIT),
    State.HELD: ("▣", ACT),
    State.WAITING_FOR_APPROVAL: ("◇", ACT),
    State.WAITING_FOR_ITS_WAVE: ("◌", WAIT),
    State.RUNNING: ("▶", RUN),
    State.PAUSED: ("‖", ACT),
    State.NEEDS_HUMAN: ("▲", ACT),
    State.RESTORING: ("◀", RUN),
    State.FINISHED: ("■", WAIT),
}
STEP_SHAPES = {
    StepState.PLANNED: ("○", WAIT),
    StepState.RUNNING: ("▶", RUN),
    StepState.DONE: ("●", GOOD),
    StepState.INCONCLUSIVE: ("▲", ACT),
    StepState.FAILED: ("✕", ACT),
    StepState.STOPPED: ("■", ACT),
    StepState.SKIPPED: ("»", WAIT),
    StepState.UNDONE: ("◀", WAIT),
}
ASKS_FOR_SOMEBODY = {Result.NOT_VERIFIED, Result.EXPIRED, Result.BLOCKED, Result.STALE_PLAN}


def status(now_is: RollbackStatus, now: datetime) -> StatusShown:
    """The whole of it."""
    several = len(now_is.services) > 1
    told, others = terminal_fleet.status(now_is) if several else (now_is.services, [])
    over = now_is.outcome is not None
    return StatusShown(
        rollback=now_is.rollback,
        badge=badge(now_is),
        age=terminal_status.age(now_is, now),
        sentence=sentence(now_is),
        waits=tuple(terminal_status.waits(now_is, now)),
        is_over=over,
        services=() if over else tuple(_service(one, now) for one in told),
        others=() if over else tuple(others),
        ended=_ended(now_is.outcome) if now_is.outcome else None,
        decisions=(
            *map(words.decision, now_is.decisions),
            *map(words.ignored, now_is.ignored),
        ),
        digest=now_is.digest,
        requested_by=foreign(now_is.requested_by),
        reason=foreign(now_is.reason),
    )


def badge(now_is: RollbackStatus) -> Badge:
    """Where it is, or how it ended."""
    word = words.state(now_is)
    if now_is.outcome is None:
        return Badge(word, *SHAPES[words.state_of(now_is)])
    return Badge(word, *_end(now_is.outcome))


def listed(state: str) -> Badge:
    """A state as Temporal's list has it: a state, a result, or Temporal's own word for an end."""
    known = {str(one): (words.STATES[one], *SHAPES[one]) for one in State}
    if state in known:
        return Badge(*known[state])
    shape = ("●", GOOD) if state == Result.VERIFIED else ("■", WAIT)
    return Badge(foreign(state).replace("_", " ").upper(), *shape)


def sentence(now_is: RollbackStatus) -> str:
    """What has to be heard: the state, who has the traffic, for whom it waits."""
    if now_is.outcome is not None:
        return f"{words.state(now_is)}. {foreign(now_is.outcome.effect)}"
    few = now_is.services if len(now_is.services) == 1 else ()
    live = [
        f"{one.service}: traffic {words.by_version(one.found.shares, '%')}"
        for one in few
        if one.found is not None
    ]
    waits = [f"waits for {foreign(now_is.waits_for)}"] if now_is.waits_for else []
    return ". ".join([words.state(now_is), *live, *waits]) + "."


def _end(outcome: RollbackOutcome) -> tuple[str, str]:
    ends = {one.end for one in outcome.services}
    if outcome.result is Result.VERIFIED:
        return "●", GOOD
    if ends & {EndState.MIXED, EndState.UNKNOWN} or outcome.result in ASKS_FOR_SOMEBODY:
        return "▲", ACT
    return "■", WAIT


def _ended(outcome: RollbackOutcome) -> Ended:
    return Ended(
        because=foreign(outcome.because),
        effect=foreign(outcome.effect) or words.UNKNOWN,
        next_step=foreign(outcome.next_step),
        services=tuple(_ends(outcome.services)),
    )


def _ends(services: Iterable[ServiceOutcome]) -> Iterable[str]:
    several = list(services)
    yield from (line.strip() for line in terminal_fleet.ended(several))
    for one in several[: terminal_fleet.IN_FULL]:
        if one.found is not None:
            traffic = words.by_version(one.found.shares, "%")
            yield f"{one.service}: traffic {traffic} · ready {words.by_version(one.found.ready)}"


def _service(one: ServiceStatus, now: datetime) -> ServiceShown:
    found = one.found
    return ServiceShown(
        service=one.service,
        versions=f"{one.from_version} → {one.to_version}",
        to_version=one.to_version,
        badge=Badge(words.STATES[one.state], *SHAPES[one.state]),
        percent=found.shares.get(one.to_version, 0) if found else None,
        traffic=words.by_version(found.shares, "%") if found else words.UNKNOWN,
        mixed=words.by_version(one.mixture, "%") if one.mixture else "",
        ready=words.by_version(found.ready) if found else words.UNKNOWN,
        waits_for=foreign(one.waits_for),
        steps=tuple(_step(step, now) for step in one.steps),
    )


def _step(step: StepStatus, now: datetime) -> Step:
    return Step(
        name=step.name,
        wanted=foreign(step.target),
        badge=Badge(str(step.state), *STEP_SHAPES[step.state]),
        took=terminal_status.took(step, now),
        said=foreign(step.summary),
    )
