"""Who is asking, and whether a browser elsewhere made them ask."""

from typing import Annotated

from fastapi import Depends, Request

from rollback_manager.authority.people import Kind, Person
from starters.gateway import pace
from starters.gateway.doors import Doors, doors
from starters.gateway.lanes import DECISIONS, lane_of
from starters.gateway.problems import Refused

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
GO_THERE = "Open the gateway by the address that it prints when it starts."


async def who(request: Request, known: Annotated[Doors, Depends(doors)]) -> Person:
    """The local operator: whoever can open this port on this machine is this person."""
    person = Person(subject=known.operator, kind=Kind.LOCAL, method="local")
    within_pace(request, known, person)
    return person


def within_pace(request: Request, known: Doors, person: Person) -> None:
    """Raise Refused (429) where this person asks too often; decisions have a pace of their own."""
    if lane_of(request.url.path) is not DECISIONS:
        kind = pace.Kind.READ if request.method in SAFE else pace.Kind.CHANGE
        known.pace.allow(person.subject, kind)


async def from_here(request: Request, known: Annotated[Doors, Depends(doors)]) -> None:
    """Refuse other names for this address, and changes that another site's page asked for."""
    if request.headers.get("host", "") not in known.binding.hosts:
        raise Refused(421, "wrong-host", "this is not a name of the gateway", next_step=GO_THERE)
    origin = request.headers.get("origin")
    if request.method not in SAFE and origin not in (None, known.binding.origin):
        raise Refused(403, "wrong-origin", "another site asked for it", next_step=GO_THERE)


Who = Annotated[Person, Depends(who)]
Known = Annotated[Doors, Depends(doors)]
