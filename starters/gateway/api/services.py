"""Which services there are, and what is recorded of their releases."""

from typing import Annotated

from fastapi import APIRouter, Path

from rollback_manager.contract import NAME, ListReleases, ReleaseRequest, Releases
from rollback_manager.values import Value
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["services"])
Name = Annotated[str, Path(pattern=f"^{NAME.pattern}$")]


class ServiceListed(Value):
    """One service of the catalogue."""

    service: str
    strategy: str
    environments: tuple[str, ...]
    owners: tuple[str, ...]


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
async def releases(env: Name, service: Name, known: Known, _: Who) -> Releases:
    """What is recorded of a service's releases, newest first."""
    known.catalogue.placement(env, service)  # an unknown one must not cost a workflow
    ask = ReleaseRequest(ask=ListReleases(env=env, service=service))
    return await known.rollbacks.releases(ask)
