"""What is asked of a person at one rollback, and what each answer would do. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from rollback_manager.authority.people import Kind, Person
from rollback_manager.contract import AbortMode
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import RollbackStatus, State
from rollback_manager.rendering import consequences, terminal_status, words
from rollback_manager.rendering.layout import foreign
from rollback_manager.tier import Tier

LONG_REASON = 20
"""Characters of a reason that T3 asks for at level `local` (security §2)."""
ASKED_TWICE = (Tier.T2, Tier.T3)
"""Tiers in which an approval is confirmed on a page of its own."""
FEW = 3


class Question(NamedTuple):
    """A rollback's question. key: other only when the question is another one.

    twice: the approval has a page of its own. commands: what fits the moment, on the command line.
    """

    key: str
    digest: str
    nonce: str
    may_vote: bool
    may_abort: bool
    twice: bool
    tier: str
    tier_because: str
    quorum: str
    moves: str
    approving: tuple[str, ...]
    rejecting: tuple[str, ...]
    silence: str
    commands: tuple[str, ...]


class Confirmed(NamedTuple):
    """What an approval must bring along beside the click. word: to be typed out."""

    word: str
    incident: bool
    reason_length: int
    proof: bool


def question(now_is: RollbackStatus, plan: RollbackPlan | None) -> Question:
    """What is asked now."""
    waits, tier = now_is.state is State.WAITING_FOR_APPROVAL, tier_of(now_is, plan)
    because = now_is.tier_because or (plan.tier_because if plan is not None else "")
    return Question(
        key=f"{words.state_of(now_is)} {now_is.digest} {now_is.nonce} {len(now_is.decisions)}",
        digest=now_is.digest,
        nonce=now_is.nonce,
        may_vote=waits,
        may_abort=now_is.state is not State.FINISHED,
        twice=tier in ASKED_TWICE,
        tier=str(tier or ""),
        tier_because=foreign(because),
        quorum="" if now_is.quorum.endswith(" of 1") else now_is.quorum,
        moves=moves(now_is),
        approving=approving(now_is, plan),
        rejecting=consequences.rejecting(now_is),
        silence=_silence(now_is, plan) if waits else "",
        commands=tuple(terminal_status.steering(now_is)),
    )


def moves(now_is: RollbackStatus) -> str:
    """`shop v2 → v1 in prod`: what a button repeats."""
    few = [f"{s.service} {s.from_version} → {s.to_version}" for s in now_is.services[:FEW]]
    if more := len(now_is.services) - FEW if len(now_is.services) > FEW else 0:
        few.append(f"{more} more")
    return f"{', '.join(few) or 'it'} in {now_is.env}"


def approving(now_is: RollbackStatus, plan: RollbackPlan | None) -> tuple[str, ...]:
    """What a yes begins; of a rollback in parts, how far it reaches."""
    if plan is not None:
        return consequences.approving(plan)
    count = len(now_is.services)
    return (
        f"Blast radius: {count or 'an unknown number of'} services in {now_is.env}.",
        "It goes in parts. This one approval is for all of them.",
    )


def tier_of(now_is: RollbackStatus, plan: RollbackPlan | None) -> Tier | None:
    """How much authority the question needs; None where nobody has said."""
    return now_is.tier or (plan.tier if plan is not None else None)


def confirmed(now_is: RollbackStatus, plan: RollbackPlan | None, person: Person) -> Confirmed:
    """What is asked for beside the click (security §2 and §3)."""
    tier, local = tier_of(now_is, plan), person.kind is Kind.LOCAL
    twice, alone = tier in ASKED_TWICE, tier is Tier.T3 and local
    service = now_is.services[0].service if now_is.services else now_is.env
    return Confirmed(
        word=service if twice else "",
        incident=alone,
        reason_length=LONG_REASON if alone else 0,
        proof=twice and not local and person.method != "web+mfa",
    )


def missing(asked: Confirmed, word: str, incident: str, reason: str) -> list[str]:
    """What is not there yet, in sentences; nothing where all is."""
    return list(_missing(asked, word, incident, reason))


def _missing(asked: Confirmed, word: str, incident: str, reason: str) -> Iterator[str]:
    if word != asked.word:
        yield f"Type the name of the service to confirm: {asked.word}."
    if asked.incident and not incident:
        yield "Name the incident that this belongs to."
    if len(reason) < asked.reason_length:
        yield f"Give a reason of at least {asked.reason_length} characters."


def aborting(now_is: RollbackStatus) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each way to abort, and what it would do."""
    return tuple((str(mode), consequences.aborting(now_is, mode)) for mode in AbortMode)


def _silence(now_is: RollbackStatus, plan: RollbackPlan | None) -> str:
    until = f" until {words.clock(now_is.deadline)}" if now_is.deadline else ""
    then = f" {plan.approval.on_expiry}" if plan is not None else " it ends untouched"
    return f"If nobody answers{until}:{then}. Silence never approves."
