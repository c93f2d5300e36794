"""How a rollback stands, on a terminal and in a log: what is live, what is next, how to stop."""

from collections.abc import Iterator
from datetime import datetime

from rollback_manager.contract import asked_of_rollback
from rollback_manager.plan import short
from rollback_manager.progress import (
    RollbackStatus,
    ServiceStatus,
    State,
    StepState,
    StepStatus,
)
from rollback_manager.rendering import terminal_fleet, words
from rollback_manager.rendering.layout import command, foreign, labelled, page
from rollback_manager.tier import Tier

Fact = tuple[str, ...]

BAR = 20
AT_REST = {StepState.DONE, StepState.SKIPPED, StepState.UNDONE}


def status(now_is: RollbackStatus, now: datetime) -> str:
    """What is live, what happens next, what it waits for, how it is stopped."""
    lines = [f"{now_is.rollback}   {words.state(now_is)}   {age(now_is, now)}".rstrip()]
    if now_is.digest:
        lines.append(f"plan {short(now_is.digest)} · asked for by {foreign(now_is.requested_by)}")
    if now_is.break_glass:
        lines.append(words.broken(now_is.break_glass))
    if now_is.state is not State.FINISHED:  # then the outcome says it, from what was found
        told, rest = terminal_fleet.status(now_is) if _several(now_is) else (now_is.services, [])
        for service in told:
            lines += ["", *_service(service, now)]
        lines += ["", *rest, *waits(now_is, now)]
    lines += map(words.decision, now_is.decisions)
    lines += map(words.ignored, now_is.ignored)
    return page([*lines, *steering(now_is)])


def changes(before: RollbackStatus | None, after: RollbackStatus, now: datetime) -> list[str]:
    """What is different, one line each with its time: for logs, where nothing can be redrawn."""
    told = dict(_facts(before)) if before else {}
    time = words.clock(now)
    new = (text for key, text in _facts(after) if key not in told)
    return [page([f"{time} {text}"]) for text in new]


def heartbeat(now_is: RollbackStatus | None, now: datetime) -> str:
    """A sign of life for a log in which nothing has changed."""
    if now_is is None:
        return page([f"{words.clock(now)} no answer yet: is a worker running?"])
    doing = [
        words.joined([f"{step.name} {took(step, now)}", foreign(step.summary)])
        for service in now_is.services
        for step in service.steps
        if step.state is StepState.RUNNING
    ]
    return page([words.joined([f"{words.clock(now)} still {words.state(now_is)}", *doing])])


def age(now_is: RollbackStatus, now: datetime) -> str:
    """How long the first step is ago; empty before it and after the end."""
    begun = [s.started_at for each in now_is.services for s in each.steps if s.started_at]
    if not begun or now_is.state is State.FINISHED:
        return ""
    return words.duration((now - min(begun)).total_seconds())


def _service(service: ServiceStatus, now: datetime) -> Iterator[str]:
    ready = words.by_version(service.found.ready) if service.found else words.UNKNOWN
    versions = f"{service.from_version} → {service.to_version}"
    yield f"{service.service}   {versions}   {words.STATES[service.state]}   ready {ready}"
    yield _traffic(service)
    done = [f"{s.name} {took(s, now)}{_odd(s)}" for s in service.steps if s.state in AT_REST]
    under_way = [s for s in service.steps if s.state not in {*AT_REST, StepState.PLANNED}]
    still = [step.name for step in service.steps if step.state is StepState.PLANNED]
    yield from labelled(" done", [" · ".join(done) or "nothing yet"], indent=7)
    yield from labelled(" now", [_step(step, now) for step in under_way] or ["nothing"], indent=7)
    yield from labelled(" next", [" · ".join(still) or "nothing"], indent=7)


def _traffic(service: ServiceStatus) -> str:
    """The share of the known-good version, as a bar and as a number."""
    if service.found is None:
        return f"on {service.to_version}: {words.UNKNOWN}"
    percent = service.found.shares.get(service.to_version, 0)
    full = round(BAR * percent / 100)
    bar = f"on {service.to_version} {'█' * full}{'░' * (BAR - full)} {percent} %"
    mixed = f"mixed versions: {words.by_version(service.mixture, '%')}" if service.mixture else ""
    return words.joined([bar, mixed])


def _step(step: StepStatus, now: datetime) -> str:
    return words.joined([f"{step.name} {step.state} {took(step, now)}", foreign(step.summary)])


def _odd(step: StepStatus) -> str:
    return "" if step.state is StepState.DONE else f" ({step.state})"


def took(step: StepStatus, now: datetime) -> str:
    """How long the step takes or took; empty before it began."""
    if step.started_at is None:
        return ""
    return words.duration(((step.finished_at or now) - step.started_at).total_seconds())


