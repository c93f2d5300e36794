"""Slack's door under attack: forged, bent and replayed requests, each made from a valid one."""

import asyncio
import hashlib
import hmac
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

import httpx
from pydantic import Field

from demo.slack import signed
from demo.slack.people import FORM
from rollback_manager.values import Value

Headers = list[tuple[str, bytes]]
AT_ONCE = 20
WITHIN_S = 30.0
PATIENCE = 20
"""Times that a request is sent again which came too often."""
REFUSALS = frozenset({401, 413})
"""What an unproven request may get; anything else would mean that more than its proof was read."""


class Attempt(Value):
    """One request. what: how it differs from a valid one."""

    what: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


class Attacked(Value):
    """What came of them. accepted: neither 401 nor 413; each such attempt in words."""

    tried: int = 0
    accepted: int = 0
    server_errors: int = 0
    statuses: dict[str, int] = Field(default_factory=dict)
    violations: tuple[str, ...] = ()


def mutated(secret: str, body: bytes, now_s: float, *, seed: int = 1) -> Iterator[Attempt]:
    """More than 5,000 for a body of a click: every byte of it, of the signature, of the time."""
    chance = random.Random(seed)
    headers = _list(signed(secret, body, now_s))
    return chain(
        _bent_bodies(headers, body, chance),
        _bent_headers(headers, body, chance),
        _cut(headers, body),
        _left_out_or_twice(headers, body),
        _wrongly_signed(secret, body, now_s),
        _wrong_times(secret, body, now_s),
        _wrong_forms(secret, body, now_s),
        _too_long(secret, now_s),
    )


async def play(
    http: httpx.AsyncClient,
    path: str,
    attempts: Iterable[Attempt],
    refusals: frozenset[int] = REFUSALS,
) -> Attacked:
    """All of them, AT_ONCE at a time, against the gateway that `http` stands before."""
    tickets, statuses, violations = asyncio.Semaphore(AT_ONCE), Counter[int](), list[str]()

    async def one(attempt: Attempt) -> None:
        async with tickets:
            status = await _sent(http, path, attempt)
        statuses[status] += 1
        if status not in refusals:
            violations.append(f"{attempt.what}: {status}")

    batch: list[asyncio.Task[None]] = []
    for attempt in attempts:
        batch.append(asyncio.create_task(one(attempt)))
        if len(batch) >= AT_ONCE * 10:
            await asyncio.gather(*batch)
            batch.clear()
    await asyncio.gather(*batch)
    return Attacked(
        tried=statuses.total(),
        accepted=sum(n for status, n in statuses.items() if status not in refusals),
        server_errors=sum(n for status, n in statuses.items() if status >= 500),
        statuses={str(status): n for status, n in sorted(statuses.items())},
        violations=tuple(violations[:20]),
    )


async def replay(
    http: httpx.AsyncClient,
    path: str,
    secret: str,
    body: bytes,
    now_s: float,
    times: int,
) -> dict[str, int]:
    """The same signed request so often at once; status → how often. One alone may be 200."""
    attempt = Attempt(what="replay", headers=tuple(_list(signed(secret, body, now_s))), body=body)
    tickets = asyncio.Semaphore(AT_ONCE)

    async def one() -> int:
        async with tickets:
            return await _sent(http, path, attempt)

    statuses = await asyncio.gather(*(one() for _ in range(times)))
    return {str(status): n for status, n in sorted(Counter(statuses).items())}


async def _sent(http: httpx.AsyncClient, path: str, attempt: Attempt) -> int:
    """The status; who is told to come later does so: what counts is what the door says."""
    headers = [(name.encode(), value) for name, value in attempt.headers]
    for _ in range(PATIENCE):
        answer = await http.post(path, content=attempt.body, headers=headers, timeout=WITHIN_S)
        if answer.status_code != 429:
            break
        await asyncio.sleep(1)
    return answer.status_code


def _list(headers: dict[str, str]) -> Headers:
    return [(name, value.encode()) for name, value in headers.items()]


def _attempt(what: str, headers: Headers, body: bytes) -> Attempt:
    return Attempt(what=what, headers=tuple(headers), body=body)


def _bent_bodies(headers: Headers, body: bytes, chance: random.Random) -> Iterator[Attempt]:
    """Each byte exchanged three times, dropped once, and one put before it."""
    for at, byte in enumerate(body):
        for other in chance.sample([b for b in range(256) if b != byte], 3):
            yield _attempt(f"byte {at}", headers, body[:at] + bytes([other]) + body[at + 1 :])
        yield _attempt(f"byte {at} dropped", headers, body[:at] + body[at + 1 :])
        yield _attempt(f"byte before {at}", headers, body[:at] + b"0" + body[at:])


