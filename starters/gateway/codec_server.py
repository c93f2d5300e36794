"""The codec server: decrypts for Temporal's Web UI what Temporal itself cannot read.

Whoever may call it can read every history, so it is not there unless there are keys. On this
machine alone it asks for nothing; elsewhere `who` must name a person. Each decoding is audited.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload, Payloads

from rollback_manager.audit import AuditLog, Event
from rollback_manager.authority.people import Person
from rollback_manager.client.codec import UNBOUND, WORKFLOW, Encryption, Keys
from starters.gateway import problems
from starters.gateway.problems import Refused

MOST_BYTES = 8 * 1024 * 1024
"""Of one request: the page of a large history asks for some megabytes at once."""
MOST_NAMED = 10
"""Workflows that one audit entry names."""
SEE = "It is set up in docs/encryption.md"


@dataclass(frozen=True)
class CodecDoors:
    """What it needs. origin: exactly that of the Web UI, such as `http://127.0.0.1:8233`.

    hosts: what may stand in `Host`. namespaces: those that may be read. may_encode: whether the Web
    UI may send; not where decisions are signed. who: who asks, or Refused.
    """

    keys: Keys
    namespaces: frozenset[str]
    origin: str
    hosts: tuple[str, ...]
    who: Callable[[Request], Awaitable[Person]]
    audit: AuditLog
    may_encode: bool = True


def make_codec_app(doors: CodecDoors) -> FastAPI:
    """An app of its own, to be mounted: its guards are others than those of the pages."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    problems.handle(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[doors.origin],
        allow_methods=["POST"],
        allow_headers=["content-type", "x-namespace", "authorization", "authorization-extras"],
        allow_credentials=True,
        max_age=60,
    )

    @app.post("/decode")
    async def decode(request: Request) -> Response:
        person = await _allowed(request, doors)
        payloads = await _payloads(request)
        await _audited(doors, person, request, payloads)  # first: what is not audited is not told
        codec = Encryption(doors.keys, _namespace(request, doors)).reading()
        return _answer(await codec.decode(payloads.payloads))

    @app.post("/encode")
    async def encode(request: Request) -> Response:
        await _allowed(request, doors)
        if not doors.may_encode:
            words = "decisions are signed here: Temporal's own pages may only look"
            raise Refused(403, "read-only", words, next_step="Decide on the gateway's pages.")
        payloads = await _payloads(request)
        codec = Encryption(doors.keys, _namespace(request, doors))
        return _answer(await codec.encode(payloads.payloads))

    return app


async def _allowed(request: Request, doors: CodecDoors) -> Person:
    """Who asks; Refused for a foreign name, a foreign page, a foreign namespace, or nobody."""
    if request.headers.get("host", "") not in doors.hosts:
        raise Refused(421, "wrong-host", "this is not a name of the codec server", next_step=SEE)
    if request.headers.get("origin") not in (None, doors.origin):
        raise Refused(403, "wrong-origin", "another site asked for it", next_step=SEE)
    person = await doors.who(request)
    _namespace(request, doors)
    return person


def _namespace(request: Request, doors: CodecDoors) -> str:
    name = request.headers.get("x-namespace", "")
    if name not in doors.namespaces:
        words = "the header X-Namespace names none that is read here"
        raise Refused(403, "wrong-namespace", words, next_step=SEE)
    return name


async def _payloads(request: Request) -> Payloads:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(415, "not-json", "payloads come as application/json", next_step=SEE)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            words = f"more than {MOST_BYTES} bytes at once"
            raise Refused(413, "too-large", words, next_step="Ask for fewer payloads at once.")
    try:
        tree = json.loads(bytes(body))
        if not isinstance(tree, dict):
            raise ValueError("no object")
        return ParseDict(tree, Payloads())
    except (ParseError, ValueError, TypeError, RecursionError):
        words = "the body is no JSON of Temporal's Payloads"
        raise Refused(422, "not-understood", words, next_step=SEE) from None


async def _audited(doors: CodecDoors, person: Person, request: Request, payloads: Payloads) -> None:
    named = sorted({_of(payload) for payload in payloads.payloads} - {""})
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    event = Event(
        event_id=f"decode/{uuid.uuid4()}",
        actor="codec-server",
        subject=person.subject,
        action="decode",
        object=", ".join(named[:MOST_NAMED]) + more or "payloads of no workflow",
        outcome=f"done: {len(payloads.payloads)} payloads of {_namespace(request, doors)}",
    )
    await asyncio.to_thread(doors.audit.append, event)


def _of(payload: Payload) -> str:
    """The workflow that it says it belongs to."""
    named = payload.metadata.get(WORKFLOW, b"").decode("utf-8", "replace")
    return "" if named == UNBOUND else named


def _answer(payloads: list[Payload]) -> Response:
    return Response(
        MessageToJson(Payloads(payloads=payloads), indent=None),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
