"""The app: every door that is set up, behind the same guards."""

from collections.abc import Iterator

from fastapi import APIRouter, Depends, FastAPI

from starters.gateway import alerts, api, health, openapi, pages, problems
from starters.gateway.auditing import Refusals
from starters.gateway.ci import credentials
from starters.gateway.doors import Doors
from starters.gateway.identity import from_here
from starters.gateway.sign_in import routes


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
