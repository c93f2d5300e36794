"""One request to one address: over TLS, with a time-out, without redirects, at most so long."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rollback_manager.client.connection import is_loopback
from rollback_manager.errors import Unreachable
from starters.refusals import UNCHANGED, UsageError

TIMEOUT_S = 15.0
"""Longer than a gateway lets a request take."""
LARGEST = 8 * 1024 * 1024
"""Bytes of an answer; the largest plan is 900 KiB."""


@dataclass(frozen=True)
class Answer:
    """What came back. document: {} where it is no JSON object."""

    status: int
    document: Mapping[str, Any]


def send(
    method: str, url: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] = {}
) -> Answer:
    """The answer, whatever its status.

    Raises Unreachable where there is none, UsageError for an address that gives credentials away.
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.netloc, parts.hostname or "")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = None if body is None else json.dumps(body).encode()
    typed = {"Content-Type": "application/json"} if sent is not None else {}
    try:
        connection.request(method, target, sent, {"Accept": "application/json", **typed, **headers})
        response = connection.getresponse()
        text = response.read(LARGEST + 1)
    except (OSError, http.client.HTTPException) as error:
        raise _silent(parts.netloc, type(error).__name__) from error
    finally:
        connection.close()
    if len(text) > LARGEST:
        raise _silent(parts.netloc, "its answer is too long")
    return Answer(response.status, _document(text))


def _connection(scheme: str, place: str, host: str) -> http.client.HTTPConnection:
    if scheme == "https" and host:
        return http.client.HTTPSConnection(
            place, timeout=TIMEOUT_S, context=ssl.create_default_context()
        )
    if scheme == "http" and is_loopback(f"{host}:0"):
        return http.client.HTTPConnection(place, timeout=TIMEOUT_S)
    raise UsageError(
        f"{scheme or 'nothing'}://{host[:80]} is not an address of https",
        effect=UNCHANGED,
        next_step="Name the gateway: ROLLBACK_GATEWAY=https://rollback.example.com",
    )


def _document(text: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(text)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _silent(place: str, because: str) -> Unreachable:
    return Unreachable(
        f"{place} does not answer: {because}",
        effect="Nothing is known to have changed by this call. Rollbacks that run go on.",
        next_step="Try again; or ask Temporal itself, without ROLLBACK_GATEWAY",
    )