def _bent_headers(headers: Headers, body: bytes, chance: random.Random) -> Iterator[Attempt]:
    """Each byte of each value, by others that may stand in a header."""
    visible = [*range(0x21, 0x7F), *range(0x80, 0x100)]
    for number, (name, value) in enumerate(headers):
        for at, byte in enumerate(value):
            for other in chance.sample([b for b in visible if b != byte], 4):
                bent = value[:at] + bytes([other]) + value[at + 1 :]
                changed = [*headers[:number], (name, bent), *headers[number + 1 :]]
                yield _attempt(f"{name} byte {at}", changed, body)


def _cut(headers: Headers, body: bytes) -> Iterator[Attempt]:
    for length in range(len(body)):
        yield _attempt(f"cut to {length}", headers, body[:length])


def _left_out_or_twice(headers: Headers, body: bytes) -> Iterator[Attempt]:
    for number, (name, value) in enumerate(headers):
        yield _attempt(f"no {name}", headers[:number] + headers[number + 1 :], body)
        yield _attempt(
            f"{name} empty", [*headers[:number], (name, b""), *headers[number + 1 :]], body
        )
        for other in (value, b"", b"v0=00"):
            yield _attempt(f"{name} twice", [*headers, (name, other)], body)


def _wrongly_signed(secret: str, body: bytes, now_s: float) -> Iterator[Attempt]:
    """By another secret, over another text, by another hash, in another spelling."""
    stamp = str(int(now_s)).encode()
    for other in ("", secret[:-1], secret + "x", secret.upper(), "x" * 32):
        yield _attempt("another secret", _list(signed(other, body, now_s)), body)
    for text in (body, stamp + body, b"v1:" + stamp + b":" + body, b"v0:" + body):
        mac = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        yield _attempt("another text", _with_signature(stamp, f"v0={mac}"), body)
    whole = b"v0:" + stamp + b":" + body
    for hashed in ("sha1", "md5", "sha512"):
        mac = hmac.new(secret.encode(), whole, hashed).hexdigest()
        yield _attempt(hashed, _with_signature(stamp, f"v0={mac}"), body)
    mac = hmac.new(secret.encode(), whole, hashlib.sha256).hexdigest()
    for spelt in (mac, f"v1={mac}", f"v0={mac.upper()}", f"v0={mac}00", f"v0:{mac}", f"V0={mac}"):
        yield _attempt("another spelling", _with_signature(stamp, spelt), body)


def _with_signature(stamp: bytes, signature: str) -> Headers:
    return [
        ("Content-Type", FORM.encode()),
        ("X-Slack-Request-Timestamp", stamp),
        ("X-Slack-Signature", signature.encode()),
    ]


def _wrong_times(secret: str, body: bytes, now_s: float) -> Iterator[Attempt]:
    """Signed as they should be, for a time that is not now, or that is none.

    Those ahead of now are far ahead, for the playing itself takes a minute.
    """
    for off in (-86_400, -3600, -330, 3600, 7200, 86_400, -int(now_s), 10**10):
        yield _attempt(f"{off} s off", _list(signed(secret, body, now_s + off)), body)
    now = str(int(now_s))
    strange = (f"+{now}", f"-{now}", f"{now}.0", f"0x{now}", "1e9", "nan", now + "0" * 40, "٣", "²")
    for text in strange:
        stamp = text.encode()
        whole = b"v0:" + stamp + b":" + body
        mac = hmac.new(secret.encode(), whole, hashlib.sha256).hexdigest()
        yield _attempt(f"time {text!r}", _with_signature(stamp, f"v0={mac}"), body)


def _wrong_forms(secret: str, body: bytes, now_s: float) -> Iterator[Attempt]:
    """Signed as they should be, and yet no form of Slack's."""
    others = ("application/json", "multipart/form-data; boundary=x", "text/plain", FORM.upper())
    for form in others:
        headers = {**signed(secret, body, now_s), "Content-Type": form}
        yield _attempt(form, _list(headers), body)


def _too_long(secret: str, now_s: float) -> Iterator[Attempt]:
    for more in (1, 1000, 100_000):
        body = b"payload=" + b"x" * (64 * 1024 + more)
        yield _attempt(f"{len(body)} bytes", _list(signed(secret, body, now_s)), body)
