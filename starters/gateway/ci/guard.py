"""What a CI job may send: plan, start, see and abort, of its own services. All else is closed.

A route that is not named here does not exist for CI, whoever adds it.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request

from rollback_manager.authority.ci_credentials import BadCredential
from rollback_manager.authority.ci_tokens import Granted
from rollback_manager.authority.people import Kind, Person
from rollback_manager.contract import checked, rollback_id
from rollback_manager.errors import NotFound, PermanentError
from starters import naming
from starters.gateway.ci.door import CiDoor
from starters.gateway.doors import Doors
from starters.gateway.problems import Refused

ABORTS = frozenset({"abort_hold", "abort_restore"})
TRIGGER = "ci"
NOT_OWN = "it is not the repository's own rollback"
ASK = "CI may ask about its own services, start and abort their way back; see docs/ci.md"


def bearer(request: Request) -> str | None:
    """The credential of the header; None where none was sent."""
    kind, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential.strip() if kind.lower() == "bearer" else None


async def admitted(request: Request, known: Doors, door: CiDoor, credential: str) -> Person:
    """The job, where it may send this; Refused (401, 403, 429) otherwise."""
    try:
        granted = door.credentials.read(credential, known.now())
    except BadCredential as error:
        raise Refused(401, "bad-credential", error.what, next_step=error.next_step) from None
    match request.method, *request.scope["path"].split("/")[1:]:
        case ["POST", "api", "v1", "plans"]:
            _own(granted, await _sent(request))
        case ["POST", "api", "v1", "rollbacks"]:
            await _may_start(request, known, door, granted)
        case ["GET", "api", "v1", "rollback", env, key, *rest] if rest in ([], ["report"]):
            await _is_own(known, granted, env, key)
        case ["POST", "api", "v1", "rollback", env, key, "decisions"]:
            decision = (await _sent(request)).get("decision")
            if not isinstance(decision, str) or decision not in ABORTS:
                raise _closed("CI may ask, and never decides; it may abort what it started")
            await _is_own(known, granted, env, key)
        case ["POST", "api", "v1", "ci", "may-deploy" | "releases"]:
            _own_one(granted, await _sent(request))
        case _:
            raise _closed("this is not for CI")
    return Person(subject=granted.subject, kind=Kind.CI, method="ci", behind=granted.behind)


async def _may_start(request: Request, known: Doors, door: CiDoor, granted: Granted) -> None:
    sent = await _sent(request)
    places = _own(granted, sent)
    if sent.get("trigger") != TRIGGER:
        raise Refused(
            422,
            "wrong-trigger",
            "a rollback that CI starts says so",
            next_step=f'Send "trigger": "{TRIGGER}"',
        )
    key = request.headers.get("idempotency-key") or naming.new_key("ci")
    door.starts.count(places, f"{sent.get('env')}/{key}", known.now())


def _own(granted: Granted, sent: dict[str, Any]) -> list[str]:
    """The places that the request names, all of them the job's own."""
    env, services = sent.get("env"), sent.get("services")
    if not isinstance(env, str) or not isinstance(services, list) or not services:
        raise _closed("it names no service")
    if not all(isinstance(one, str) and granted.has(env, one) for one in services):
        raise _closed("it names a service that is not the repository's own there")
    return [f"{env}/{one}" for one in services]


def _own_one(granted: Granted, sent: dict[str, Any]) -> None:
    """One service, which is the job's own."""
    env, service = sent.get("env"), sent.get("service")
    if not (isinstance(env, str) and isinstance(service, str) and granted.has(env, service)):
        raise _closed("it names a service that is not the repository's own there")


async def _is_own(known: Doors, granted: Granted, env: str, key: str) -> None:
    """A rollback that this repository asked for, of nothing but its own services."""
    try:
        named = rollback_id(checked("environment", env), key)
    except PermanentError:
        raise _closed("this is not the id of a rollback") from None
    try:
        status = await known.rollbacks.rollback(named).status()
    except NotFound:  # told apart from a stranger's one, it would say which keys there are
        raise _closed(NOT_OWN) from None
    own = all(granted.has(status.env, one.service) for one in status.services)
    if status.requested_by != granted.subject or not own:
        raise _closed(NOT_OWN)


async def _sent(request: Request) -> dict[str, Any]:
    """The body as it was sent; what cannot be read is the route's to refuse, after this one did."""
    try:
        sent = await request.json()
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise _closed("it is no JSON object")
    return sent


def _closed(what: str) -> Refused:
    return Refused(403, "not-allowed", what, next_step=ASK)
