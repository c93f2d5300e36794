"""How a rollback may be steered at this moment, and what each way would do. Pure.

A way that this person may not go is there without its button, with the reason.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from rollback_manager.authority.may import Verb
from rollback_manager.contract import asked_of_rollback
from rollback_manager.progress import RollbackStatus, ServiceStatus, State, StepState
from rollback_manager.rendering import steering_words as told

STUCK = frozenset({StepState.FAILED, StepState.INCONCLUSIVE, StepState.STOPPED})

MayNot = Callable[[Verb], str]
"""Why this person may not; empty where they may."""


class Way(NamedTuple):
    """One form. path: below the rollback's own. nonce: of the question that it answers."""

    path: str
    title: str
    does: tuple[str, ...]
    button: str
    may_not: str
    service: str = ""
    step: str = ""
    nonce: str = ""
    is_grave: bool = False


def ways(now_is: RollbackStatus, may_not: MayNot) -> tuple[Way, ...]:
    """All that fit the moment; none after the end."""
    if now_is.outcome is not None or now_is.state is State.FINISHED:
        return ()
    return (*_of_steps(now_is, may_not), *_of_pauses(now_is, may_not))


def key(those: tuple[Way, ...]) -> str:
    """Another one only where the forms are others."""
    return " ".join(
        f"{one.path} {one.service} {one.step} {one.nonce} {bool(one.may_not)}" for one in those
    )


def _of_pauses(now_is: RollbackStatus, may_not: MayNot) -> Iterator[Way]:
    states = {one.state for one in now_is.services}
    in_parts = not states and now_is.state is State.RUNNING  # its parts know whether they wait
    if in_parts or (State.RUNNING in states and State.PAUSED not in states):
        does, but = told.pausing(now_is), may_not(Verb.PAUSE)
        yield Way("pause", "If you pause", does, f"Pause: {_moves(now_is)}", but)
    if in_parts or State.PAUSED in states:
        does, but = told.resuming(now_is), may_not(Verb.RESUME)
        yield Way("resume", "If you resume", does, f"Resume: {_moves(now_is)}", but)


def _moves(now_is: RollbackStatus) -> str:
    named = now_is.services[0].service if len(now_is.services) == 1 else ""
    return f"{named or 'all of it'} in {now_is.env}"


def _of_steps(now_is: RollbackStatus, may_not: MayNot) -> Iterator[Way]:
    if step := _of_rollback(now_is):
        yield from _of_all(now_is, step, may_not)
    for one in now_is.services:
        if step := halted(one):
            yield from _of_one(one, step, may_not)


def _of_all(now_is: RollbackStatus, step: str, may_not: MayNot) -> Iterator[Way]:
    ask = ("", step, now_is.nonce)
    does, but = told.retrying_all(step), may_not(Verb.RETRY_STEP)
    yield Way("retry-step", f"If {step} is tried again", does, f"Retry {step}", but, *ask)
    does, but = told.skipping_all(step), may_not(Verb.SKIP_STEP)
    yield Way("skip-step", f"If {step} is skipped", does, f"Skip {step}", but, *ask, True)


def _of_one(one: ServiceStatus, step: str, may_not: MayNot) -> Iterator[Way]:
    ask = (one.service, step, one.nonce)
    named = f"{step} of {one.service}"
    does, but = told.retrying(one, step), may_not(Verb.RETRY_STEP)
    yield Way("retry-step", f"If {named} is tried again", does, f"Retry {named}", but, *ask)
    does, but = told.skipping(one, step), may_not(Verb.SKIP_STEP)
    yield Way("skip-step", f"If {named} is skipped", does, f"Skip {named}", but, *ask, True)


def _of_rollback(now_is: RollbackStatus) -> str:
    """The wave or part that waits; empty: none does."""
    if now_is.state is not State.NEEDS_HUMAN or not now_is.nonce:
        return ""
    return asked_of_rollback(now_is.waits_for)


def halted(one: ServiceStatus) -> str:
    """The step of this service that waits for a person; empty: none does.

    By its own words: what was put back after it may be stuck as well, and waits for nobody.
    """
    if one.state is not State.NEEDS_HUMAN or not one.nonce:
        return ""
    stuck = [step for step in reversed(one.steps) if step.state in STUCK]
    says = (step.name for step in stuck if f"{step.name} {step.state}: " in one.waits_for)
    return next(says, stuck[0].name if stuck else "")
