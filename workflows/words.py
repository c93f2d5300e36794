"""Whose word on an incident counts: everybody's at level local, else only what is signed."""

from collections.abc import Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from rollback_manager.authority.asks import content
    from rollback_manager.authority.keys import Aim, Seal, VerifyKey
    from rollback_manager.authority.proving import proven
    from rollback_manager.authority.token import BadToken, Claims, Dec, audience
    from rollback_manager.incidents.incident_status import IncidentVerdict
    from rollback_manager.progress import MOST_IGNORED, Ignored


class Words:
    """The keys by which words are signed, which of them were used, and what did not count.

    keys: none until the incident was judged for the first time; by then it asks nobody.
    """

    def __init__(
        self, keys: tuple[VerifyKey, ...], used: Iterable[str], ignored: Iterable[Ignored]
    ) -> None:
        self.keys = keys
        self.used = list(used)
        self.ignored = list(ignored)

    def learn(self, keys: tuple[VerifyKey, ...]) -> None:
        """As the catalogue has them now. A worker of an older build knows none, and lifts none."""
        self.keys = keys or self.keys

    def proven(self, verdict: IncidentVerdict, env: str) -> Claims | None:
        """Who said it, as signed; None where nothing is. Raises BadToken."""
        info = workflow.info()
        aim = Aim(rid=info.workflow_id, run=info.first_execution_run_id)
        seal = Seal(keys=self.keys, aud=audience(env), aims=(aim,))
        claims = proven(
            verdict,
            seal,
            Dec.VERDICT,
            workflow.now(),
            self.used,
            plan=content(verdict),
            nonce="",
        )
        if claims is not None and claims.sub != verdict.by:
            raise BadToken("it was signed for somebody else")
        return claims

    def use(self, claims: Claims | None) -> None:
        """A word counts once."""
        if claims is not None:
            self.used.append(claims.jti)

    def ignore(self, verdict: IncidentVerdict, because: str) -> None:
        """Kept: a signal that does not count must not vanish."""
        workflow.logger.warning("a word was ignored", extra={"because": because})
        if len(self.ignored) < MOST_IGNORED:
            kept = Ignored(
                command=str(verdict.action), by=verdict.by, at=workflow.now(), because=because
            )
            self.ignored.append(kept)
