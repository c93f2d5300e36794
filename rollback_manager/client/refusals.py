"""Temporal's refusals in our words: what happened, what it means for production, what to type."""

from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, TimeoutError  # noqa: A004 -- Temporal's own
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager.errors import (
    NotFound,
    NotPermitted,
    PermanentError,
    RollbackError,
    SignalsUsedUp,
    Unreachable,
)

NO_MORE_SIGNALS = "limit for signal events"
"""Of the words by which Temporal's server refuses; its status is that of any bad argument."""


def explained(error: RPCError, id: str = "") -> RollbackError:
    """Temporal's refusal in our words."""
    match error.status:
        case RPCStatusCode.NOT_FOUND:
            return NotFound(
                f"there is no running or remembered {id or 'workflow'}: {error.message}",
                effect="Production is unchanged by this call.",
                next_step="See what there is: rollback-manager list",
            )
        case RPCStatusCode.UNAVAILABLE:
            return no_temporal("the server")
        case RPCStatusCode.PERMISSION_DENIED | RPCStatusCode.UNAUTHENTICATED:
            return not_permitted("the server")
        case RPCStatusCode.DEADLINE_EXCEEDED | RPCStatusCode.CANCELLED:
            return Unreachable(
                f"no worker answers for {id}",
                effect="What was started stays as it is and goes on when a worker is back.",
                next_step="Start one: rollback-manager worker (or serve)",
            )
        case RPCStatusCode.INVALID_ARGUMENT if NO_MORE_SIGNALS in error.message:
            return _signals_used_up(id)
        case _:
            return PermanentError(f"Temporal refused: {error.message}")


def _signals_used_up(id: str) -> SignalsUsedUp:
    return SignalsUsedUp(
        f"Temporal takes no further signal for {id}: as many as it allows (10,000) were sent to it",
        effect="It stands as before: if it is paused it stays so, and it cannot put back what was"
        " there. Votes, retry-step, skip-step and a hold still reach it.",
        next_step=f"Hold it: rollback-manager abort {id} (without --restore). Once it has ended,"
        " start its services anew: rollback-manager start SERVICE …",
    )


def no_temporal(where: str) -> Unreachable:
    """The server is not there, or not a Temporal server."""
    return Unreachable(
        f"Temporal does not answer at {where}",
        effect="Nothing was started by this call. Rollbacks that run go on once it is back.",
        next_step="Start it: rollback-manager serve; or name yours: TEMPORAL_ADDRESS=host:port",
    )


def not_permitted(where: str) -> NotPermitted:
    """The server is there, and the token, or its absence, gives no right to this."""
    return NotPermitted(
        f"Temporal at {where} does not permit it: the token is missing, over, signed by a key that"
        " it does not know, or without the right",
        effect="Nothing was changed by this call. Rollbacks that run go on.",
        next_step="A token that may write is for gateway and workers alone"
        " (ROLLBACK_TEMPORAL_TOKEN=file:/PATH); people go by the gateway:"
        " ROLLBACK_GATEWAY=https://…",
    )


def from_failure(error: WorkflowFailureError) -> RollbackError:
    """The innermost reason of a failed workflow; `an activity failed` alone helps nobody."""
    cause: BaseException | None = error.cause
    if isinstance(cause, TimeoutError):
        return Unreachable(
            "no answer in time: no worker runs, or what it asks does not answer it",
            effect="Production is unchanged by this call.",
            next_step="What is missing: rollback-manager doctor; or read the worker's log",
        )
    while cause is not None and not isinstance(cause, ApplicationError):
        cause = cause.__cause__
    if cause is None:
        return PermanentError(f"{error}: {error.cause}", next_step="rollback-manager doctor")
    effect, next_step = (*(str(detail) for detail in cause.details), "", "")[:2]
    return PermanentError(cause.message, effect=effect, next_step=next_step)


def reason(error: WorkflowUpdateFailedError) -> str:
    """Why a validator or handler refused, without Temporal's wrapping."""
    return error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
