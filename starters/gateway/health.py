"""Is the process up, and can it do its work? Asked by whoever runs it, without a name or a secret.

Beside the guards of the other doors: a probe comes by an address, and is told nothing of worth.
"""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from rollback_manager.errors import RollbackError
from starters.gateway import problems
from starters.gateway.doors import doors


async def alive(_: Request) -> Response:
    """It answers; that is all."""
    return JSONResponse({"process": "up"})


async def ready(request: Request) -> Response:
    """Whether Temporal answers: without it nothing can be started or decided here."""
    try:
        await doors(request).rollbacks.answers()
    except RollbackError as error:
        return problems.answer(problems.of_error(error), {"Retry-After": "5"})
    return JSONResponse({"temporal": "answers"})


def add(app: FastAPI) -> None:
    """`/healthz` and `/readyz`."""
    app.add_route("/healthz", alive, include_in_schema=False)
    app.add_route("/readyz", ready, include_in_schema=False)
