"""What a step activity is asked to do, and the clock-bound facts of one attempt at it."""

from datetime import UTC, datetime
from typing import TypeVar

from temporalio import activity

from rollback_manager.errors import HandedOver, PermanentError
from rollback_manager.operation import Mark
from rollback_manager.plan import Action, Capacity, ServicePlan
from rollback_manager.values import Value


class Step(Value):
    """One action of one service's plan, with the mark that its writes carry.

    plan: without its phases. throughput_before: requests/s before the shift, where known.
    relies_on: capacity that was seen earlier; without it now, this attempt writes nothing.
    leaves_mark: it writes even where it finds what it wants. An undo does: a write of the step that
    it undoes may be under way, given up by Temporal; what is older than the mark is then refused.
    """

    env: str
    rollback: str
    plan: ServicePlan
    action: Action
    mark: Mark
    throughput_before: float | None = None
    relies_on: Capacity | None = None
    leaves_mark: bool = False


T = TypeVar("T", bound=Value)


def wants(step: Step, kind: type[T]) -> T:
    """What the step wants, as the kind that this activity carries out."""
    if not isinstance(step.action.wanted, kind):
        raise PermanentError(f"{step.action.name} is not what this activity does")
    return step.action.wanted


def now() -> datetime:
    """The wall clock; order comes from Temporal, this is for people."""
    return datetime.now(UTC)


def asked_to_stop() -> bool:
    """Whether a person wants the step to end at its safe point.

    Raises HandedOver when it is not a person but the worker that ends, or Temporal that has
    given this attempt up: another attempt goes on from what the world looks like.
    """
    if not activity.is_cancelled() and not activity.is_worker_shutdown():
        return False
    details = activity.cancellation_details()
    if details is not None and details.cancel_requested:
        return True
    raise HandedOver("this attempt was taken away from this worker", retry_after_s=0.1)
