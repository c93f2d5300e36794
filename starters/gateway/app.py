"""The app: every door that is set up, behind the same guards."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI

from starters.gateway import alerts, api, health, openapi, pages, problems
from starters.gateway.auditing import Refusals
from starters.gateway.ci import credentials, deploys
from starters.gateway.doors import Doors
from starters.gateway.identity import from_here
from starters.gateway.sign_in import routes
from starters.gateway.slack import router as slack
from starters.gateway.slack.socket import Socket


def make_app(doors: Doors) -> FastAPI:
    """A door whose secret or issuer is not set is not there at all: it answers 404."""
    app = FastAPI(
        title="rollback-manager",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(from_here)],
        generate_unique_id_function=lambda route: route.name,  # links name operations by it
        lifespan=lambda _: _listening(doors),
    )
    app.state.doors = doors
    problems.handle(app)
    health.add(app)
    for router in _routers(doors):
        app.include_router(router)
    openapi.describe(app)
    app.add_middleware(Refusals, auditing=doors.auditing)
    return app


def _routers(doors: Doors) -> Iterator[APIRouter]:
    yield api.router()
    yield alerts.router(doors)
    yield pages.router()
    if doors.sign_in is not None:
        yield routes.router
    if doors.ci is not None:
        yield credentials.router(doors.ci)
        yield deploys.router
    if doors.slack is not None and doors.slack.secrets and doors.replays is not None:
        yield slack.router(doors.slack, doors.slack.secrets, doors.replays)


@asynccontextmanager
async def _listening(doors: Doors) -> AsyncIterator[None]:
    """What the gateway hears without being asked, for as long as it serves."""
    door = doors.slack
    if door is None or door.connection is None or doors.replays is None:
        yield
        return
    async with Socket(doors, door, doors.replays).kept_open(door.connection):
        yield
