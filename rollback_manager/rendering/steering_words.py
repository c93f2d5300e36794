"""What pause, resume, retry and skip would do: read before the button, on every surface the same.

Without running figures: they are read while things move. As in `consequences`, each text begins
with how far it reaches (security T37).
"""

from collections.abc import Iterator

from rollback_manager.plan import ActionKind
from rollback_manager.progress import RollbackStatus, ServiceStatus, State, StepState
from rollback_manager.rendering.layout import foreign

FEW = 3
"""Services that are told one by one; of more it says how many."""
ASKS_AGAIN = "If it does not work this time either, it asks again."


def pausing(now_is: RollbackStatus) -> tuple[str, ...]:
    """What is finished first, and how production stands while nothing moves."""
    return (
        _reach(now_is, State.RUNNING),
        "The step under way is finished first. No further one begins until somebody resumes.",
        "The traffic stays as it is then: users may be on both releases for as long as it lasts.",
    )


def resuming(now_is: RollbackStatus) -> tuple[str, ...]:
    """What begins at once."""
    paused = [one for one in now_is.services if one.state is State.PAUSED]
    more = len(paused) - FEW
    rest = (f"{more} more services go on in the same way.",) if more > 0 else ()
    return (_reach(now_is, State.PAUSED), *map(_goes_on, paused[:FEW]), *rest)


def retrying(service: ServiceStatus, step: str) -> tuple[str, ...]:
    """What is tried again, from where."""
    return (
        f"Blast radius: 1 service, {service.service}.",
        f"{step} is tried once more{_wanting(service, step)}, from what is found there then; what"
        " was put back since is done again first.",
        ASKS_AGAIN,
    )


def skipping(service: ServiceStatus, step: str) -> tuple[str, ...]:
    """What is left undone, and what begins without it."""
    return tuple(_skipping(service, step))


def _skipping(service: ServiceStatus, step: str) -> Iterator[str]:
    yield f"Blast radius: 1 service, {service.service}."
    yield f"{step} counts as skipped{_wanting(service, step)}: nobody sees to it any more."
    if step == ActionKind.VERIFY:
        yield "Nobody has shown then that users are well: it does not end as VERIFIED."
    yield _next(service)


def retrying_all(step: str) -> tuple[str, ...]:
    """The same for a wave or a part."""
    if step.startswith("part-"):
        return (
            f"Blast radius: the services of {step} that are not on the version before.",
            "They are looked at and planned anew. Where the whole had to be approved, so must this"
            f" new plan be; then they begin. {ASKS_AGAIN}",
        )
    return (
        f"Blast radius: the services of {step} that are not well, each by its own plan.",
        f"They begin once more. {ASKS_AGAIN}",
    )


def skipping_all(step: str) -> tuple[str, ...]:
    """The same for a wave or a part: what comes after it begins."""
    return (
        f"Blast radius: all services that come after {step}.",
        f"They begin. The services of {step} that are not well stay as they are now.",
    )


def _reach(now_is: RollbackStatus, state: State) -> str:
    count = sum(one.state is state for one in now_is.services)
    many = {0: "all that is under way", 1: "1 service"}.get(count, f"{count} services")
    return f"Blast radius: {many} in {now_is.env}."


def _goes_on(service: ServiceStatus) -> str:
    return f"{service.service}: {_next(service)}"


def _next(service: ServiceStatus) -> str:
    """The step that begins then."""
    planned = (one for one in service.steps if one.state is StepState.PLANNED)
    if (step := next(planned, None)) is None:
        return "No further step is planned: it ends, and is called by what is found."
    return f"The next step begins at once: {step.name}{_wanting(service, step.name)}."


def _wanting(service: ServiceStatus, step: str) -> str:
    targets = (one.target for one in service.steps if one.name == step and one.target)
    target = next(targets, "")
    return f" ({foreign(target)})" if target else ""
