"""What a form sends back: from this origin, made for this person, small, and of known fields."""

import secrets
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from pydantic import StringConstraints, ValidationError

from rollback_manager.authority.people import Person
from rollback_manager.contract import NAME
from rollback_manager.values import Value
from starters.gateway.doors import Doors
from starters.gateway.identity import Known, Who
from starters.gateway.problems import Refused
from starters.gateway.seal import FORM_LIFE

FORM = "application/x-www-form-urlencoded"
MOST_BYTES = 16_384
"""Of a form: its longest field is a reason of 2,000 characters."""
TOKEN = "form"  # noqa: S105 -- the name of a purpose
Text = Annotated[str, StringConstraints(max_length=2000, strip_whitespace=True)]


class Sent(Value):
    """What one of our forms sends. id: made with the form, so that a second click is the same."""

    token: str
    id: Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
    plan: Annotated[str, StringConstraints(pattern="^([0-9a-f]{12,64})?$")] = ""
    nonce: Annotated[str, StringConstraints(max_length=64)] = ""
    service: Annotated[str, StringConstraints(pattern=f"^({NAME.pattern})?$")] = ""
    step: Annotated[str, StringConstraints(pattern="^[a-z0-9_-]{0,63}$")] = ""
    reason: Text = ""
    mode: Annotated[str, StringConstraints(pattern="^(hold|restore)$")] = "hold"
    confirm: Text = ""
    incident: Text = ""
    until: Annotated[str, StringConstraints(max_length=40, strip_whitespace=True)] = ""
    word: Annotated[str, StringConstraints(pattern="^(rollback|fix_forward|monitor)?$")] = ""
    rollbacks_too: Annotated[str, StringConstraints(pattern="^(yes)?$")] = ""


def token_for(known: Doors, request: Request, person: Person) -> str:
    """What a form of this person must bring along: good for nobody else, and for this sign-in."""
    until = known.now() + FORM_LIFE
    return known.seal.sealed(TOKEN, _bound_to(known, request, person), until)


def _bound_to(known: Doors, request: Request, person: Person) -> dict[str, str]:
    found = known.sign_in.signed_in(request) if known.sign_in is not None else None
    return {"sub": person.subject, "session": found.id if found else ""}


def new_id() -> str:
    """The name of a decision that has not been made yet."""
    return f"web-{secrets.token_hex(8)}"


async def sent(request: Request, known: Known, person: Who) -> Sent:
    """The form, once it is shown to come from a page of ours that this person has open."""
    if request.headers.get("origin") != known.binding.origin:
        raise _refused(403, "wrong-origin", "this form was not sent by a page of the gateway")
    fields = await _fields(request)
    claims = known.seal.opened(TOKEN, fields.get("token", ""), known.now())
    bound = _bound_to(known, request, person)
    if claims is None or {name: claims.get(name) for name in bound} != bound:
        what = "this page is older than your sign-in, or than the gateway's last start"
        raise _refused(403, "old-form", what)
    try:
        return Sent.model_validate(fields, extra="forbid")
    except ValidationError as error:
        where = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
        raise _refused(422, "not-understood", f"not as it must be: {where[:200]}") from None


async def _fields(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise _refused(415, "not-a-form", "only a form of these pages is read here")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise _refused(413, "too-large", f"a form has at most {MOST_BYTES} bytes")
    return _parsed(bytes(body))


def _parsed(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=20,
            errors="strict",
        )  # fmt: skip
    except ValueError as error:  # of Unicode's, too
        raise _refused(422, "not-understood", "this is no form") from error
    if len({name for name, _ in pairs}) != len(pairs):
        raise _refused(422, "not-understood", "a field comes twice")
    return dict(pairs)


def _refused(status: int, type: str, what: str) -> Refused:
    return Refused(status, type, what, next_step="Go back, load the page again, and decide there.")


Form = Annotated[Sent, Depends(sent)]
