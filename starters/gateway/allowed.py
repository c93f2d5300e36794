"""Whether somebody may, by the catalogue of now and by what is known of the rollback."""

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.may import Channel, Facts, Verb, may
from rollback_manager.authority.people import Person
from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import RollbackRequest
from rollback_manager.errors import NotFound
from rollback_manager.tier import Tier
from starters.gateway.problems import Refused


def level_of(catalogue: Catalogue, env: str) -> SecurityLevel:
    """The level of the environment; NotFound where the catalogue has none of that name."""
    known = catalogue.environments.get(env)
    if known is None:
        raise NotFound(
            "the catalogue has no such environment",
            effect="Production is unchanged by this call.",
            next_step="See which there are: GET /api/v1/services",
        )
    return known.security


def facts(
    catalogue: Catalogue,
    request: RollbackRequest,
    person: Person,
    *,
    reason: str = "",
    incident: str = "",
    confirmed: str = "",
) -> Facts:
    """What an answer about that rollback depends on."""
    level = level_of(catalogue, request.env)
    environment = catalogue.environments[request.env]
    known = (catalogue.services.get(name) for name in request.services)
    owners = {owner for one in known if one is not None for owner in one.owners}
    return Facts(
        level=level,
        roles=environment.roles,
        owners=tuple(sorted(owners)),
        approvers=environment.approvers,
        services=request.services,
        requesters=(request.requested_by,),
        is_its_own=request.requested_by == person.subject,
        incident=incident or request.incident,
        reason=reason or request.reason,
        confirmed=confirmed,
    )


def demand(person: Person, verb: Verb, tier: Tier | None, channel: Channel, known: Facts) -> None:
    """Raise Refused (403), in words for that person, where they may not."""
    answered = may(person, verb, tier, channel, known)
    if not answered.applied:
        raise Refused(
            403,
            "not-allowed",
            answered.because,
            next_step="Ask somebody who may: the catalogue names roles and owners.",
        )
