"""The one way in which anybody decides through the gateway: allowed? → audited → signed → sent.

No decision is sent without its entry in the audit chain, and each refusal has one, too.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.may import Channel as Channel
from rollback_manager.authority.may import Verb
from rollback_manager.authority.people import Person
from rollback_manager.authority.token import Dec
from rollback_manager.client import Rollback
from rollback_manager.contract import (
    AbortCommand,
    AbortMode,
    Answered,
    Carried,
    Decision,
    PauseCommand,
    RollbackRequest,
    StepCommand,
    Vote,
    is_of_rollback,
)
from rollback_manager.errors import NotFound, Unreachable
from rollback_manager.plan import quotes
from rollback_manager.progress import RollbackStatus
from rollback_manager.values import Value
from starters.gateway import allowed, asking, judging, last_tier, signing
from starters.gateway.doors import Doors
from starters.gateway.last_tier import KnownTier
from starters.gateway.pace import Kind
from starters.gateway.problems import Refused

FORBIDDEN = 403
"""Kept in the chain where it is said: whoever asked may not have waited for it."""
STOPS_WAIT_S = 1.0
"""So long does a stop wait to hear how the rollback stands (ours); it is sent all the same."""


class Deciding(StrEnum):
    """What can be decided about a rollback."""

    APPROVE = "approve"
    REJECT = "reject"
    ABORT_HOLD = "abort_hold"
    ABORT_RESTORE = "abort_restore"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY_STEP = "retry_step"
    SKIP_STEP = "skip_step"

    @property
    def verb(self) -> Verb:
        """What of the table of rights it is."""
        return Verb.ABORT if self in _ABORTS else Verb(self)


_ABORTS = frozenset({Deciding.ABORT_HOLD, Deciding.ABORT_RESTORE})
_STOPS = _ABORTS | {Deciding.PAUSE}
"""What must count while no worker runs: nobody could say then how the rollback stands."""
_MESSAGES = _STOPS | {Deciding.RESUME}
"""What is sent without an answer: Temporal keeps it, the rollback judges it when it reads it."""
_STEPS = frozenset({Deciding.RETRY_STEP, Deciding.SKIP_STEP})
_ANSWERS = _STEPS | {Deciding.APPROVE, Deciding.REJECT}
"""What answers a question."""


class Asked(Value):
    """One decision as it was asked for.

    id: the same id again gets the first answer. plan: the digest, for a vote. step, service: of the
    step that waits. confirm: the service, typed out; incident: which one it is about.
    """

    rollback: str
    deciding: Deciding
    id: str
    plan: str = ""
    nonce: str = ""
    reason: str = ""
    step: str = ""
    service: str = ""
    confirm: str = ""
    incident: str = ""


class _Same(Value):
    """What must be the same for a decision to be the same."""

    by: str
    channel: Channel
    asked: Asked


@dataclass(frozen=True)
class _Case:
    """What is known of the rollback. status: None where nobody answers, and none is needed."""

    rollback: Rollback
    request: RollbackRequest
    status: RollbackStatus | None


async def decide(known: Doors, person: Person, channel: Channel, asked: Asked) -> Carried:
    """Carry the decision to the rollback; whether it was applied, or why it was ignored.

    Where decisions are signed, a stop is asked for afterwards: the rollback took it, ignored it, or
    nobody has answered yet (`pending`).

    Raises Refused: 403 where this person may not, 409 where another decision was made under the
    same id, 429 where they decide too often; Unreachable where it cannot be audited or sent.
    """
    same = _Same(by=person.subject, channel=channel, asked=asked)
    key = f"{asked.rollback}/{asked.id}"
    try:
        known.pace.allow(person.subject, Kind.DECISION)
        return await known.answers.once(key, same, lambda: _decided(known, person, same))
    except Refused as refused:
        verb = asked.deciding.verb
        if refused.status != FORBIDDEN:
            await known.auditing.refused(person.subject, verb, asked.rollback, refused.what)
        raise


async def _decided(known: Doors, person: Person, same: _Same) -> Carried:
    asked = same.asked
    level = allowed.level_of(known.catalogue, asked.rollback.split("/")[1])
    case = await _case(known, asked, level)
    _must_be_of_it(asked, case.request)
    _must_be_open(asked, case.status)
    facts = allowed.facts(
        known.catalogue,
        case.request,
        person,
        reason=asked.reason,
        incident=asked.incident,
        confirmed=asked.confirm,
    )
    known_as = await _tier(known, asked, case, level)
    tier, verb = known_as.asked_for(asked.deciding), asked.deciding.verb
    await asking.demand(known, person, verb, asked.rollback, tier, same.channel, facts)
    token = await _signed(known, person, asked, case) if level is SecurityLevel.SECURED else ""
    await known.auditing.before(
        person,
        asked.deciding.verb,
        asked.rollback,
        id=asked.id,
        rests_on=same,
        plan=case.status.digest if case.status else "",
        jws=token,
    )
    sent = await _sent(case.rollback, person, asked, token)
    if token and asked.deciding in _MESSAGES:
        command = judging.Command(asked.deciding, person.subject)
        carried = await judging.judged(case.rollback, command, case.status, sent.because)
        if known_as.is_unknown:
            because = f"{carried.because}; {last_tier.UNKNOWN}"
            carried = carried.model_copy(update={"because": because})
    else:
        carried = Carried(**dict(sent))
    await _keep(known, person, asked, carried)
    return carried


async def _keep(known: Doors, person: Person, asked: Asked, carried: Carried) -> None:
    """What did not count is in the chain, too, and what nobody has judged yet."""
    about = person.subject, asked.deciding.verb, asked.rollback, carried.because
    if carried.pending:
        await known.auditing.pending(*about)
    elif not carried.applied:
        await known.auditing.refused(*about)


async def _tier(known: Doors, asked: Asked, case: _Case, level: SecurityLevel) -> KnownTier:
    """As the rollback says it; where it does not answer, as its history does."""
    if case.status is not None:
        return KnownTier(case.status.tier)
    if level is SecurityLevel.LOCAL:
        return KnownTier(None)
    return await last_tier.from_history(known, asked.rollback)


def _must_be_of_it(asked: Asked, request: RollbackRequest) -> None:
    """What is kept in the chain of this rollback must not steer another one's service."""
    if asked.service and asked.service not in request.services:
        raise NotFound(
            f"{asked.rollback} has no such service",
            effect="This call changed nothing.",
            next_step=f"See which it has: rollback-manager status {asked.rollback}",
        )


