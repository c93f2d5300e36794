"""The codec server decrypts for the Web UI alone, for who may, and says so in the audit chain."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import WorkflowSerializationContext

from rollback_manager.audit import Entry, Event, chained
from rollback_manager.authority.people import Kind, Person
from rollback_manager.client.codec import REFUSED, Encryption
from rollback_manager.errors import Unreachable
from starters.gateway import codec_server
from starters.gateway.codec_server import CodecDoors, make_codec_app
from starters.gateway.problems import Refused
from tests import keys
from tests.chains import KEY, NOON

UI = "http://127.0.0.1:8233"
HERE = "127.0.0.1:8088"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"a plan"')
SENT = {"X-Namespace": "prod", "Origin": UI}


class Told:
    """An audit log in memory, which may be down."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.is_down = False

    def append(self, event: Event) -> Entry:
        if self.is_down:
            raise Unreachable("the records do not answer")
        self.events.append(event)
        return chained(event, None, NOON, KEY)


async def operator(_: Request) -> Person:
    return Person(subject="local:ana", kind=Kind.LOCAL)


async def by_token(request: Request) -> Person:
    if request.headers.get("authorization") != "Bearer of-ana":
        raise Refused(401, "not-signed-in", "nobody is signed in", next_step="Sign in.")
    return Person(subject="ana@example.com")


@pytest.fixture
def doors(tmp_path: Path) -> CodecDoors:
    ring = keys.ring(keys.write(tmp_path / "codec.json"))
    namespaces = frozenset({"prod"})
    return CodecDoors(ring, namespaces, UI, (HERE,), operator, Told())


@pytest.fixture
async def server(doors: CodecDoors) -> AsyncIterator[httpx.AsyncClient]:
    async with of(doors) as client:
        yield client


def of(doors: CodecDoors) -> httpx.AsyncClient:
    app = httpx.ASGITransport(make_codec_app(doors), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=app, base_url=f"http://{HERE}")


async def sealed(doors: CodecDoors, workflow: str = "rollback/prod/a") -> dict[str, Any]:
    codec = Encryption(doors.keys, "prod")
    bound = codec.with_context(WorkflowSerializationContext("prod", workflow))
    return MessageToDict(Payloads(payloads=await bound.encode([PLAIN])))


def payloads(answer: httpx.Response) -> list[Payload]:
    assert answer.status_code == 200, answer.text
    return list(ParseDict(answer.json(), Payloads()).payloads)


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"]


def told(doors: CodecDoors) -> list[Event]:
    assert isinstance(doors.audit, Told)
    return doors.audit.events


async def test_the_web_ui_reads_a_payload_and_the_chain_says_who_did(
    doors: CodecDoors, server: httpx.AsyncClient
) -> None:
    answer = await server.post("/decode", json=await sealed(doors), headers=SENT)
    assert payloads(answer) == [PLAIN]
    assert answer.headers["access-control-allow-origin"] == UI
    assert answer.headers["cache-control"] == "no-store"
    (event,) = told(doors)
    assert (event.action, event.subject, event.object) == ("decode", "local:ana", "rollback/prod/a")


async def test_what_is_not_audited_is_not_told(
    doors: CodecDoors, server: httpx.AsyncClient
) -> None:
    assert isinstance(doors.audit, Told)
    doors.audit.is_down = True
    answer = await server.post("/decode", json=await sealed(doors), headers=SENT)
    assert refused(answer) == (503, "unreachable")
    assert "plan" not in answer.text


