"""What will happen if a person says this: read before the button, the same on every surface.

A text that does not say how far it reaches is no base for a decision (security T37).
"""

from collections.abc import Iterator

from rollback_manager.contract import AbortMode
from rollback_manager.plan import Found, RollbackPlan, ServicePlan
from rollback_manager.progress import RollbackStatus, ServiceStatus, State
from rollback_manager.rendering import terminal_plan, words
from rollback_manager.rendering.layout import foreign

FEW = 3
"""Services that are told one by one; of more it says how many."""
UNTOUCHED = (State.PLANNING, State.HELD, State.WAITING_FOR_APPROVAL, State.WAITING_FOR_ITS_WAVE)
"""States in which nothing has been written yet."""


def reach(plan: RollbackPlan) -> str:
    """The blast radius: how many services and instances, and how many stay ready all the time."""
    instances, floor = (
        sum(one.desired for one in plan.services),
        sum(one.floor for one in plan.services),
    )
    return (
        f"Blast radius: {_services(len(plan.services))} in {plan.env}, {instances} instances;"
        f" at least {floor} of them stay ready (floor)."
    )


def approving(plan: RollbackPlan) -> tuple[str, ...]:
    """What begins once enough people have agreed."""
    return tuple(_approving(plan))


def _approving(plan: RollbackPlan) -> Iterator[str]:
    yield reach(plan)
    for service in plan.services[:FEW]:
        yield _moved(service, terminal_plan.seen_of(plan, service.service))
    if len(plan.services) > FEW:
        waves = "1 wave" if len(plan.waves) == 1 else f"{len(plan.waves)} waves"
        yield f"{len(plan.services) - FEW} more services go back, in {waves}."
    expected = plan.estimate
    back, well = words.duration(expected.traffic_back_s), words.duration(expected.verified_s)
    yield f"Traffic is back in {back}, verified in {well}; source: {foreign(expected.source)}."
    stays = [foreign(what) for one in plan.services for what in one.not_undone]
    if stays:
        yield f"Not undone: {'; '.join(dict.fromkeys(stays))}."
    final = terminal_plan.no_returns(plan)
    yield f"Point of no return: {', '.join(final) or 'none'}."


def _moved(service: ServicePlan, seen: Found | None) -> str:
    now = "unknown" if seen is None else f"{seen.shares.get(service.to_version, 0)} %"
    return (
        f"{service.service}: all traffic goes from {service.from_version} back to"
        f" {service.to_version}, which has {now} of it now ({service.strategy})."
    )


def rejecting(now_is: RollbackStatus) -> tuple[str, ...]:
    """What a no leaves as it is."""
    stays = (f"{one.service} stays on {one.from_version}" for one in now_is.services[:FEW])
    return (
        f"Blast radius: none. Nothing is changed in {now_is.env}.",
        f"{'; '.join(stays) or 'Every service stays on its release'}: that was called bad.",
        "The rollback ends as REJECTED. Another one can be asked for at any time.",
    )


def aborting(now_is: RollbackStatus, mode: AbortMode) -> tuple[str, ...]:
    """What stops, where it stands then, and what is put back."""
    if now_is.state in UNTOUCHED:
        return (
            f"Blast radius: none. Nothing has been changed in {now_is.env} so far.",
            "The rollback ends as ABORTED, and production stays as it is.",
        )
    told = tuple(_left(one, mode) for one in now_is.services[:FEW])
    more = len(now_is.services) - FEW
    rest = (f"{more} more services stop in the same way.",) if more > 0 else ()
    return (
        f"Blast radius: {_services(len(now_is.services))} in {now_is.env}.",
        "The step under way is finished first, for half a step is not safe. No further one begins.",
        *told,
        *rest,
        _afterwards(mode),
    )


def _left(service: ServiceStatus, mode: AbortMode) -> str:
    shares = words.by_version(service.found.shares, "%") if service.found else words.UNKNOWN
    if mode is AbortMode.HOLD:
        return f"{service.service}: the traffic stays as it is then; now {shares}."
    return (
        f"{service.service}: all traffic goes back to {service.from_version}, which was called"
        f" bad, if the guard allows it; now {shares}."
    )


def _afterwards(mode: AbortMode) -> str:
    if mode is AbortMode.HOLD:
        return "Nothing is put back. It may be left MIXED, which asks for a person."
    return "Users get the release again that was called bad."


def _services(count: int) -> str:
    return "1 service" if count == 1 else f"{count} services"
