"""The app: every door that is set up, behind the same guards."""

from fastapi import Depends, FastAPI

from starters.gateway import api, pages, problems
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
    )
    app.state.doors = doors
    problems.handle(app)
    signing_in = () if doors.sign_in is None else (routes.router,)
    for router in (api.router(), pages.router(), *signing_in):
        app.include_router(router)
    return app
