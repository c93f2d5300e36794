"""What one caller, and all together, may take; and that decisions have room in any flood."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from rollback_manager.authority.people import Person
from rollback_manager.client import RollbackClient
from rollback_manager.contract import RollbackRequest
from starters.gateway import bodies
from starters.gateway import limits as limits_layer
from starters.gateway.buckets import Buckets, Rate
from starters.gateway.deciding import Asked, Channel, Deciding, decide
from starters.gateway.doors import Binding
from starters.gateway.lanes import DECISIONS, LANES, OTHERS, lane_of
from starters.gateway.limits import Limits
from starters.gateway.pace import RATES, Kind
from starters.gateway.pages import decisions, steering
from starters.gateway.problems import Refused
from tests.starters.gateway.conftest import ORIGIN, Gate
from workers import gateway as process
from workers import patience

DECISION = "/api/v1/rollback/test/k/decisions"


class Clock:
    """Seconds, as the test has them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow:
    """An app that answers when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append((await receive())["body"])
        if not scope["path"].endswith("decisions"):
            await self.let.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


async def _ask(
    limits: Limits, method: str, path: str, address: str = "10.0.0.1", **more: Any
) -> httpx.Response:
    """As uvicorn would hand it on, from that address."""
    transport = httpx.ASGITransport(limits, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        return await http.request(method, path, **more)


def test_a_bucket_gives_what_it_has_and_fills_again() -> None:
    clock = Clock()
    held = Buckets(Rate(per_s=2, burst=3), clock)
    assert [held.take("ana") for _ in range(4)] == [0, 0, 0, 0.5]
    assert held.take("ben") == 0, "another's bucket is another's"
    clock.now = 0.5
    assert [held.take("ana") for _ in range(2)] == [0, 0.5]
    clock.now = 3600
    assert [held.take("ana") for _ in range(4)] == [0, 0, 0, 0.5], "no more than a full one"


def test_decisions_have_a_lane_of_their_own() -> None:
    for path in (DECISION, "/rollback/prod/k/abort", "/slack/actions"):
        assert lane_of(path) is DECISIONS
    for path in ("/api/v1/rollbacks", "/", "/rollback/prod/k", DECISION + "/x", "/a\n/b"):
        assert lane_of(path) is OTHERS


def test_whatever_a_page_lets_people_decide_has_that_lane() -> None:
    routes = [*decisions.router.routes, *steering.router.routes]
    posted = [one for one in routes if isinstance(one, APIRoute) and "POST" in (one.methods or ())]
    paths = [one.path.format(env="prod", key="k") for one in posted]
    assert {path.rpartition("/")[2] for path in paths} == {
        *("approve", "reject", "abort", "pause", "resume", "retry-step", "skip-step")
    }
    for path in paths:
        assert lane_of(path) is DECISIONS, path


async def test_a_flood_at_other_doors_leaves_decisions_their_room() -> None:
    app = Slow()
    limits = Limits(app, lambda: 0.0)
    crowd = [
        asyncio.create_task(_ask(limits, "GET", "/api/v1/services", f"10.0.1.{number}"))
        for number in range(OTHERS.at_once + OTHERS.waiting)
    ]
    while len(app.bodies) < OTHERS.at_once:
        await asyncio.sleep(0.01)
    turned_away = await _ask(limits, "GET", "/api/v1/services")
    assert (turned_away.status_code, turned_away.json()["type"]) == (503, "busy")
    assert turned_away.headers["retry-after"]
    assert (await _ask(limits, "POST", DECISION, content=b"{}")).text == "done"
    app.let.set()
    assert {(await one).status_code for one in crowd} == {200}


async def test_one_address_is_answered_so_often_and_told_when_again() -> None:
    clock, app = Clock(), Slow()
    app.let.set()
    limits, burst = Limits(app, clock), int(OTHERS.rate.burst)
    codes = [(await _ask(limits, "GET", "/x")).status_code for _ in range(burst + 1)]
    assert codes == [200] * burst + [429]
    refused = await _ask(limits, "GET", "/x")
    assert (refused.json()["type"], refused.headers["retry-after"]) == ("too-often", "1")
    assert (await _ask(limits, "POST", DECISION)).status_code == 200
    assert (await _ask(limits, "GET", "/healthz")).status_code == 200
    assert (await _ask(limits, "GET", "/x", "10.0.0.2")).status_code == 200
    clock.now = 1.0
    assert (await _ask(limits, "GET", "/x")).status_code == 200


async def test_a_body_is_small_announced_or_not() -> None:
    app = Slow()
    app.let.set()

    async def parts(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 1024

    limits = Limits(app, lambda: 0.0)

    async def post(path: str, content: Any) -> tuple[int, str]:
        got = await _ask(limits, "POST", path, content=content)
        return got.status_code, got.text if got.status_code == 200 else got.json()["type"]

    assert await post("/x", b"x" * (bodies.SMALL + 1)) == (413, "too-large")
    assert await post("/x", parts(65)) == (413, "too-large")
    assert await post("/x", parts(64)) == (200, "done")
    assert await post("/api/v1/plans", parts(65)) == (200, "done")
    assert await post("/api/v1/plans", parts(1025)) == (413, "too-large")
    assert [len(body) for body in app.bodies] == [64 * 1024, 65 * 1024]


async def test_what_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = tuple(lane._replace(work_s=0.05) for lane in LANES)
    monkeypatch.setattr(limits_layer, "LANES", quick)
    refused = await _ask(Limits(Slow(), lambda: 0.0), "GET", "/x")
    assert (refused.status_code, refused.json()["type"]) == (503, "too-long")


@contextlib.asynccontextmanager
async def _listening(app: FastAPI) -> AsyncIterator[int]:
    """On a real socket, as the process has it."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    async with process.served(app, Binding("127.0.0.1", port, "", ())):
        yield port


