"""Alerts' doors under attack: forged, bent and repeated requests, each made from a valid one."""

import hashlib
import hmac
import json
import random
from collections.abc import Iterator
from itertools import chain
from typing import Any

from proof.attack.slack import Attempt
from rollback_manager.incidents.alert_names import AlertSource
from starters.gateway.alerts.proofs import mac

Headers = tuple[tuple[str, bytes], ...]
JSON = ("Content-Type", b"application/json")
BEARER = {AlertSource.ALERTMANAGER, AlertSource.GRAFANA}
REFUSALS = frozenset({401, 409, 413, 422})
"""409: this very request was taken before; 422: proven, and it means nothing here."""
INJECTIONS = (
    '"} or vector(0) #',
    "../../etc/passwd",
    "${jndi:ldap://127.0.0.1/x}",
    "{x.__init__.__globals__[secret]}",
    "'; DROP TABLE releases; --",
    "http://169.254.169.254/latest/meta-data/",
    "\x1b]0;owned\x07",
    "\u202eedoc",
    "<script>alert(1)</script>",
    "\x00",
    "checkout\n",
    "x" * 999,
)
"""Texts that would do harm if a label were put into a query, a path, a page or a terminal."""


def signed(secret: str, body: bytes, now_s: float, id: str = "a-1") -> Headers:
    """The headers of a valid request of the doors that take signatures."""
    stamp = str(int(now_s))
    proof = f"t={stamp},v1={mac(secret, id, stamp, body)}"
    return JSON, ("Rollback-Id", id.encode()), ("Rollback-Signature", proof.encode())


def borne(secret: str) -> Headers:
    """Those of the doors that take a token."""
    return JSON, ("Authorization", f"Bearer {secret}".encode())


def forged(
    source: AlertSource, secret: str, body: bytes, now_s: float, *, seed: int = 1
) -> Iterator[Attempt]:
    """Requests without a proof; none may be more than refused."""
    chance = random.Random(seed)
    if source in BEARER:
        return chain(_bent(borne(secret), body, chance), _other_tokens(secret, body))
    headers = signed(secret, body, now_s)
    return chain(
        _bent(headers, body, chance),
        _bent_bodies(headers, body, chance),
        _other_proofs(secret, body, now_s),
    )


def senseless(
    source: AlertSource, secret: str, valid: dict[str, Any], now_s: float
) -> Iterator[Attempt]:
    """Proven requests that mean nothing: of unknown names, of another shape, of no JSON at all."""
    for number, body in enumerate(chain(_injected(source, valid), _misshapen(valid))):
        own = borne(secret) if source in BEARER else signed(secret, body, now_s, f"s-{number}")
        yield Attempt(what=f"senseless {number}", headers=own, body=body)


def _bent(headers: Headers, body: bytes, chance: random.Random) -> Iterator[Attempt]:
    """Each byte of each header that proves something; headers left out, empty, or twice."""
    visible = [*range(0x21, 0x7F), *range(0x80, 0x100)]
    for number, (name, value) in enumerate(headers[1:], 1):
        before, after = headers[:number], headers[number + 1 :]
        begins = len(b"Bearer ") if name == "Authorization" else 0
        for at in range(begins, len(value)):
            for other in chance.sample([b for b in visible if b != value[at]], 4):
                bent = value[:at] + bytes([other]) + value[at + 1 :]
                yield _attempt(f"{name} byte {at}", (*before, (name, bent), *after), body)
        yield _attempt(f"no {name}", (*before, *after), body)
        yield _attempt(f"{name} empty", (*before, (name, b""), *after), body)
        for twice in (value, b"", b"t=0,v1=00"):
            yield _attempt(f"{name} twice", (*headers, (name, twice)), body)
    for kind in (b"text/plain", b"application/x-www-form-urlencoded", b"", b"application/jsonp"):
        yield _attempt("no JSON", (("Content-Type", kind), *headers[1:]), body)


def _bent_bodies(headers: Headers, body: bytes, chance: random.Random) -> Iterator[Attempt]:
    for at, byte in enumerate(body):
        for other in chance.sample([b for b in range(256) if b != byte], 3):
            yield _attempt(f"byte {at}", headers, body[:at] + bytes([other]) + body[at + 1 :])
        yield _attempt(f"byte {at} dropped", headers, body[:at] + body[at + 1 :])
        yield _attempt(f"byte before {at}", headers, body[:at] + b"0" + body[at:])
        yield _attempt(f"cut to {at}", headers, body[:at])


