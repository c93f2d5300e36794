"""The role that lets a rollback begin: signed by the gateway, or started by the product itself."""

from rollback_manager.audit import AuditLog, Event
from rollback_manager.authority.jws import BadToken
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.origin import Origin
from rollback_manager.authority.start_token import StartClaims, verified
from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import RollbackRequest
from rollback_manager.errors import Blocked

WORKER = "worker"


class Starts:
    """Judges each start at planning, before anything is touched.

    chain: remembers which run a token began; None where nothing is audited, as in some tests.
    """

    def __init__(self, catalogue: Catalogue, chain: AuditLog | None) -> None:
        self._catalogue = catalogue
        self._chain = chain

    def prove(self, request: RollbackRequest) -> None:
        """Raise Blocked where starts must be signed and this one is not, for just this.

        A question for a plan has no origin, and touches nothing. What another workflow of ours
        began needs no signature: only a worker can make one the child of another, and under which
        id is looked at, as anybody may choose that. Breaking the glass needs one in any case.
        """
        environment, origin = self._catalogue.environments[request.env], request.origin
        if environment.security is SecurityLevel.LOCAL or origin is None:
            return
        if _is_ours(request, origin) and not request.break_glass:
            return
        try:
            claims = verified(request, origin, environment.signing_keys)
            self._must_be_its_first(request, origin, claims)
        except BadToken as bad:
            raise _refused(request, bad) from None

    def _must_be_its_first(
        self, request: RollbackRequest, origin: Origin, claims: StartClaims
    ) -> None:
        """A token begins one run: not the same rollback once more after it ended or was reset."""
        event = Event(
            event_id=f"{WORKER}/start/{claims.jti}",
            actor=WORKER,
            subject=claims.sub,
            action="start.proven",
            object=origin.rollback,
            decision_jws=request.token,
            evidence_hash=claims.request,
            outcome=f"begins run {origin.run}",
            ts_source=origin.at,
        )
        must_be_its_first(self._chain, event, "its signature began another run already")


def must_be_its_first(chain: AuditLog | None, event: Event, because: str) -> None:
    """Raise BadToken, saying why, where the chain has this token's event for another run.

    None: nothing is audited, as in some tests.
    """
    if chain is None:
        return
    kept = chain.append(event)
    if (kept.object, kept.outcome) != (event.object, event.outcome):
        raise BadToken(because)


def _is_ours(request: RollbackRequest, origin: Origin) -> bool:
    """Whether its parent is what it seems: the rollback of which it is a part, or its incident.

    A part is asked about no more, and its id alone would make it one: its word only the whole has.
    """
    is_part = origin.parent.startswith("rollback/") and bool(request.word)
    return is_part or (origin.parent.startswith("incident/") and origin.parent == request.incident)


def _refused(request: RollbackRequest, bad: BadToken) -> Blocked:
    services = " ".join(request.services[:3]) + (" …" if len(request.services) > 3 else "")
    return Blocked(
        f"this start does not count in {request.env}: {bad.what}",
        effect="Production is unchanged: nothing was touched.",
        next_step="Start it through the gateway, on its page or by"
        f" ROLLBACK_GATEWAY=https://… rollback-manager start {services} --env {request.env}",
    )
