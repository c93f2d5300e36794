"""The fleet-wide budget: so many rollbacks in so many seconds, and the rest are one question. Pure.

Ten services that trip together have one cause far more often than ten; ten rollbacks at once would
take away what a person needs to see it (field §5, 20).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from rollback_manager.policy import FleetPolicy
from rollback_manager.values import Value

MANUAL = "manual"
"""Trigger of a person at the keyboard: counted, never held."""


class Ask(Value):
    """One rollback that wants to begin. was_held: it was held already, so only a person frees it.

    policy: filled in by the activity, which knows the catalogue.
    """

    rollback: str
    env: str
    services: tuple[str, ...]
    trigger: str
    was_held: bool = False
    policy: FleetPolicy = FleetPolicy()


class Standing(StrEnum):
    """What the budget says to a rollback."""

    ADMITTED = "admitted"
    HELD = "held"
    DISMISSED = "dismissed"


class Word(Value):
    """What the budget tells one rollback, and who decided so."""

    standing: Standing
    because: str
    by: str = "the budget"


class Held(Value):
    """One rollback that waits for a person."""

    rollback: str
    services: tuple[str, ...]
    trigger: str
    since: datetime


class Grant(Value):
    """One rollback that was allowed to begin."""

    rollback: str
    at: datetime


class Budget(Value):
    """All that the budget of an environment remembers; it travels through continue-as-new."""

    env: str
    policy: FleetPolicy = FleetPolicy()
    grants: tuple[Grant, ...] = ()
    held: tuple[Held, ...] = ()


class BudgetAnswer(Value):
    """A person's answer for the named ones, or for all that are held."""

    by: str
    rollbacks: tuple[str, ...] = ()
    everything: bool = False
    reason: str = ""


class Judging(Value):
    """What the window is judged from: who began when, who asks, and the time."""

    policy: FleetPolicy
    grants: tuple[Grant, ...]
    asks: tuple[Ask, ...]
    now: datetime


class Judged(Value):
    """One standing per ask, in the order of the asks."""

    standings: tuple[Standing, ...]


def within(grants: tuple[Grant, ...], policy: FleetPolicy, now: datetime) -> tuple[Grant, ...]:
    """Those that still count: begun less than a window ago."""
    window = timedelta(seconds=policy.budget_window_s)
    return tuple(grant for grant in grants if now - grant.at < window)


def taken_for(budget: Budget, now: datetime) -> timedelta:
    """How long a place in the window is still taken; zero where none is."""
    grants = within(budget.grants, budget.policy, now)
    last = max((grant.at for grant in grants), default=None)
    return last + timedelta(seconds=budget.policy.budget_window_s) - now if last else timedelta()


def judge(question: Judging) -> Judged:
    """First come, first served, until the window is full.

    A person's own rollback is always admitted and takes a place; one that was held stays held,
    however much room there is by now: it is part of a question that somebody must answer.
    """
    counted = {grant.rollback for grant in within(question.grants, question.policy, question.now)}
    return Judged(standings=tuple(_each(question, counted)))


def _each(question: Judging, counted: set[str]) -> Iterator[Standing]:
    for ask in question.asks:
        room = len(counted) < question.policy.budget and not ask.was_held
        admitted = room or ask.trigger == MANUAL or ask.rollback in counted
        if admitted:
            counted.add(ask.rollback)
        yield Standing.ADMITTED if admitted else Standing.HELD


def admit(budget: Budget, ask: Ask, now: datetime) -> Budget:
    """It begins, and takes a place in the window."""
    known = any(grant.rollback == ask.rollback for grant in budget.grants)
    new = () if known else (Grant(rollback=ask.rollback, at=now),)
    grants = (*within(budget.grants, ask.policy, now), *new)
    return without(budget, (ask.rollback,)).model_copy(
        update={"grants": grants, "policy": ask.policy}
    )


def hold(budget: Budget, ask: Ask, now: datetime) -> Budget:
    """It joins the question; asking again changes nothing."""
    policy = {"policy": ask.policy}
    if any(one.rollback == ask.rollback for one in budget.held):
        return budget.model_copy(update=policy)
    one = Held(rollback=ask.rollback, services=ask.services, trigger=ask.trigger, since=now)
    return budget.model_copy(update={"held": (*budget.held, one), **policy})


def without(budget: Budget, rollbacks: tuple[str, ...]) -> Budget:
    """These are no part of the question any more."""
    left = tuple(one for one in budget.held if one.rollback not in rollbacks)
    return budget.model_copy(update={"held": left})


def named_by(budget: Budget, answer: BudgetAnswer) -> tuple[tuple[str, ...], str]:
    """The held rollbacks that the answer means; or none, and why it cannot count."""
    held = [one.rollback for one in budget.held]
    unknown = [name for name in answer.rollbacks if name not in held]
    if not answer.by.strip():
        return (), "an answer needs a name"
    if not held:
        return (), f"nothing is held in {budget.env}"
    if unknown:
        return (), f"not held in {budget.env}: {', '.join(unknown[:20])}"
    if answer.everything == bool(answer.rollbacks):
        return (), "name the rollbacks that are meant, or say all of them"
    return tuple(held) if answer.everything else answer.rollbacks, ""


def answered(budget: Budget, standing: Standing, chosen: tuple[str, ...], now: datetime) -> Budget:
    """They are no part of the question any more; those admitted take places in the window."""
    left = without(budget, chosen)
    if standing is not Standing.ADMITTED:
        return left
    grants = tuple(Grant(rollback=rollback, at=now) for rollback in chosen)
    return left.model_copy(update={"grants": (*left.grants, *grants)})


def question(budget: Budget) -> str:
    """All that are held, as the one question that they are; empty where none is."""
    if not budget.held:
        return ""
    times = [one.since for one in budget.held]
    seconds = max(1, round((max(times) - min(times)).total_seconds()))
    count, policy = len(budget.held), budget.policy
    were = "rollback of env {} was" if count == 1 else "rollbacks of env {} were"
    return (
        f"{count} {were.format(budget.env)} asked for within {seconds} s,"
        f" budget {policy.budget} in {policy.budget_window_s:g} s: one cause?"
    )


def refusal(ask: Ask) -> Word:
    """What a held rollback is told."""
    limit = f"{ask.policy.budget} in {ask.policy.budget_window_s:g} s"
    because = f"held by the budget: {limit} are used up; rollback-manager budget --env {ask.env}"
    return Word(standing=Standing.HELD, because=because)