def waits(now_is: RollbackStatus, now: datetime) -> Iterator[str]:
    """For whom it waits, and until when; nothing after the end."""
    if now_is.state is State.FINISHED:
        return
    left = ""
    if now_is.deadline is not None:
        rest = (now_is.deadline - now).total_seconds()
        in_time = f"in {words.duration(rest)}" if rest >= 0 else "passed"
        left = f"deadline {words.clock(now_is.deadline)} ({in_time})"
    waits = [foreign(now_is.waits_for) or "nobody", left, words.asked(now_is)]
    yield "waits for: " + words.joined(waits)
    if now_is.nonce and now_is.state is State.WAITING_FOR_APPROVAL and now_is.quorum_because:
        yield foreign(now_is.quorum_because)


def steering(now_is: RollbackStatus) -> Iterator[str]:
    """The commands that fit the moment; the way to stop is always among them."""
    if now_is.state is State.FINISHED:
        yield from command("report:  ", f"rollback-manager report {now_is.rollback}")
        return
    match words.state_of(now_is):
        case State.WAITING_FOR_APPROVAL:
            yield from command("approve: ", *_approve(now_is))
        case State.PAUSED:
            yield from command("go on:   ", f"rollback-manager resume {now_is.rollback}")
        case State.NEEDS_HUMAN:
            yield from command("again:   ", *_retry(now_is))
    yield from command("stop:    ", f"rollback-manager abort {now_is.rollback}")
    yield "         (with --restore: and put back what was there before)"
    yield "leave:   at any time; Temporal and the worker go on without this terminal"


def _approve(now_is: RollbackStatus) -> tuple[str, ...]:
    quoted = f"--plan {words.quoted(now_is.digest)}"
    alone = now_is.security == "local" and now_is.tier is not None and now_is.tier >= Tier.T2
    typed = [f"--confirm {one.service}" for one in now_is.services[:1] if alone]
    return f"rollback-manager approve {now_is.rollback}", quoted, *typed


def _retry(now_is: RollbackStatus) -> tuple[str, str]:
    return f"rollback-manager retry-step {now_is.rollback}", _halted(now_is)


def _halted(now_is: RollbackStatus) -> str:
    """The step that waits, with its service where there are several; or the wave or part."""
    if asked := asked_of_rollback(now_is.waits_for):
        return asked
    stuck = {StepState.INCONCLUSIVE, StepState.FAILED, StepState.STOPPED}
    waiting = (one for one in now_is.services if one.state is State.NEEDS_HUMAN)
    for service in waiting if _several(now_is) else now_is.services:
        names = [step for step in reversed(service.steps) if step.state in stuck]
        waits = (s.name for s in names if f"{s.name} {s.state}: " in service.waits_for)
        step = next(waits, names[0].name if names else None)  # one put back may be stuck as well
        if step is not None:
            return f"{step} --service {service.service}" if _several(now_is) else step
    return "STEP"


def _several(now_is: RollbackStatus) -> bool:
    return len(now_is.services) > 1


def _facts(now_is: RollbackStatus) -> Iterator[tuple[Fact, str]]:
    """What a log tells: each fact once, known by its key, for its figures change all the time."""
    waits = f"waits for {foreign(now_is.waits_for)}" if now_is.waits_for else ""
    yield ("state", words.state(now_is)), words.joined([words.state(now_is), waits])
    if now_is.state is State.WAITING_FOR_APPROVAL:
        yield ("approve",), "approve: " + " ".join(_approve(now_is))
    if words.state_of(now_is) is State.NEEDS_HUMAN:
        yield ("retry", _halted(now_is)), "again: " + " ".join(_retry(now_is))
    for name, number, step, state, said in _steps(now_is):
        text = words.joined([f"{name} {step} {state}", foreign(said)])
        yield (name, str(number), step, state), text
    for service in now_is.services:
        if service.found is not None:
            shares = words.by_version(service.found.shares, "%")
            yield (service.service, shares), f"{service.service} traffic {shares}"
    for vote in now_is.decisions:
        yield ("vote", vote.by, vote.at.isoformat()), words.vote(vote)


def _steps(now_is: RollbackStatus) -> Iterator[tuple[str, int, str, str, str]]:
    """(service, number, step, state, what was seen) of all steps that have begun."""
    if now_is.outcome is not None:
        for ended in now_is.outcome.services:
            for number, record in enumerate(ended.steps):
                yield ended.service, number, record.kind, record.state, record.observed
        return
    for service in now_is.services:
        for number, step in enumerate(service.steps):
            if step.state is not StepState.PLANNED:
                yield service.service, number, step.name, step.state, step.summary
