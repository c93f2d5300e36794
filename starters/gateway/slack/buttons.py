"""A click: who, on which question, may they, and what became of it. Every click gets its answer."""

import hashlib

from rollback_manager.authority.people import Person
from rollback_manager.errors import NotFound, RollbackError
from rollback_manager.plan import short
from rollback_manager.progress import RollbackStatus, State
from rollback_manager.rendering import chat, words
from rollback_manager.telling.card import ONLY_ELSEWHERE
from starters import refusals
from starters.gateway.deciding import Asked, Channel, Deciding, decide
from starters.gateway.doors import Doors
from starters.gateway.slack.door import Said, SlackDoor
from starters.gateway.slack.people import person
from starters.gateway.slack.reading import Click

DECIDES = {
    chat.APPROVE: Deciding.APPROVE,
    chat.REJECT: Deciding.REJECT,
    chat.ABORT: Deciding.ABORT_HOLD,
}
"""Action id → what it decides. `open_plan` is a link: Slack reports its click, nothing follows."""
VOTES = frozenset({Deciding.APPROVE, Deciding.REJECT})


async def answer(known: Doors, door: SlackDoor, click: Click) -> Said | None:
    """What the person is told; None where nothing is to be said."""
    if click.action == chat.OPEN:
        return None
    try:
        return await _decided(known, door, click)
    except Said as said:
        return said
    except NotFound:
        return Said("This rollback is not known any more. Nothing was changed by this click.")
    except RollbackError as error:
        return Said(refusals.in_one_line(error))


async def _decided(known: Doors, door: SlackDoor, click: Click) -> Said:
    deciding, carried = DECIDES.get(click.action), chat.clicked(click.value)
    if deciding is None or carried is None:
        raise Said("This button is none of ours. Nothing was changed.")
    who = await person(known, click.sender)
    rollback = f"rollback/{carried.key}"
    link = door.page(rollback)
    status = await known.rollbacks.rollback(rollback).status()
    try:
        _must_be_open(status, deciding, carried.nonce, link)
    except Said as refused:  # Slack is answered with 200: no layer sees that nothing was done
        await known.auditing.refused(who.subject, deciding.verb, rollback, refused.text)
        raise
    asked = Asked(
        rollback=rollback,
        deciding=deciding,
        id=_decision_id(rollback, carried.nonce, deciding, who),
        plan=status.digest if deciding in VOTES else "",
        nonce=carried.nonce,
        reason="clicked in Slack",
    )
    got = await decide(known, who, Channel.SLACK, asked)
    if got.pending:
        return Said(f"Sent: {got.because}.", link)
    if not got.applied:
        return Said(f"Ignored: {got.because}. Nothing was changed by this click.", link)
    return Said(await _applied(known, rollback, deciding, got.because))


def _must_be_open(status: RollbackStatus, deciding: Deciding, nonce: str, link: str) -> None:
    """Late, superseded and not-in-chat clicks, each with its reason. Raises Said."""
    stands = f"{status.rollback} is {words.state(status)}"
    if status.state is State.FINISHED:
        raise Said(f"Too late: {stands}. Nothing was changed by this click.", link)
    if deciding not in VOTES:
        return
    if status.state is not State.WAITING_FOR_APPROVAL:
        raise Said(f"Too late: nothing waits for a vote, {stands}.", link)
    if nonce != status.nonce:
        plan = f"plan {short(status.digest)}"
        raise Said(f"Superseded: another question is open now, about {plan}. Look at it.", link)
    if status.tier in ONLY_ELSEWHERE:
        raise Said(
            f"At {status.tier} a click in Slack is no vote: open the plan and vote there, or"
            f" rollback-manager {deciding} {status.rollback}",
            link,
        )


def _decision_id(rollback: str, nonce: str, deciding: Deciding, who: Person) -> str:
    """By what was decided, not by how often it was delivered: Slack sends again when in doubt."""
    told = "\n".join((rollback, nonce, deciding, who.subject))
    return f"slack-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


async def _applied(known: Doors, rollback: str, deciding: Deciding, because: str) -> str:
    """With `1 of 2` where another vote is needed."""
    said = f"Applied: {deciding.replace('_', ' ')}, {because}."
    if deciding is not Deciding.APPROVE:
        return said
    now_is = await known.rollbacks.rollback(rollback).status()
    waits = now_is.state is State.WAITING_FOR_APPROVAL and now_is.quorum
    return f"{said} Votes: {now_is.quorum}; another person must agree." if waits else said
