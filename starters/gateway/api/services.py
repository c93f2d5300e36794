"""Which services there are, and what is recorded of their releases."""

from fastapi import APIRouter

from rollback_manager.claim import Left
from rollback_manager.contract import AdoptRequest, ListReleases, ReleaseRequest, Releases
from rollback_manager.stays import StayStatus
from rollback_manager.values import Value
from rollback_manager.watch.watching import SeenWatch
from starters.gateway.api.names import Env, Part
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["services"])


class ServiceListed(Value):
    """One service of the catalogue."""

    service: str
    strategy: str
    environments: tuple[str, ...]
    owners: tuple[str, ...]


class Stays(Value):
    """What still looks after rollbacks that have ended."""

    stays: tuple[StayStatus, ...]


class ServicesListed(Value):
    """All of them, by name."""

    services: tuple[ServiceListed, ...]


@router.get("/services")
async def services(known: Known, _: Who) -> ServicesListed:
    """The services of the catalogue."""
    return ServicesListed(
        services=tuple(
            ServiceListed(
                service=name,
                strategy=one.strategy,
                environments=tuple(sorted(one.environments)),
                owners=one.owners,
            )
            for name, one in sorted(known.catalogue.services.items())
        )
    )


@router.get("/environments/{env}/services/{service}/releases")
async def releases(env: Part, service: Part, known: Known, _: Who) -> Releases:
    """What is recorded of a service's releases, newest first."""
    known.catalogue.placement(env, service)  # an unknown one must not cost a workflow
    ask = ReleaseRequest(ask=ListReleases(env=env, service=service))
    return await known.rollbacks.releases(ask)


@router.get("/environments/{env}/services/{service}/left")
async def left(env: Part, service: Part, known: Known, person: Who) -> Left:
    """What an ended rollback left of a service, to be gone on with: `adopts` of a start."""
    known.catalogue.placement(env, service)  # an unknown one must not cost a workflow
    return await known.rollbacks.left(AdoptRequest(env=env, service=service, by=person.subject))


@router.get("/environments/{env}/watch")
async def watch(env: Part, known: Known, _: Who) -> SeenWatch:
    """Which releases of an environment are watched, and what is seen of them."""
    return await known.rollbacks.watch(env)


@router.get("/stays")
async def stays(known: Known, _: Who, env: Env = None) -> Stays:
    """Which services are looked after since a rollback, so that it stays."""
    return Stays(stays=await known.rollbacks.stays(env=env))
