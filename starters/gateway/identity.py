"""Who is asking, and whether a browser elsewhere made them ask."""

import logging
import re
from typing import Annotated

from fastapi import Depends, Request

from rollback_manager.authority.people import Kind, Person
from starters.gateway import pace
from starters.gateway.auditing import SAFE
from starters.gateway.ci.guard import admitted, bearer
from starters.gateway.doors import Doors, known_doors
from starters.gateway.lanes import DECISIONS, lane_of
from starters.gateway.problems import Refused

log = logging.getLogger(__name__)
SIGN_IN = "Sign in on the gateway's own page: /sign-in"
OF_ROLLBACK = re.compile(
    r"/api/v1/(rollback/[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,199})(?:/.*)?"
)
"""What of an address may be said again: names of ours alone."""
GO_THERE = "Open the gateway by the address that it prints when it starts."


async def who(request: Request, known: Annotated[Doors, Depends(known_doors)]) -> Person:
    """A CI job by its credential, or who has signed in; at level `local` the local operator.

    A credential that does not count makes nobody the operator. Raises Refused: 401 where it is not
    known who asks, 429 where they ask too often; decisions have a pace of their own.
    """
    person = await _known(request, known)
    request.state.subject = person.subject
    if lane_of(request.scope["path"]) is not DECISIONS:
        kind = pace.Kind.READ if request.method in SAFE else pace.Kind.CHANGE
        known.pace.allow(person.subject, kind)
    return person


async def _known(request: Request, known: Doors) -> Person:
    if (credential := bearer(request)) is not None:
        if known.ci is None:
            raise Refused(401, "bad-credential", "no CI signs in here", next_step=GO_THERE)
        return await admitted(request, known, known.ci, credential)
    if known.sign_in is not None:
        found = known.sign_in.signed_in(request)
        if found is None:
            raise Refused(
                401, "not-signed-in", "nobody is signed in", next_step=_sign_in(request, known)
            )
        return _by_the_catalogue(known, found.person_at(known.now()))
    return local_operator(known)


def _sign_in(request: Request, known: Doors) -> str:
    """A person first: they have a browser, and no credential for anything else."""
    found = OF_ROLLBACK.fullmatch(request.scope["path"])
    page = f"{known.binding.origin}/{found[1] if found else ''}"
    return (
        f"Open {page} in a browser: you sign in there, and decide on that page."
        " A CI job sends its credential instead: docs/ci.md"
    )


def _by_the_catalogue(known: Doors, person: Person) -> Person:
    """With the groups of the catalogue; Refused (403) under the name of a group of it.

    Asked at each request: rights go by names, and a name must mean one person or one group.
    """
    directory = known.catalogue.directory
    if directory.is_taken(person.subject):
        raise Refused(
            403,
            "name-of-a-group",
            f"the catalogue has a group of the name that you sign in with: {person.subject}",
            next_step="If it is yours, have it put under `people` of the catalogue; else: /sign-in",
        )
    if lost := directory.named.intersection(directory.uncounted(person.groups)):
        about = {"person": person.subject, "groups": sorted(lost)}
        log.warning("groups that are called as people are did not count", extra=about)
    return directory.completed(person)


def local_operator(known: Doors) -> Person:
    """Whoever can open this port on this machine."""
    return Person(subject=known.operator, kind=Kind.LOCAL, method="local")


async def from_here(request: Request, known: Annotated[Doors, Depends(known_doors)]) -> None:
    """Refuse other names for this address, and changes that another site's page asked for."""
    if request.headers.get("host", "") not in known.binding.hosts:
        raise Refused(421, "wrong-host", "this is not a name of the gateway", next_step=GO_THERE)
    origin = request.headers.get("origin")
    if request.method not in SAFE and origin not in (None, known.binding.origin):
        raise Refused(403, "wrong-origin", "another site asked for it", next_step=GO_THERE)


Who = Annotated[Person, Depends(who)]
Known = Annotated[Doors, Depends(known_doors)]
