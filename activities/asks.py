"""The role that lets something be recorded or given back: signed by the gateway, where it must be.

Whoever may write to Temporal can ask a worker for anything; who may not freeze, mark a release as
good, review a break-glass or end a quarantine must not get it done that way.
"""

from temporalio import activity

from activities.starts import WORKER, must_be_its_first
from rollback_manager.audit import AuditLog, Event
from rollback_manager.authority.asks import Ask, Freezing, about, content, dec, must_be_signed
from rollback_manager.authority.jws import BadToken
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.token import Claims
from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import AdoptRequest, MarkRelease, RecordRelease
from rollback_manager.errors import NotFound, NotPermitted
from rollback_manager.glass import ReviewGlass


class Asks:
    """Judges each before anything is written.

    chain: remembers which run a token was for; None where nothing is audited, as in some tests.
    """

    def __init__(self, catalogue: Catalogue, chain: AuditLog | None) -> None:
        self._catalogue = catalogue
        self._chain = chain

    def prove(self, ask: Ask) -> None:
        """Raise NotPermitted where this must be signed and is not, for just this.

        Its time is judged by when it was asked: the measuring of a baseline may be tried again
        later. A freeze that is repeated says the same again; all else is done once: what
        somebody has marked as bad since must not become good again.
        """
        environment = self._catalogue.environments.get(ask.env)
        if environment is None:
            raise _unknown(ask.env, self._catalogue)
        if environment.security is SecurityLevel.LOCAL:
            return
        try:
            asked_at = activity.info().scheduled_time
            claims = must_be_signed(ask, environment.signing_keys, asked_at)
            if not isinstance(ask, Freezing):
                self._must_be_its_first(ask, claims)
        except BadToken as bad:
            self._keep_refusal(ask, bad)
            raise _refused(ask, bad) from None

    def _must_be_its_first(self, ask: Ask, claims: Claims) -> None:
        event = _event(ask, claims.jti, f"{dec(ask)}.proven", claims.sub)
        must_be_its_first(self._chain, event, "its signature was used by another run already")

    def _keep_refusal(self, ask: Ask, bad: BadToken) -> None:
        if self._chain is not None:
            run = activity.info().workflow_run_id
            event = _event(ask, f"refused/{run}", str(dec(ask)), ask.by)
            self._chain.append(event.model_copy(update={"outcome": f"refused: {bad.what}"}))


def _event(ask: Ask, id: str, action: str, subject: str) -> Event:
    info = activity.info()
    return Event(
        event_id=f"{WORKER}/ask/{id}",
        actor=WORKER,
        subject=subject,
        action=action,
        object=about(ask),
        decision_jws=ask.token,
        evidence_hash=content(ask),
        outcome=f"for run {info.workflow_run_id}",
        ts_source=info.scheduled_time,
    )


def _unknown(env: str, catalogue: Catalogue) -> NotFound:
    return NotFound(
        f"no environment {env!r}; known: {', '.join(catalogue.environments)}",
        effect="Nothing was changed.",
        next_step="Names are those of the catalogue: rollback-manager catalogue check FILE",
    )


def _refused(ask: Ask, bad: BadToken) -> NotPermitted:
    what, effect, verb, path = _words(ask)
    return NotPermitted(
        f"{ask.env} is secured: {what} by the gateway ({bad.what})",
        effect=effect,
        next_step=f"Sign in there, and {_page(ask)}POST /api/v1/{path};"
        f" or by it: ROLLBACK_GATEWAY=https://… rollback-manager {verb}",
    )


def _page(ask: Ask) -> str:
    """Freezes of one service have a form; a browser is at hand where no program may sign in."""
    if isinstance(ask, Freezing) and ask.service:
        return f"do it on the page /services/{ask.env}/{ask.service}; or "
    return ""


def _words(ask: Ask) -> tuple[str, str, str, str]:
    """(what is done how, what this call left as it is, the verb, the route of the gateway)."""
    service = f"environments/{ask.env}/services"
    match ask:
        case RecordRelease():
            routes = "ci/releases, or …/services/SERVICE/releases"
            return "releases are recorded", "Nothing was recorded.", "releases record", routes
        case MarkRelease():
            path = f"{service}/{ask.service}/releases/{ask.version}/standing"
            return "releases are marked", "Its standing is unchanged.", "releases mark", path
        case ReviewGlass():
            return (
                "a break-glass is reviewed",
                "The review stays open.",
                "review done",
                f"{ask.rollback}/review",
            )
        case AdoptRequest():
            path = f"{service}/{ask.service}/left/give-back"
            return "it is given back", "The quarantine goes on.", "adopt --give-back", path
        case _:
            effect = "Nothing was frozen and nothing was lifted."
            return "freezes are said and lifted", effect, ask.verb, "freezes"
