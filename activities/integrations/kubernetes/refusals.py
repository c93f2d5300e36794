"""What the API of a cluster refuses, as errors of ours with its own words kept."""

import json
from typing import Any

from kubernetes.client.exceptions import ApiException

from rollback_manager.errors import (
    NotFound,
    PermanentError,
    RollbackError,
    TemporaryError,
    Unreachable,
)

NOTHING = "Nothing was changed by this request."
GONE = (
    "Does it still exist, and is its namespace not being deleted? kubectl get namespace; then"
    " retry-step, or abort."
)
FAILED_TEST = "the server rejected our request due to an error in our request"
"""The whole of what the API says of a JSON patch whose `test` did not hold (422)."""
RETRY_S, MOST_RETRY_S = 1.0, 60.0
LONGEST = 400


class Conflict(TemporaryError):
    """Somebody else wrote in between: what was read is not what stands there any more."""


class Forbidden(PermanentError):
    """The worker's account has no right to it, or a policy of the cluster says no."""


def refused(error: ApiException, request: str, cluster: str) -> RollbackError:
    """Our error for an answer of the API that is no success."""
    said = f"cluster {cluster} answered {error.status} to {request}: {words(error)}"
    match error.status:
        case 401:
            return PermanentError(
                f"cluster {cluster} no longer accepts the worker's credentials ({request})",
                effect=f"{NOTHING} Earlier steps stay as they are.",
                next_step="Renew them where the catalogue's `clusters` points to, then retry-step.",
            )
        case 403:
            return Forbidden(
                said,
                effect=NOTHING,
                next_step="See which right is missing: rollback-manager doctor --kubernetes",
            )
        case 404:
            return NotFound(said, effect=NOTHING, next_step=GONE)
        case 409:
            return Conflict(said, effect=NOTHING)
        case 422 if _is_failed_test(error):
            return Conflict(said, effect=NOTHING)
        case 429:
            return TemporaryError(said, retry_after_s=_retry_after_s(error), effect=NOTHING)
        case status if status >= 500:
            return Unreachable(said, retry_after_s=_retry_after_s(error))
        case _:
            return PermanentError(
                said, effect=NOTHING, next_step="Mend what it names, then retry-step; or abort."
            )


def words(error: ApiException) -> str:
    """The message of the API's Status, or the reason phrase."""
    message = _status(error).get("message") or error.reason or "no reason given"
    return " ".join(str(message).split())[:LONGEST]


def _status(error: ApiException) -> dict[str, Any]:
    try:
        found = json.loads(error.body or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_failed_test(error: ApiException) -> bool:
    """By its words alone: a policy that denies is 422 of reason Invalid as well, with its own."""
    return words(error) == FAILED_TEST


def _retry_after_s(error: ApiException) -> float:
    headers = error.headers or {}
    try:
        asked = float(headers.get("Retry-After") or headers.get("retry-after") or RETRY_S)
    except ValueError:
        asked = RETRY_S
    return min(max(asked, 0.1), MOST_RETRY_S)