async def _silent(port: int, *said: bytes) -> bytes:
    """All that is answered to who says that, a moment after another, and then nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in said:
            writer.write(part)
            await asyncio.sleep(0.05)
        async with asyncio.timeout(4):
            return await reader.read()
    finally:
        writer.close()


async def test_who_does_not_finish_a_request_is_let_go(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "HEAD_S", 0.2)
    monkeypatch.setattr(bodies, "WITHIN_S", 0.2)
    from starters.gateway.app import make_app

    async with _listening(make_app(gate.doors)) as port:
        whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        assert await _silent(port) == b""
        assert await _silent(port, b"GET /healthz HTTP/1.1\r\nHost: ") == b""
        twice = await _silent(port, whole, b"GET /healthz HT")
        assert re.findall(rb"HTTP/1.1 (\d+)", twice) == [b"200"]
        head = b"POST /alerts/generic HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        late = await _silent(port, head)
        assert late.startswith(b"HTTP/1.1 408")
        assert json.loads(late.partition(b"\r\n\r\n")[2])["type"] == "too-slow"


async def test_who_sends_a_thousand_aborts_keeps_nobody_else_from_theirs(gate: Gate) -> None:
    spammer, commander = Person(subject="mal@example.com"), Person(subject="ic@example.com")
    sent: list[str] = []

    class Counted:
        def rollback(self, id: str) -> "Counted":
            return self

        async def request(self) -> RollbackRequest:
            return RollbackRequest(env="test", services=("s",), key="k", requested_by="ana")

        async def abort(self, command: Any) -> None:
            sent.append(command.by)

    doors = replace(gate.doors, rollbacks=cast(RollbackClient, Counted()))

    async def abort(person: Person, number: int) -> bool:
        asked = Asked(
            rollback="rollback/test/k",
            deciding=Deciding.ABORT_HOLD,
            id=f"{person.subject}-{number}",
        )
        try:
            return (await decide(doors, person, Channel.CLI, asked)).applied
        except Refused as refused:
            return refused.status != 429

    taken = [await abort(spammer, number) for number in range(1000)]
    assert sum(taken) in range(int(RATES[Kind.DECISION].burst), int(RATES[Kind.DECISION].burst) + 5)
    assert await abort(commander, 0)
    assert sent[-1] == "ic@example.com"


async def test_reading_often_does_not_keep_anybody_from_deciding(gate: Gate) -> None:
    codes = [
        (await gate.http.get("/api/v1/services")).status_code
        for _ in range(int(RATES[Kind.READ].burst) + 20)
    ]
    assert codes[0] == 200
    assert codes[-1] == 429
    abort = await gate.http.post(DECISION, json={"decision": "abort_hold"})
    assert abort.status_code == 404, "there is no such rollback, but it was asked for"
