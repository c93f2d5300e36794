"""Alerts of monitoring systems: proven, looked up in the catalogue, and given to their incident.

`proofs` says whether the sender holds the secret, `payloads` reads what each source sends,
`rollback_manager.incidents.alerts` says what it means here, `giving` hands it to Temporal.
"""

from fastapi import APIRouter

from starters.gateway import problems
from starters.gateway.alerts.taking import BY_BEARER, AlertRoute, Taking, route
from starters.gateway.doors import Doors


def router(known: Doors) -> APIRouter:
    """A route for each source that has a secret; the others are not there at all (404)."""
    responses = dict(problems.RESPONSES)
    whole = APIRouter(
        prefix="/alerts", tags=["alerts"], responses=responses, route_class=AlertRoute
    )
    taking = Taking(known)
    for source in known.alert_secrets:
        if source in BY_BEARER or known.replays is not None:
            route(whole, taking, source)
    return whole
