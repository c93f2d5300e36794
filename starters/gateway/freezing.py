"""Freezes are said and lifted: allowed? → signed, where decisions are → audited → sent."""

from rollback_manager.authority.asks import Freezing, about, dec
from rollback_manager.authority.may import Channel, Facts, Verb
from rollback_manager.authority.people import Person
from rollback_manager.contract import RollbackRequest
from rollback_manager.deploys import (
    DeployAnswer,
    DeployRequest,
    LiftFreezes,
    ListFreezes,
    SayFreeze,
)
from rollback_manager.errors import PermanentError
from rollback_manager.freezes import stops_rollbacks
from starters.gateway import allowed, asking, asks
from starters.gateway.doors import Doors


async def listed(known: Doors, env: str, service: str = "") -> DeployAnswer:
    """What is frozen there now, or will be."""
    _must_be_known(known, env, service)
    return await known.rollbacks.deploys(DeployRequest(ask=ListFreezes(env=env, service=service)))


async def say(known: Doors, person: Person, channel: Channel, ask: SayFreeze) -> DeployAnswer:
    """Freeze. Raises Refused (403) where this person may not; Unreachable without the audit."""
    await _demand(known, person, channel, ask)
    return await _sent(known, person, ask, ask.id)


async def lift(
    known: Doors, person: Person, channel: Channel, ask: LiftFreezes, id: str
) -> DeployAnswer:
    """Lift what was said of exactly this, as it stands now; the catalogue's own is not lifted.

    Raises as `say`; 403, too, where it stops rollbacks and this is no incident commander.
    """
    await _demand(known, person, channel, ask)
    answer = await listed(known, ask.env, ask.service)
    said = [one for one in answer.freezes if one.id and one.service == ask.service]
    if not said:
        return answer
    if stops_rollbacks(said):
        await _demand(known, person, channel, ask, ends_stop=True)
    ids = tuple(sorted(one.id for one in said))
    return await _sent(known, person, ask.model_copy(update={"ids": ids}), id)


async def _demand(
    known: Doors, person: Person, channel: Channel, ask: Freezing, *, ends_stop: bool = False
) -> None:
    _must_be_known(known, ask.env, ask.service)
    facts = _facts(known, person, ask).model_copy(update={"ends_stop": ends_stop})
    await asking.demand(known, person, Verb.FREEZE, about(ask), None, channel, facts)


def _must_be_known(known: Doors, env: str, service: str) -> None:
    allowed.level_of(known.catalogue, env)
    if service:
        known.catalogue.placement(env, service)


def _facts(known: Doors, person: Person, ask: Freezing) -> Facts:
    """Of a whole environment nobody is an owner: a team does not freeze all the others."""
    named = (ask.service,) if ask.service else ()
    of = RollbackRequest(env=ask.env, services=named, key="freeze", requested_by=person.subject)
    return allowed.facts(known.catalogue, of, person)


async def _sent(known: Doors, person: Person, ask: Freezing, id: str) -> DeployAnswer:
    signed = ask.model_copy(update={"token": await asks.signed(known, person, ask, id)})
    try:
        return await known.rollbacks.deploys(DeployRequest(ask=signed))
    except PermanentError as error:
        await known.auditing.refused(person.subject, dec(ask), about(ask), error.what)
        raise
