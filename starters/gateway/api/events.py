"""One rollback, live: server-sent events, one for each change, until it has ended."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from rollback_manager.client import Rollback
from rollback_manager.contract import rollback_id
from starters.gateway import problems
from starters.gateway.api.names import Part
from starters.gateway.following import Followings, News, news_of
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["rollbacks"])
Seen = Annotated[str, Header(alias="Last-Event-ID", pattern="^[0-9a-f]{0,16}$")]
STREAM = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Proxies must hand on each event at once."""
RESPONSES = {
    200: {"description": "One `status` (RollbackStatus) per change", "content": {STREAM: {}}},
    204: {"description": "It has ended, and the last event was seen: do not come back"},
}


@router.get("/rollback/{env}/{key}/events", responses=RESPONSES, response_class=Response)  # type: ignore[arg-type]
async def events(env: Part, key: Part, known: Known, _: Who, last_event_id: Seen = "") -> Response:
    """Its status whenever that has changed; `trouble` where it cannot be asked just now.

    Who comes back with `Last-Event-ID` gets the newest status, or nothing until it differs from
    the one of that id: each is the whole picture, so that none has to be repeated.
    """
    rollback = known.rollbacks.rollback(rollback_id(env, key))
    now = news_of(await rollback.status())  # refused before a stream begins, as a problem
    if now.is_last and now.id == last_event_id:
        return Response(status_code=204)
    stream = _stream(known.following, rollback, last_event_id)
    return StreamingResponse(stream, media_type=STREAM, headers=HEADERS)


async def _stream(following: Followings, rollback: Rollback, seen: str) -> AsyncIterator[bytes]:
    with following.of(rollback) as followed:
        async for news in followed.news(seen):
            yield _event(news)


def _event(news: News | None) -> bytes:
    if news is None:
        return format_sse_event(comment="nothing has changed")
    if news.trouble is not None:
        problem = problems.of_error(news.trouble)
        return format_sse_event(event="trouble", data_str=problem.model_dump_json())
    return format_sse_event(event="status", data_str=news.text, id=news.id)
