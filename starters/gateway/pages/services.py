"""Services: can each of them go back, and to what; the releases that are recorded of it."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from rollback_manager.contract import ListReleases, ReleaseRequest
from rollback_manager.errors import Blocked, RollbackError
from rollback_manager.release import Release, Standing, known_good
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign
from starters import refusals
from starters.gateway.doors import Doors
from starters.gateway.identity import Known, Who
from starters.gateway.pages import freezes, rendered
from starters.gateway.pages.seen import Part
from starters.gateway.pages.status_view import ACT, GOOD, WAIT, Badge

router = APIRouter(route_class=rendered.PageRoute)
AT_ONCE = 8
"""Questions for releases under way at once: each is a small workflow."""
ASKED = 40
"""Services that are asked for on the list; of a larger catalogue each on its own page."""
ANSWER_S = 3.0
STANDINGS = {
    Standing.VERIFIED: Badge("verified", "●", GOOD),
    Standing.CANDIDATE: Badge("candidate", "○", WAIT),
    Standing.BAD: Badge("bad", "✕", ACT),
}


class Ready(NamedTuple):
    """Whether a service could go back now, in words."""

    badge: Badge
    because: str


class Row(NamedTuple):
    """One service in one environment."""

    env: str
    service: str
    strategy: str
    owners: str
    ready: Ready


class ReleaseShown(NamedTuple):
    """One recorded release."""

    version: str
    badge: Badge
    recorded: str
    digest: str
    because: str
    frozen: str
    baseline: str


@router.get("/services")
async def services(request: Request, known: Known, person: Who) -> Response:
    """All of the catalogue, in each of their environments."""
    placed = [
        (env, name)
        for name, one in sorted(known.catalogue.services.items())
        for env in sorted(one.environments)
    ]
    limit = asyncio.Semaphore(AT_ONCE)
    frozen, answers = await asyncio.gather(
        freezes.frozen(known, sorted({env for env, _ in placed})),
        asyncio.gather(*(_ready(known, *one, limit) for one in placed[:ASKED])),
    )
    later = Ready(Badge("not asked", "○", WAIT), "see its own page")
    ready = [*answers, *(later for _ in placed[ASKED:])]
    rows = [_row(known, *one, said) for one, said in zip(placed, ready, strict=True)]
    return rendered.page(request, person, "services.html", rows=rows, frozen=frozen)


@router.get("/services/{env}/{service}")
async def service(
    env: Part, service: Part, request: Request, known: Known, person: Who
) -> Response:
    """One service: readiness and releases."""
    known.catalogue.placement(env, service)  # an unknown one must not cost a workflow
    found, frozen = await asyncio.gather(
        releases(known, env, service), freezes.frozen(known, [env], service)
    )
    one = known.catalogue.services[service]
    return rendered.page(
        request,
        person,
        "service.html",
        row=_row(known, env, service, readiness(found)),
        evidence=evidence(found, pair_tested=one.pair_tested),
        releases=[shown(release) for release in found],
        frozen=frozen,
    )


async def releases(known: Doors, env: str, service: str) -> tuple[Release, ...]:
    """What is recorded, newest first."""
    ask = ReleaseRequest(ask=ListReleases(env=env, service=service))
    return (await known.rollbacks.releases(ask)).releases


async def _ready(known: Doors, env: str, service: str, limit: asyncio.Semaphore) -> Ready:
    try:
        async with limit, asyncio.timeout(ANSWER_S):
            return readiness(await releases(known, env, service))
    except TimeoutError:
        return Ready(Badge("unknown", "▲", ACT), "no worker answers")
    except RollbackError as error:
        return Ready(Badge("unknown", "▲", ACT), foreign(refusals.what(error)))


def readiness(recorded: Sequence[Release]) -> Ready:
    """Whether there is a way back from the newest release, by the plan's own rule."""
    if not recorded:
        return Ready(Badge("not ready", "✕", ACT), "no release is recorded")
    newest = recorded[0].version
    try:
        target = known_good(list(recorded), newest)
    except Blocked as error:
        return Ready(Badge("not ready", "✕", ACT), foreign(refusals.what(error)))
    because = f"from {newest} back to {target.release.version}: {target.because}"
    if target.release.restore_point is None:
        return Ready(Badge("unsure", "▲", ACT), f"{because}; nothing was frozen with it")
    return Ready(Badge("ready", "●", GOOD), because)


def evidence(recorded: Sequence[Release], *, pair_tested: bool) -> list[str]:
    """What the way back rests on, and what is missing."""
    lines = ["each version is tested beside the one before it" if pair_tested else NO_PAIR]
    if recorded:
        try:
            target = known_good(list(recorded), recorded[0].version).release
        except Blocked as error:
            return [*lines, error.next_step]
        point = target.restore_point
        taken = f"frozen {words.day_and_clock(point.taken_at)}" if point else "nothing is frozen"
        lines.append(f"restore point of {target.version}: {taken}")
        lines.append(f"baseline of {target.version}: {_baseline(target)}")
    return lines


NO_PAIR = "no evidence that two versions run side by side (pair_tested): one tier more"


def shown(release: Release) -> ReleaseShown:
    """One row."""
    notes = release.restore_point.notes if release.restore_point else ()
    point = "; ".join(map(foreign, notes)) or "yes"
    return ReleaseShown(
        version=release.version,
        badge=STANDINGS[release.standing],
        recorded=words.day_and_clock(release.recorded_at),
        digest=words.image(release.digest),
        because=foreign(release.because) or "-",
        frozen=point if release.restore_point else "no",
        baseline=_baseline(release),
    )


def _baseline(release: Release) -> str:
    if release.baseline is None:
        return words.UNKNOWN
    normal = release.baseline
    return (
        f"{words.percent(normal.error_ratio)} of {normal.requests} requests failed,"
        f" P95 {normal.latency_p95_ms:.0f} ms"
    )


def _row(known: Doors, env: str, service: str, ready: Ready) -> Row:
    one = known.catalogue.services[service]
    owners = ", ".join(one.owners) or "nobody is named"
    return Row(env=env, service=service, strategy=one.strategy, owners=owners, ready=ready)
