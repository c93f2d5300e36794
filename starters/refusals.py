"""Refusals: what happened, what it means for production, what to type next, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollback_manager.errors import (
    Blocked,
    CatalogueError,
    NotFound,
    NotPermitted,
    PermanentError,
    RollbackError,
    StalePlan,
)
from rollback_manager.veil import VEIL

if TYPE_CHECKING:
    from rollback_manager.contract import Planned
    from rollback_manager.plan import RollbackPlan

USAGE = 2
DECLINED = 3
NOT_PERMITTED = 4
BLOCKED = 7
GOING_ON = 8
STALE = 9
HAS_CHANGES = 10
INTERRUPTED = 130
NO_BAD_END = frozenset({0, GOING_ON, HAS_CHANGES, INTERRUPTED})
UNCHANGED = "Production is unchanged by this call."


class UsageError(PermanentError):
    """The command line asks for something that cannot be meant."""


EXIT_CODES = {
    UsageError.__name__: USAGE,
    Blocked.__name__: BLOCKED,
    CatalogueError.__name__: BLOCKED,
    NotFound.__name__: BLOCKED,
    NotPermitted.__name__: NOT_PERMITTED,
    StalePlan.__name__: STALE,
}
"""By class; all others are 1. What is not found is a precondition that does not hold.

A file that is read for one command is part of the command line: wrong, it is a usage error. The
catalogue is what all verbs rest on: mistakes in it are a precondition that does not hold.
"""
CLASSES = {kind.__name__: kind for kind in (Blocked, CatalogueError, NotFound, StalePlan)}


def kind(error: RollbackError) -> str:
    """The class of the error; that of its origin in a worker if Temporal carried it here.

    Whatever a worker refuses for good without a class of its own is a precondition, as in `made`.
    """
    cause: BaseException | None = error
    while cause is not None:
        carried = getattr(cause, "type", None)
        if isinstance(carried, str) and carried in EXIT_CODES:
            return carried
        if carried == PermanentError.__name__:
            return Blocked.__name__
        cause = cause.__cause__
    return type(error).__name__


def parts(error: RollbackError) -> dict[str, str]:
    """The three parts; one that was left empty says where to look.

    Without secrets that this process has read: an error may repeat what others answered.
    """
    told = {
        "what": error.what,
        "effect": error.effect or "Not known from here; look: rollback-manager status ROLLBACK",
        "next_step": error.next_step or "See what is set up: rollback-manager doctor",
    }
    return {name: VEIL.over(text) for name, text in told.items()}


def what(error: RollbackError) -> str:
    """The first of them, for surfaces that have room for one."""
    return parts(error)["what"]


def in_one_line(error: RollbackError) -> str:
    """The same for a message in chat."""
    return VEIL.over(" ".join(str(error).split("\n")))


def told(error: RollbackError) -> str:
    """The three parts for a person."""
    from rollback_manager.rendering.layout import labelled, page

    three = parts(error)
    lines = [
        *labelled("error:", three["what"].splitlines() or [""], indent=13),
        *labelled("production:", [three["effect"]], indent=13),
        *labelled("next:", [three["next_step"]], indent=13),
    ]
    return page(lines)


def made(planned: Planned) -> RollbackPlan:
    """The plan; where there can be none, the refusal that the worker put into words."""
    if planned.plan is not None:
        return planned.plan
    if planned.parts:
        raise _in_parts(planned)
    refusal = CLASSES.get(planned.error, Blocked)
    raise refusal(
        planned.blocked_because or "no plan can be made",
        effect=planned.effect or UNCHANGED,
        next_step=planned.next_step,
    )


def _in_parts(planned: Planned) -> Blocked:
    services = sum(len(part.services) for part in planned.parts)
    return Blocked(
        f"{services} services are more than one plan can hold: they go in {len(planned.parts)}"
        f" parts, and each part shows its plan when it is started",
        effect=UNCHANGED,
        next_step="Start them with --confirm SERVICE: approval is asked for once, for all parts.",
    )


def mistyped(what: str, verb: str) -> UsageError:
    """A command line that was not understood. verb: as it is typed, with its sub-verb."""
    return UsageError(what, effect=UNCHANGED, next_step=f"See how it is written: {verb} --help")


def interrupted() -> RollbackError:
    """Ctrl-C while a short question was under way."""
    return PermanentError(
        "interrupted by Ctrl-C",
        effect="Unchanged by leaving. A rollback that was started goes on.",
        next_step="See what runs: rollback-manager list",
    )


def unexpected(error: Exception) -> RollbackError:
    """A mistake of ours, with the place that a report of it needs."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return PermanentError(f"a mistake of this tool: {type(error).__name__}: {error}{where}")
