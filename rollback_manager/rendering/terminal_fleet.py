"""Several services on a terminal: short by wave, long only where something happens or is wrong."""

from collections.abc import Callable, Iterable, Iterator

from rollback_manager.metrics.reading import NoReading
from rollback_manager.plan import Found, RollbackPlan, ServicePlan
from rollback_manager.progress import RollbackStatus, ServiceOutcome, ServiceStatus, State
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign, labelled, pad

LONG = {State.RUNNING, State.PAUSED, State.NEEDS_HUMAN, State.RESTORING}
"""States of a service that is told in full; of the others a line tells enough."""

IN_FULL = 10
"""Services told in full at most: as many as are under way at once by default."""


def planned(made: RollbackPlan) -> Iterator[str]:
    """Each wave with a line or two for each service; then the steps, once for all that share them.

    One service in full is one plan of its own: `rollback-manager plan SERVICE`.
    """
    seen = {one.service: one for one in made.found}
    plans = {one.service: one for one in made.services}
    names = max(map(len, plans))
    for number, wave in enumerate(made.waves, start=1):
        before = "" if number == 1 else f", after wave {number - 1} is rolled back and verified"
        yield f"WAVE {number}: {len(wave)} of {len(plans)} services{before}"
        for name in wave:
            yield from _line(plans[name], seen.get(name), names)
    yield ""
    yield from labelled("STEPS", by_steps(made.services))
    yield from labelled("NOT UNDONE", _not_undone(made.services))


def _line(service: ServicePlan, seen: Found | None, names: int) -> Iterator[str]:
    versions = f"{service.from_version} → {service.to_version}"
    floor = f"floor {service.floor} of {service.desired}"
    traffic = words.by_version(seen.shares, "%") if seen else words.UNKNOWN
    yield (
        f"  {pad(service.service, names)}  {versions}  {service.strategy} · {floor}"
        f" · traffic {traffic}"
    )
    yield f"  {pad('', names)}  {_failing(seen)}"


def _failing(seen: Found | None) -> str:
    """Without the bounds that one service's own plan tells."""
    if seen is None or isinstance(seen.bad_reading, NoReading):
        return words.failing(seen.bad_reading) if seen else words.UNKNOWN
    bad = seen.bad_reading
    failed = f"{bad.version} fails {words.percent(bad.error_ratio)} of {bad.requests} requests"
    return f"{failed} in {words.duration(bad.window_s)}"


def by_steps(services: Iterable[ServicePlan]) -> list[str]:
    """The steps of each service, said once for all that share them."""
    steps = _alike(
        services, lambda one: " → ".join(action.name for action in one.actions) or words.UNKNOWN
    )
    return [*steps, "each of them in full: rollback-manager plan SERVICE"]


def _not_undone(services: Iterable[ServicePlan]) -> list[str]:
    unknown = ("unknown: the strategy does not say",)
    return _alike(services, lambda one: "; ".join(map(foreign, one.not_undone or unknown)))


def status(now_is: RollbackStatus) -> tuple[list[ServiceStatus], list[str]]:
    """The services to be told in full, and lines that tell the others by how they stand."""
    long = [one for one in now_is.services if one.state in LONG][:IN_FULL]
    short = [one for one in now_is.services if one not in long]
    lines: dict[str, list[str]] = {}
    for one in short:
        waits = f" ({foreign(one.waits_for)})" if one.waits_for else ""
        lines.setdefault(f"{words.STATES[one.state]}{waits}", []).append(one.service)
    return long, [f"{state}: {', '.join(names)}" for state, names in lines.items()]


def ended(services: Iterable[ServiceOutcome]) -> Iterator[str]:
    """Every service by name, those together that ended alike and for the same reason."""
    whose: dict[tuple[str, str], list[str]] = {}
    for one in services:
        verified = "verified" if one.verified else "not verified"
        end = f"{str(one.end).replace('_', ' ').upper()}, {verified}"
        whose.setdefault((end, foreign(one.because)), []).append(one.service)
    for (end, because), names in whose.items():
        yield f"  {end}: {', '.join(names)}. {because}"


def _alike(services: Iterable[ServicePlan], told: Callable[[ServicePlan], str]) -> list[str]:
    """What holds for several is said once, with all of them by name."""
    whose: dict[str, list[str]] = {}
    for one in services:
        whose.setdefault(told(one), []).append(one.service)
    if len(whose) == 1:
        return list(whose)
    return [f"{said} ({', '.join(names)})" for said, names in whose.items()]
