"""What happened in a rollback, what it cost and what to change, made from Temporal's history."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from rollback_manager.contract import rollback_id
from rollback_manager.report import Report, build
from starters.gateway.api.names import Part
from starters.gateway.identity import Known, Who
from starters.history import entries
from starters.report import Output, written

router = APIRouter(tags=["rollbacks"])
MEDIA = {
    Output.JSON: "application/json",
    Output.MARKDOWN: "text/markdown",
    Output.HTML: "text/html",
}
SAFE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ),
}
"""As the page itself says it (rendering/html.py): no script, nothing from elsewhere."""
FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report in the form that was asked for",
        "model": Report,
        "content": {kind: {} for kind in MEDIA.values()},
    }
}
Form = Annotated[Output, Query(description="json, md or html")]


@router.get("/rollback/{env}/{key}/report", responses=FORMS, response_class=Response)
async def report(
    env: Part, key: Part, known: Known, _: Who, output: Form = Output.JSON
) -> Response:
    """The report as far as the rollback has come; of an ended one always the same."""
    found = await entries(known.rollbacks.temporal, rollback_id(env, key))
    # A long history takes a while to read: others must not wait for it.
    text = await asyncio.to_thread(lambda: written(build(found), output))
    return Response(text, media_type=MEDIA[output], headers=SAFE)
