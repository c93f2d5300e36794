"""The app: every door that is set up, behind the same guards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from starters.gateway import api, problems
from starters.gateway.doors import Doors
from starters.gateway.identity import from_here
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
        lifespan=lambda _: _listening(doors, slack_door),
    )
    app.state.doors = doors
    problems.handle(app)
    for router in (api.router(),):
        app.include_router(router)
    if slack_door is not None and slack_door.secrets and doors.replays is not None:
        app.include_router(slack.router(slack_door, slack_door.secrets, doors.replays))
    return app


@asynccontextmanager
async def _listening(doors: Doors, slack_door: SlackDoor | None) -> AsyncIterator[None]:
    """What the gateway hears without being asked, for as long as it serves."""
    if slack_door is None or slack_door.connection is None or doors.replays is None:
        yield
        return
    async with Socket(doors, slack_door, doors.replays).kept_open(slack_door.connection):
        yield