def _must_be_open(asked: Asked, status: RollbackStatus | None) -> None:
    """The same step may wait again: an answer to its first question is none to the second.

    Where decisions are signed the rollback refuses that, too; elsewhere nobody else would.
    """
    if asked.deciding not in _STEPS or not asked.nonce or status is None:
        return
    if asked.nonce != _nonce(asked.model_copy(update={"nonce": ""}), status):
        raise Refused(
            409,
            "not-asked",
            f"{asked.step[:80]} does not ask that any more: it was answered, or asks anew",
            next_step=f"See how it stands: rollback-manager status {asked.rollback}",
        )


async def _case(known: Doors, asked: Asked, level: SecurityLevel) -> _Case:
    rollback = known.rollbacks.rollback(asked.rollback)
    request = await rollback.request()
    if asked.deciding in _STOPS and level is SecurityLevel.LOCAL:
        return _Case(rollback, request, None)
    if asked.deciding not in _STOPS:
        return _Case(rollback, request, await rollback.status())
    try:
        async with asyncio.timeout(STOPS_WAIT_S):
            return _Case(rollback, request, await rollback.by_itself())
    except (TimeoutError, Unreachable):
        return _Case(rollback, request, None)


async def _signed(known: Doors, person: Person, asked: Asked, case: _Case) -> str:
    signer = signing.required(known.signer, case.request.env)
    about = signing.About(
        env=case.request.env,
        rollback=asked.rollback,
        run=await case.rollback.first_run(),
        plan=_plan(asked, case.status),
        nonce=_nonce(asked, case.status),
    )
    dec = Dec(asked.deciding)
    make = signing.token  # in a thread: the key may be far away
    return await asyncio.to_thread(make, signer, person, dec, about, asked.id, known.now())


def _plan(asked: Asked, status: RollbackStatus | None) -> str:
    """Whole, where the person quoted its begin; what else was quoted is sent, and refused."""
    if status is None or asked.deciding in _STOPS:
        return ""
    return status.digest if not asked.plan or quotes(asked.plan, status.digest) else asked.plan


def _nonce(asked: Asked, status: RollbackStatus | None) -> str:
    """Of the question: a program that quotes plan or step alone means the one that is open."""
    if asked.nonce or status is None or asked.deciding not in _ANSWERS:
        return asked.nonce
    if asked.deciding not in _STEPS or is_of_rollback(asked.step):
        return status.nonce
    return next((one.nonce for one in status.services if one.service == asked.service), "")


async def _sent(rollback: Rollback, person: Person, asked: Asked, token: str) -> Answered:
    by, reason = person.subject, asked.reason
    match asked.deciding:
        case Deciding.APPROVE | Deciding.REJECT:
            vote = Vote(plan=asked.plan, by=by, reason=reason, method=person.method, token=token)
            return await rollback.vote(Decision(asked.deciding), vote, vote_id=asked.id)
        case Deciding.ABORT_HOLD | Deciding.ABORT_RESTORE:
            mode = AbortMode(asked.deciding.removeprefix("abort_"))
            await rollback.abort(AbortCommand(mode=mode, by=by, reason=reason, token=token))
            return Answered(applied=True, because="it stops at the next safe point")
        case Deciding.PAUSE:
            await rollback.pause(PauseCommand(by=by, reason=reason, token=token))
            return Answered(applied=True, because="it waits after the action under way")
        case Deciding.RESUME:
            await rollback.resume(PauseCommand(by=by, reason=reason, token=token))
            return Answered(applied=True, because="it goes on")
        case Deciding.RETRY_STEP | Deciding.SKIP_STEP:
            command = StepCommand(step=asked.step, by=by, reason=reason, token=token)
            return await rollback.step(str(asked.deciding), asked.service, command)
