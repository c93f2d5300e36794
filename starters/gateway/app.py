"""The app: every door that is set up, behind the same guards."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI

from starters.gateway import alerts, api, health, openapi, pages, problems
from starters.gateway.auditing import Refusals
from starters.gateway.ci import credentials
from starters.gateway.doors import Doors
from starters.gateway.identity import from_here
from starters.gateway.sign_in import routes
from starters.gateway.slack import router as slack
from starters.gateway.slack.door import SlackDoor
from starters.gateway.slack.socket import Socket


def make_app(doors: Doors, slack_door: SlackDoor | None = None) -> FastAPI:
    """A door whose secret or issuer is not set is not there at all: it answers 404."""
    app = FastAPI(
        title="rollback-manager",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(from_here)],
        generate_unique_id_function=lambda route: route.name,  # links name operations by it
        lifespan=lambda _: _listening(doors, slack_door),
    )
    app.state.doors = doors
    problems.handle(app)
    health.add(app)
    for router in _routers(doors, slack_door):
        app.include_router(router)
    openapi.describe(app)
    app.add_middleware(Refusals, auditing=doors.auditing)
    return app


def _routers(doors: Doors, slack_door: SlackDoor | None) -> Iterator[APIRouter]:
    yield api.router()
    yield alerts.router(doors)
    yield pages.router()
    if doors.sign_in is not None:
        yield routes.router
    if doors.ci is not None:
        yield credentials.router(doors.ci)
    if slack_door is not None and slack_door.secrets and doors.replays is not None:
        yield slack.router(slack_door, slack_door.secrets, doors.replays)


@asynccontextmanager
async def _listening(doors: Doors, slack_door: SlackDoor | None) -> AsyncIterator[None]:
    """What the gateway hears without being asked, for as long as it serves."""
    if slack_door is None or slack_door.connection is None or doors.replays is None:
        yield
        return
    async with Socket(doors, slack_door, doors.replays).kept_open(slack_door.connection):
        yield
