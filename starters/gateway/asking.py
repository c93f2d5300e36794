"""What begins something, besides what is decided about a rollback: allowed? → audited → done."""

import asyncio
from contextlib import suppress

from rollback_manager.authority.asks import content
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.may import Channel, Facts, Verb, may, unbroken
from rollback_manager.authority.people import Kind as Of
from rollback_manager.authority.people import Person
from rollback_manager.authority.token import Dec
from rollback_manager.client import Rollback
from rollback_manager.contract import Answered, RollbackRequest, incident_id, rollback_id
from rollback_manager.decision.facts import Action
from rollback_manager.errors import NotFound, PermanentError
from rollback_manager.glass import GlassRequest, ListGlasses, overdue
from rollback_manager.incidents.incident_status import IncidentVerdict
from rollback_manager.tier import Tier
from starters import naming, refusals
from starters.gateway import allowed, signing
from starters.gateway.doors import Doors
from starters.gateway.pace import Kind
from starters.gateway.problems import Refused


def channel_of(person: Person) -> Channel:
    """By which door a program came: a pipeline by its own, others as the command line does."""
    return Channel.CI if person.kind is Of.CI else Channel.CLI


async def start(
    known: Doors, person: Person, request: RollbackRequest, channel: Channel | None = None
) -> Rollback:
    """Start it, or find it running under its key. channel: by which door, where that is known.

    Who may depends on what it would touch: where decisions are signed it is planned first.
    Raises Refused (403) where this person may not; Unreachable where it cannot be audited.
    """
    name = rollback_id(request.env, request.key)
    if running := await _begun(known, person, request):
        return running
    by = channel or channel_of(person)
    verb = _verb(request)
    tier = None if request.break_glass else await _tier(known, person, request, by)
    facts = allowed.facts(known.catalogue, request, person, confirmed=request.confirmed or "")
    if request.break_glass:
        await _must_break(known, person, request, by, facts)
    elif facts.level is SecurityLevel.SECURED:
        await demand(known, person, verb, name, tier, by, facts)
    asked = request.unsigned
    token = await _signed(known, person, asked) if facts.level is SecurityLevel.SECURED else ""
    # A job run again by somebody else may find what was audited and never reached Temporal.
    once = " ".join(("start", *request.behind))
    await known.auditing.before(person, verb, name, id=once, rests_on=asked, jws=token)
    return await known.rollbacks.start(asked.model_copy(update={"token": token}))


def _verb(request: RollbackRequest) -> Verb:
    if request.break_glass:
        return Verb.BREAK_GLASS
    return Verb.ADOPT if request.adopts else Verb.START


async def _begun(known: Doors, person: Person, request: RollbackRequest) -> Rollback | None:
    """The same request of the same person, begun before: planned anew, it would block itself."""
    running = known.rollbacks.rollback(rollback_id(request.env, request.key))
    with suppress(NotFound):
        before = await running.request()
        if is_same(before, request) and before.requested_by == person.subject:
            return running
    return None


def is_same(before: RollbackRequest, request: RollbackRequest) -> bool:
    """Whether just this was begun before.

    A job that somebody else runs again is the same job: whoever began it stays behind it.
    """
    began = before.unsigned
    return began == request.unsigned.model_copy(update={"behind": began.behind})


async def _must_break(
    known: Doors, person: Person, request: RollbackRequest, channel: Channel, facts: Facts
) -> None:
    """Raise Refused where this person does not break the glass (security.md §7), at any level.

    Who may not (403) learns nothing of open reviews; what is missing can be mended (409).
    """
    name = rollback_id(request.env, request.key)
    answered = may(person, Verb.BREAK_GLASS, None, channel, facts)
    if answered.because != unbroken(facts):
        await demand(known, person, Verb.BREAK_GLASS, name, None, channel, facts)
    late = await _overdue(known, request)
    missing = unbroken(facts.model_copy(update={"overdue": late}))
    if missing:
        await known.auditing.refused(person.subject, Verb.BREAK_GLASS, name, missing)
        words = missing[0].upper() + missing[1:]
        raise Refused(409, "glass-not-broken", "the glass is not broken", next_step=words)


