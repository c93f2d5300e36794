"""What people and jobs say of releases, broken glass and quarantines: allowed? → signed → sent."""

import asyncio
import secrets

from rollback_manager.authority.asks import Ask, about, content
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.may import Channel, Verb
from rollback_manager.authority.people import Person
from rollback_manager.authority.token import Dec
from rollback_manager.claim import Left
from rollback_manager.contract import (
    AdoptRequest,
    Carried,
    MarkRelease,
    RecordRelease,
    ReleaseHold,
    ReleaseRequest,
    Releases,
    RollbackRequest,
    stay_id,
)
from rollback_manager.errors import NotFound
from rollback_manager.glass import Glasses, GlassRequest, ListGlasses, ReviewGlass
from starters.gateway import allowed, asking, asks, signing
from starters.gateway.doors import Doors


async def record(known: Doors, person: Person, channel: Channel, ask: RecordRelease) -> Releases:
    """Remember that it went out. Raises Refused (403) where this person or job may not."""
    await _must_be_of(known, person, Verb.RECORD_RELEASE, channel, ask)
    signed = ask.model_copy(update={"token": await _signed(known, person, ask)})
    return await known.rollbacks.releases(ReleaseRequest(ask=signed))


async def mark(known: Doors, person: Person, channel: Channel, ask: MarkRelease) -> Releases:
    """Say that it is good, or bad: rollbacks go to what is good. Raises as `record`."""
    await _must_be_of(known, person, Verb.MARK_RELEASE, channel, ask)
    signed = ask.model_copy(update={"token": await _signed(known, person, ask)})
    return await known.rollbacks.releases(ReleaseRequest(ask=signed))


async def give_back(known: Doors, person: Person, channel: Channel, ask: AdoptRequest) -> Left:
    """End a quarantine. No plan says how much that matters, so the most is asked for."""
    await _must_be_of(known, person, Verb.ADOPT, channel, ask)
    signed = ask.model_copy(update={"token": await _signed(known, person, ask)})
    return await known.rollbacks.left(signed)


async def review(known: Doors, person: Person, channel: Channel, ask: ReviewGlass) -> Glasses:
    """Note that it was looked at, by somebody else than who broke it."""
    allowed.level_of(known.catalogue, ask.env)  # an unknown one must not cost a workflow
    kept = await known.rollbacks.glasses(GlassRequest(ask=ListGlasses(env=ask.env)))
    glass = next((one for one in kept.glasses if one.rollback == ask.rollback), None)
    if glass is None:
        raise NotFound(
            f"{ask.rollback} broke no glass",
            effect="Production is unchanged.",
            next_step=f"See which did: rollback-manager review list --env {ask.env}",
        )
    of = _of(ask.env, glass.services, glass.by)
    await _demand(known, person, Verb.REVIEW, channel, ask, of)
    signed = ask.model_copy(update={"token": await _signed(known, person, ask)})
    return await known.rollbacks.glasses(GlassRequest(ask=signed))


async def release_hold(
    known: Doors, person: Person, channel: Channel, place: tuple[str, str], reason: str
) -> Carried:
    """Have those given back who are held for a service: its bad version may come back by them."""
    env, service = place
    known.catalogue.placement(env, service)
    name, facts = stay_id(env, service), _of(env, (service,), person.subject)
    roles = allowed.facts(known.catalogue, facts, person)
    await asking.demand(known, person, Verb.ADOPT, name, None, channel, roles)
    command, once = ReleaseHold(by=person.subject, reason=reason), secrets.token_hex(16)
    token = ""
    if roles.level is SecurityLevel.SECURED:
        signer = signing.required(known.signer, env)
        run, plan = await known.rollbacks.hold_run(env, service), content(command)
        to = signing.About(env=env, rollback=name, run=run, plan=plan)
        make = signing.token  # in a thread: the key may be far away
        dec, now = Dec.RELEASE_HOLD, known.now()
        token = await asyncio.to_thread(make, signer, person, dec, to, once, now)
    await known.auditing.before(
        person, Dec.RELEASE_HOLD, name, id=once, rests_on=command, jws=token
    )
    await known.rollbacks.release_hold(env, service, command.model_copy(update={"token": token}))
    return Carried(applied=False, pending=True, because="sent: see the stay of the service")


async def _must_be_of(
    known: Doors,
    person: Person,
    verb: Verb,
    channel: Channel,
    ask: RecordRelease | MarkRelease | AdoptRequest,
) -> None:
    known.catalogue.placement(ask.env, ask.service)
    of = _of(ask.env, (ask.service,), person.subject)
    await _demand(known, person, verb, channel, ask, of)


async def _demand(
    known: Doors, person: Person, verb: Verb, channel: Channel, ask: Ask, of: RollbackRequest
) -> None:
    facts = allowed.facts(known.catalogue, of, person)
    await asking.demand(known, person, verb, about(ask), None, channel, facts)


def _of(env: str, services: tuple[str, ...], by: str) -> RollbackRequest:
    """As what roles are looked up: nothing is started."""
    return RollbackRequest(env=env, services=services, key="asked", requested_by=by)


async def _signed(known: Doors, person: Person, ask: Ask) -> str:
    """Each time anew: said again it is another request, which does no harm."""
    return await asks.signed(known, person, ask, secrets.token_hex(16))
