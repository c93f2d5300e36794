"""Names that are paths, queries or commands get no further than the door (security T21, T24)."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from fastapi import FastAPI
from fastapi.routing import _IncludedRouter

from starters.gateway.app import make_app
from starters.gateway.pace import Pace
from tests.starters.gateway.conftest import Gate

HOSTILE = (
    "..", "...", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%252e%252e%252f",
    "..%5c..%5cwindows", "a%2fb", "%2fetc%2fpasswd", "a%00.html", "%c0%ae%c0%ae%c0%af", "~root",
    "%27%20OR%20%271%27%3D%271", "x%27%3B%20DROP%20TABLE%20releases%3B%20--",
    "1%20UNION%20SELECT%201", "x%22%20OR%20%22%22%3D%22", "%25", "%5f%25", "x%29%3B--",
    "%7B%7B7*7%7D%7D", "$%7Bjndi:ldap:x%7D",
    "%1b%5b31m", "%e2%80%ae", "%0d%0aSet-Cookie:x", "-rf", "A", "x" * 64, "%ff",
)  # fmt: skip
REASONS = (
    "'); DROP TABLE releases; --",
    "' OR '1'='1",
    '" OR ""="',
    "Robert'; UPDATE releases SET standing='verified' --",
    "%s %(x)s :name ? $1 {0}",
    "\\'; SELECT pg_sleep(9) --",
)
NOT_FOR_IT = frozenset({401, 403, 404, 405, 413, 415, 421, 422})


def _routes(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every route that has a name in its path."""
    included = [one for one in app.routes if isinstance(one, _IncludedRouter)]
    every = [one for router in included for one in router.effective_route_contexts()]
    return [(min(one.methods), one.path) for one in every if one.methods and "{" in one.path]


def _bent(gate: Gate, path: str) -> Iterator[str]:
    """The path with each of its names hostile by turns, the others right."""
    right = {"{env}": "test", "{key}": "k", "{service}": gate.rig.service, "{version}": "v2"}
    right |= {"{form}": "html"}
    for name in (one for one in right if one in path):
        for text in HOSTILE:
            made = path.replace(name, text)
            for other, good in right.items():
                made = made.replace(other, good)
            yield made


def _kept(gate: Gate) -> list[str]:
    """All that stands in the records."""
    file = gate.rig.records._engine.url.database
    with sqlite3.connect(str(file)) as one:
        return [*one.iterdump()]


async def test_no_name_in_a_path_gets_further_than_the_door(gate: Gate) -> None:
    app = make_app(replace(gate.doors, pace=Pace(count(0, 1000).__next__)))  # who asks often may
    before, routes, tried = _kept(gate), _routes(app), 0
    assert len(routes) > 12
    for method, shape in routes:
        for path in _bent(gate, shape):
            answer = await _raw(app, method, path)
            tried += 1
            assert answer[0] in NOT_FOR_IT, (method, path, answer)
            assert b"root:" not in answer[1]
    assert tried > 700
    assert _kept(gate) == before


async def _raw(app: FastAPI, method: str, path: str) -> tuple[int, bytes]:
    """As it stands on the wire: a client of Python's would tidy the path up."""
    scope: dict[str, Any] = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"), "raw_path": path.encode(),
        "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8088), "headers": [(b"host", b"127.0.0.1:8088")],
    }  # fmt: skip
    got: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        got.append(message)

    await app(scope, receive, send)
    return got[0]["status"], b"".join(one.get("body", b"") for one in got)


@pytest.mark.parametrize("text", REASONS)
async def test_words_that_are_sql_are_kept_as_words(gate: Gate, text: str) -> None:
    wanted = {"env": "test", "services": [gate.rig.service], "confirm": gate.rig.service}
    for place in ("env", "services", "to_version"):
        bent = wanted | {place: [text] if place == "services" else text}
        assert (await gate.http.post("/api/v1/plans", json=bent)).status_code == 422, place
    key = {"Idempotency-Key": text}
    refused = await gate.http.post("/api/v1/rollbacks", json=wanted, headers=key)
    assert refused.status_code == 422
    started = await gate.http.post("/api/v1/rollbacks", json=wanted | {"reason": text})
    rollback = gate.rig.rollbacks.rollback(started.json()["rollback"])
    outcome = await rollback.result()
    assert str(outcome.result) == "verified"
    assert (await rollback.status()).reason == text
    kept = {(one.version, str(one.standing)) for one in _releases(gate)}
    assert kept == {("v1", "verified"), ("v2", "bad")}


def _releases(gate: Gate) -> list[Any]:
    return [*gate.rig.records.releases("test", gate.rig.service)]