async def _overdue(known: Doors, request: RollbackRequest) -> str:
    """The rollback whose review is overdue, of this person or these services; empty: none."""
    kept = await known.rollbacks.glasses(GlassRequest(ask=ListGlasses(env=request.env)))
    late = overdue(kept.glasses, request.requested_by, request.services, known.now())
    return late.rollback if late else ""


async def _signed(known: Doors, person: Person, request: RollbackRequest) -> str:
    if known.signer is None:
        raise PermanentError(
            f"starts in {request.env} must be signed, and this gateway has no key",
            effect="Nothing was started; what runs goes on as it is.",
            next_step="Name the key: ROLLBACK_GATEWAY_SIGNING_KEY, ROLLBACK_GATEWAY_SIGNING_KID",
        )
    # In a thread: the key may be far away.
    return await asyncio.to_thread(signing.start, known.signer, person, request, known.now())


async def demand(
    known: Doors,
    person: Person,
    verb: Verb,
    about: str,
    tier: Tier | None,
    channel: Channel,
    facts: Facts,
) -> None:
    """Raise Refused (403) where they may not, and keep that: not every door answers with 403."""
    try:
        allowed.demand(person, verb, tier, channel, facts)
    except Refused as refused:
        await known.auditing.refused(person.subject, verb, about, refused.what)
        raise


async def may_now(
    known: Doors, person: Person, verb: Verb, request: RollbackRequest, channel: Channel
) -> None:
    """Raise Refused (403) where they may not do it to these services, whatever is planned."""
    facts = allowed.facts(known.catalogue, request, person)
    if facts.level is SecurityLevel.SECURED:
        about = f"{request.env}/{' '.join(request.services)}"
        await demand(known, person, verb, about, None, channel, facts)


async def _tier(
    known: Doors, person: Person, request: RollbackRequest, channel: Channel
) -> Tier | None:
    """Who may not even plan it has nothing planned for them: it costs a look at production."""
    if allowed.level_of(known.catalogue, request.env) is SecurityLevel.LOCAL:
        return None
    await may_now(known, person, Verb.PLAN, request, channel)
    question = request.model_copy(update={"key": naming.new_key(*request.services)})
    return refusals.made(await known.rollbacks.plan(question)).tier


async def decide_incident(
    known: Doors, person: Person, release: tuple[str, str, str], word: Action, reason: str
) -> Answered:
    """Carry a person's word to the incident of that release: environment, service, version.

    A rollback that comes of it asks for its own approvals; who may start one may say so.
    """
    known.pace.allow(person.subject, Kind.DECISION)
    env, service, version = release
    request = RollbackRequest(
        env=env,
        services=(service,),
        key=naming.new_key(service),
        requested_by=person.subject,
        reason=reason,
    )
    verb, tier = Verb.REJECT, Tier.T0
    if word is Action.ROLLBACK:
        verb, tier = Verb.START, await _tier(known, person, request, channel_of(person)) or Tier.T0
    facts = allowed.facts(known.catalogue, request, person)
    about = f"incident/{env}/{service}/{version}"
    if facts.level is SecurityLevel.SECURED:
        await demand(known, person, verb, about, tier, channel_of(person), facts)
    verdict = IncidentVerdict(action=word, by=person.subject, reason=reason)
    token = ""
    if facts.level is SecurityLevel.SECURED:
        token = await _word_signed(known, person, release, verdict, request.key)
    await known.auditing.before(
        person, f"incident.{word}", about, id=request.key, rests_on=verdict, jws=token
    )
    signed = verdict.model_copy(update={"token": token})
    answered = await known.rollbacks.incidents.decide(*release, signed)
    if not answered.applied:
        await known.auditing.refused(person.subject, f"incident.{word}", about, answered.because)
    return answered


async def _word_signed(
    known: Doors,
    person: Person,
    release: tuple[str, str, str],
    verdict: IncidentVerdict,
    id: str,
) -> str:
    """For this incident from its first run on, and for just this word."""
    signer, env = signing.required(known.signer, release[0]), release[0]
    to = signing.About(
        env=env,
        rollback=incident_id(*release),
        run=await known.rollbacks.incidents.first_run(*release),
        plan=content(verdict),
    )
    make = signing.token  # in a thread: the key may be far away
    return await asyncio.to_thread(make, signer, person, Dec.VERDICT, to, id, known.now())
