"""What is asked of a worker in a person's name: signed, where that is needed → audited → sent."""

import asyncio

from rollback_manager.authority.asks import Ask, about, content, dec
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.people import Person
from starters.gateway import allowed, signing
from starters.gateway.doors import Doors


async def signed(known: Doors, person: Person, ask: Ask, id: str) -> str:
    """Its token, once it is in the audit chain; empty where nothing is signed.

    id: the same one again is the same request. Raises Unreachable where it cannot be audited.
    """
    token = ""
    if allowed.level_of(known.catalogue, ask.env) is SecurityLevel.SECURED:
        signer = signing.required(known.signer, ask.env)
        to = signing.About(env=ask.env, rollback=about(ask), run="", plan=content(ask))
        make = signing.token  # in a thread: the key may be far away
        token = await asyncio.to_thread(make, signer, person, dec(ask), to, id, known.now())
    await known.auditing.before(person, dec(ask), about(ask), id=id, rests_on=ask, jws=token)
    return token
