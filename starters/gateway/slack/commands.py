"""`/rollback plan|status|start|abort`: the same verbs as everywhere, for who types them in chat."""

import hashlib
from collections.abc import Awaitable, Callable

from rollback_manager.authority.may import Verb
from rollback_manager.authority.people import Person
from rollback_manager.contract import NAME, RollbackRequest, rollback_id
from rollback_manager.errors import RollbackError
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import RollbackStatus, ServiceStatus, State
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign
from rollback_manager.telling.card import card
from starters import refusals
from starters.gateway import asking
from starters.gateway.deciding import Asked, Channel, Deciding, decide
from starters.gateway.doors import Doors
from starters.gateway.slack.door import Said, SlackDoor
from starters.gateway.slack.people import person
from starters.gateway.slack.reading import Typed

HELP = """/rollback plan SERVICE ENV
/rollback status ENV/KEY
/rollback start SERVICE ENV [incident=ID] [confirm=SERVICE] [reason]
/rollback abort ENV/KEY [restore] [reason]"""

Verbs = Callable[[Doors, SlackDoor, Typed, Person, list[str]], Awaitable[Said]]


async def answer(known: Doors, door: SlackDoor, typed: Typed) -> Said:
    """What the person is told, and nobody else in the channel."""
    verb, *rest = typed.text.split() or ["help"]
    try:
        who = await person(known, typed.sender)
        if verb not in VERBS:
            return Said(HELP)
        return await VERBS[verb](known, door, typed, who, rest)
    except Said as said:
        return said
    except RollbackError as error:
        words = refusals.in_one_line(error)
        return Said(words.replace("--confirm=", "confirm=").replace("--incident ", "incident="))


async def _plan(known: Doors, door: SlackDoor, typed: Typed, who: Person, rest: list[str]) -> Said:
    request = _request(typed, who, rest)
    made = await _planned(known, request, who)
    (service,), env = request.services, request.env
    return Said(f"{_shown(made)}\nnext: /rollback start {service} {env}")


async def _start(known: Doors, door: SlackDoor, typed: Typed, who: Person, rest: list[str]) -> Said:
    """The plan first: just that one is started, if this person may."""
    request = _request(typed, who, rest)
    made = await _planned(known, request, who)
    confirmed = {"expect_plan": made.digest, "confirmed": _option(rest, "confirm")}
    asked = request.model_copy(update=confirmed)
    running = await asking.start(known, who, asked, Channel.SLACK)
    said = f"{running.id} is under way; its message in the channel tells how it stands."
    return Said(said, door.page(running.id))


async def _status(
    known: Doors, door: SlackDoor, typed: Typed, who: Person, rest: list[str]
) -> Said:
    rollback, _ = _rollback(rest)
    status = await known.rollbacks.rollback(rollback).status()
    told = card(status, None)
    lines = [words.joined([told.headline, told.stands]), *told.ended, *told.decisions]
    waits = [f"waits for: {told.waits_for}"] if told.waits_for else []
    return Said("\n".join([*lines, *waits, words.joined(told.about)]), door.page(rollback))


async def _abort(known: Doors, door: SlackDoor, typed: Typed, who: Person, rest: list[str]) -> Said:
    rollback, more = _rollback(rest)
    restore = more[:1] == ["restore"]
    deciding = Deciding.ABORT_RESTORE if restore else Deciding.ABORT_HOLD
    asked = Asked(
        rollback=rollback,
        deciding=deciding,
        id=f"slack-{_once(typed)}",
        reason=foreign(" ".join(more[1:] if restore else more)) or "typed in Slack",
    )
    got = await decide(known, who, Channel.SLACK, asked)
    word = got.word.capitalize() if got.applied or got.pending else "Ignored"
    return Said(f"{word}: {got.because}.", door.page(rollback))


VERBS: dict[str, Verbs] = {"plan": _plan, "start": _start, "status": _status, "abort": _abort}


def _option(rest: list[str], name: str) -> str:
    """What stands behind `name=`; empty where it does not."""
    found = (word.partition("=")[2] for word in rest if word.startswith(f"{name}="))
    return foreign(next(found, ""))


def _rollback(rest: list[str]) -> tuple[str, list[str]]:
    """The id of a rollback, with or without its first word. Raises Said where it is none."""
    env, _, key = (rest[0] if rest else "").removeprefix("rollback/").partition("/")
    if not (NAME.fullmatch(env) and NAME.fullmatch(key)):
        raise Said(f"Nothing was done. Name the rollback as ENV/KEY:\n{HELP}")
    return rollback_id(env, key), rest[1:]


def _request(typed: Typed, who: Person, rest: list[str]) -> RollbackRequest:
    """The same command delivered twice is the same rollback: its key comes from the command.

    Raises Said where service and environment are not named.
    """
    if len(rest) < 2 or not all(NAME.fullmatch(name) for name in rest[:2]):
        raise Said(f"Nothing was done. Name service and environment:\n{HELP}")
    reason = " ".join(word for word in rest[2:] if not word.startswith(("confirm=", "incident=")))
    return RollbackRequest(
        env=rest[1],
        services=(rest[0],),
        key=f"slack-{_once(typed)[:16]}",
        requested_by=who.subject,
        incident=_option(rest, "incident"),
        reason=foreign(reason),
    )


def _once(typed: Typed) -> str:
    """Of one use of the command; Slack gives each a trigger of its own."""
    told = "\n".join((typed.sender.team, typed.sender.user, typed.trigger, typed.text))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


async def _planned(known: Doors, request: RollbackRequest, who: Person) -> RollbackPlan:
    """Whoever may, judged at this moment and not by who can see the channel (security T03)."""
    (service,) = request.services
    known.catalogue.placement(request.env, service)  # an unknown one must not cost a workflow
    await asking.may_now(known, who, Verb.PLAN, request, Channel.SLACK)
    return refusals.made(await known.rollbacks.plan(request))


def _shown(made: RollbackPlan) -> str:
    """The plan as the card of a rollback that has not begun."""
    services = tuple(
        ServiceStatus(
            rollback="",
            service=one.service,
            state=State.PLANNING,
            from_version=one.from_version,
            to_version=one.to_version,
            steps=(),
        )
        for one in made.services
    )
    status = RollbackStatus(
        rollback="rollback", env=made.env, state=State.PLANNING, digest=made.digest,
        services=services, security=made.security,
    )  # fmt: skip
    told = card(status, made)
    return "\n".join([*(f"{one.label}: {one.text}" for one in told.facts), *_last(told.about)])


def _last(about: tuple[str, ...]) -> list[str]:
    return [words.joined(about)] if about else []