@pytest.mark.parametrize("route", ["/decode", "/encode"])
@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({**SENT, "Origin": "http://evil.example"}, (403, "wrong-origin")),
        ({**SENT, "Origin": "http://127.0.0.1:8233.evil.example"}, (403, "wrong-origin")),
        ({**SENT, "Origin": "null"}, (403, "wrong-origin")),
        ({**SENT, "X-Namespace": "stage"}, (403, "wrong-namespace")),
        ({"Origin": UI}, (403, "wrong-namespace")),
        ({**SENT, "Host": "codec.evil.example"}, (421, "wrong-host")),
        ({**SENT, "Content-Type": "text/plain"}, (415, "not-json")),
    ],
)
async def test_whoever_comes_from_elsewhere_reads_nothing(
    doors: CodecDoors,
    server: httpx.AsyncClient,
    route: str,
    headers: dict[str, str],
    said: tuple[int, str],
) -> None:
    body = json.dumps(await sealed(doors))
    sent = {"Content-Type": "application/json", **headers}
    assert refused(await server.post(route, content=body, headers=sent)) == said
    assert told(doors) == []


async def test_where_people_sign_in_nobody_else_reads(doors: CodecDoors) -> None:
    body = await sealed(doors)
    async with of(replace(doors, who=by_token)) as server:
        assert refused(await server.post("/decode", json=body, headers=SENT))[0] == 401
        signed = {**SENT, "Authorization": "Bearer of-ana"}
        assert payloads(await server.post("/decode", json=body, headers=signed)) == [PLAIN]
    assert [one.subject for one in told(doors)] == ["ana@example.com"]


@pytest.mark.parametrize("route", ["/decode", "/encode", "/whatever"])
async def test_a_preflight_is_answered_on_every_route_for_that_origin_alone(
    server: httpx.AsyncClient, route: str
) -> None:
    asks = {"Access-Control-Request-Method": "POST"}
    asks |= {"Access-Control-Request-Headers": "content-type, x-namespace"}
    ours = await server.options(route, headers={**asks, "Origin": UI})
    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (200, UI)
    others = await server.options(route, headers={**asks, "Origin": "http://evil.example"})
    assert others.status_code == 400
    assert "access-control-allow-origin" not in others.headers


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"payloads": 7}', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_none_is_refused_without_a_trace(
    server: httpx.AsyncClient, body: bytes
) -> None:
    sent = {**SENT, "Content-Type": "application/json"}
    answer = await server.post("/decode", content=body, headers=sent)
    assert refused(answer) == (422, "not-understood")


async def test_a_body_that_is_too_large_is_not_read_to_its_end(
    server: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec_server, "MOST_BYTES", 1000)
    sent = {**SENT, "Content-Type": "application/json"}
    answer = await server.post("/decode", content=b" " * 1001, headers=sent)
    assert refused(answer) == (413, "too-large")


async def test_what_the_web_ui_sends_fits_no_workflow_alone(
    doors: CodecDoors, server: httpx.AsyncClient
) -> None:
    body = MessageToDict(Payloads(payloads=[PLAIN]))
    made = payloads(await server.post("/encode", json=body, headers=SENT))
    here = WorkflowSerializationContext("prod", "rollback/prod/a")
    strict = Encryption(doors.keys, "prod").with_context(here)
    assert (await strict.decode(made))[0].metadata["encoding"] == REFUSED
    assert await replace(strict, takes_unbound=True).decode(made) == [PLAIN]


async def test_where_decisions_are_signed_the_web_ui_sends_nothing(doors: CodecDoors) -> None:
    body = MessageToDict(Payloads(payloads=[PLAIN]))
    async with of(replace(doors, may_encode=False)) as server:
        answer = await server.post("/encode", json=body, headers=SENT)
    assert refused(answer) == (403, "read-only")


async def test_a_payload_of_another_namespace_stays_closed(
    doors: CodecDoors, server: httpx.AsyncClient
) -> None:
    foreign = Encryption(doors.keys, "stage").with_context(
        WorkflowSerializationContext("stage", "rollback/stage/a")
    )
    body = MessageToDict(Payloads(payloads=await foreign.encode([PLAIN])))
    (answer,) = payloads(await server.post("/decode", json=body, headers=SENT))
    assert answer.metadata["encoding"] == REFUSED