def _other_tokens(secret: str, body: bytes) -> Iterator[Attempt]:
    for token in ("-", secret[:-1], secret + "x", secret.upper(), secret * 2, "x" * 5000):
        yield _attempt("another token", borne(token), body)
    for spelt in ("Basic", "bearer:", "Token", "Bearer Bearer"):
        value = f"{spelt} {secret}".encode()
        yield _attempt(f"as {spelt}", (JSON, ("Authorization", value)), body)


def _other_proofs(secret: str, body: bytes, now_s: float) -> Iterator[Attempt]:
    """By another secret, over another text, by another hash, in another spelling, of another time.

    Those ahead of now are far ahead, for the playing itself takes a minute.
    """
    stamp = str(int(now_s))
    for other in ("", secret[:-1], secret + "x", secret.upper(), "x" * 32):
        yield _attempt("another secret", signed(other, body, now_s), body)
    own = secret.encode()
    for text in (body, f"{stamp}.".encode() + body, f"a-1{stamp}".encode() + body, b"a-1." + body):
        found = hmac.new(own, text, hashlib.sha256).hexdigest()
        yield _with_proof("another text", f"t={stamp},v1={found}", body)
    whole = f"a-1.{stamp}.".encode() + body
    for hashed in ("sha1", "md5", "sha512"):
        found = hmac.new(own, whole, hashed).hexdigest()
        yield _with_proof(hashed, f"t={stamp},v1={found}", body)
    right = mac(secret, "a-1", stamp, body)
    for spelt in (
        right,
        f"v1={right},t={stamp}",
        f"t={stamp},v1={right.upper()}",
        f"t={stamp},v1={right}00",
        f"t={stamp},v0={right}",
        f"t={stamp}, v1={right}",
        f"t=+{stamp},v1={right}",
    ):
        yield _with_proof("another spelling", spelt, body)
    for off in (-86_400, -3600, -330, 3600, 7200, 86_400, -int(now_s), 10**10):
        yield _attempt(f"{off} s off", signed(secret, body, now_s + off), body)


def _injected(source: AlertSource, valid: dict[str, Any]) -> Iterator[bytes]:
    """The valid alert with a label, or its name, that does harm wherever it is put."""
    for text in INJECTIONS:
        for field in ("service", "environment"):
            labels = {**valid["labels"], field: text}
            yield json.dumps(shaped(source, {**valid, "labels": labels})).encode()
        yield json.dumps(shaped(source, {**valid, "name": text})).encode()


def shaped(source: AlertSource, alert: dict[str, Any]) -> dict[str, Any]:
    """An alert of our own form, as that source would send it."""
    if source is AlertSource.GENERIC:
        return alert
    if source is AlertSource.CLOUDWATCH:
        metric = {"metricStat": {"metric": {"dimensions": alert["labels"]}}}
        state = {"value": "ALARM", "reason": alert["words"], "timestamp": alert["at"]}
        alarm = {"alarmName": alert["name"], "state": state}
        return {"id": "e-1", "detail": {**alarm, "configuration": {"metrics": [metric]}}}
    labels = {**alert["labels"], "alertname": alert["name"]}
    told = {"status": "firing", "labels": labels, "startsAt": alert["at"], "fingerprint": "f1"}
    return {"version": "4", "alerts": [told]}


def _misshapen(valid: dict[str, Any]) -> Iterator[bytes]:
    for name in ("name", "labels", "at"):
        yield json.dumps({key: value for key, value in valid.items() if key != name}).encode()
        wrongs: tuple[Any, ...] = (None, 1, [], {"x": {}}, True, [[]] * 10)
        for wrong in wrongs:
            yield json.dumps({**valid, name: wrong}).encode()
    yield from (b"", b"null", b"[]", b"{", b"[" * 50_000, b'{"a":' * 5000, b"\xff\xfe", b"NaN")


def _with_proof(what: str, proof: str, body: bytes) -> Attempt:
    headers = (JSON, ("Rollback-Id", b"a-1"), ("Rollback-Signature", proof.encode()))
    return _attempt(what, headers, body)


def _attempt(what: str, headers: Headers, body: bytes) -> Attempt:
    return Attempt(what=what, headers=headers, body=body)
