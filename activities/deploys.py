"""Answers whether something may be deployed, and keeps freezes. Nothing here touches production."""

from collections.abc import Iterable
from typing import Protocol

from temporalio import activity

from activities.asks import Asks
from activities.claims import Claims, Holders, Runs
from activities.freezes import Freezes, FreezesKept
from activities.records import Records
from activities.step import now
from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import service_id
from rollback_manager.deploys import (
    DeployAnswer,
    DeployFacts,
    DeployRequest,
    LiftFreezes,
    ListFreezes,
    MayDeploy,
    SayFreeze,
    may_deploy,
)
from rollback_manager.errors import Blocked, PermanentError
from rollback_manager.freezes import Freeze


class Underway(Runs, Protocol):
    """What runs in Temporal."""

    def rollbacks(self, env: str, service: str) -> tuple[str, ...]:
        """Ids of the rollbacks of a service that have not ended, whatever they wait for."""


class Kept(Records, Claims, FreezesKept, Protocol):
    """All that is asked of the records."""


class DeployActivities:
    """The one activity behind `may-deploy`, `freeze` and `unfreeze`."""

    def __init__(self, catalogue: Catalogue, records: Kept, runs: Underway, asks: Asks) -> None:
        self._catalogue = catalogue
        self._records = records
        self._runs = runs
        self._asks = asks
        self._freezes = Freezes(catalogue, records)

    @activity.defn(no_thread_cancel_exception=True)
    def ask_deploys(self, request: DeployRequest) -> DeployAnswer:
        """The answer. Raises Unreachable where the records or Temporal do not say."""
        ask = request.ask
        self._must_know(ask.env, ask.service)
        match ask:
            case MayDeploy():
                return may_deploy(ask, self._facts(ask))
            case SayFreeze():
                self._asks.prove(ask)
                self._say(ask)
                return DeployAnswer(freezes=self._listed(ask.env, ask.service))
            case LiftFreezes():
                self._asks.prove(ask)
                lifted = self._records.lift_freezes(
                    ask.env, ask.service, ask.by, now(), ids=ask.ids
                )
                return DeployAnswer(lifted=lifted, freezes=self._listed(ask.env, ask.service))
            case ListFreezes():
                return DeployAnswer(freezes=self._listed(ask.env, ask.service))

    def _must_know(self, env: str, service: str) -> None:
        if service:
            self._catalogue.placement(env, service)
        elif env not in self._catalogue.environments:
            raise PermanentError(
                f"no environment {env!r}; known: {', '.join(self._catalogue.environments)}",
                effect="Nothing was changed.",
                next_step="Names are those of the catalogue: rollback-manager catalogue check FILE",
            )

    def _facts(self, ask: MayDeploy) -> DeployFacts:
        running = dict.fromkeys(
            (*self._runs.rollbacks(ask.env, ask.service), *self._holder(ask.env, ask.service))
        )
        return DeployFacts(
            releases=tuple(self._records.releases(ask.env, ask.service)),
            rollbacks=tuple(running),
            left=() if running else self._left(ask),
            frozen=self._freezes.in_force(ask.env, ask.service),
            now=now(),
        )

    def _holder(self, env: str, service: str) -> Iterable[str]:
        """Who holds the lock: it is held before Temporal's lists show the rollback."""
        holder = self._runs.started_by(service_id(env, service))
        return () if holder is None else (holder or "a rollback",)

    def _left(self, ask: MayDeploy) -> tuple[str, ...]:
        orphans = Holders(self._records, self._runs).left(ask.env, ask.service)
        return tuple(claim.rollback for claim in orphans)

    def _say(self, ask: SayFreeze) -> None:
        begins = ask.begins or now()
        if ask.until <= max(begins, now()):
            raise Blocked(
                f"it would end at {ask.until:%Y-%m-%d %H:%MZ}, which is over",
                effect="Nothing was frozen.",
                next_step="Name an end that is yet to come: --until 2026-12-24T18:00:00Z",
            )
        words = ask.model_dump(exclude={"verb", "begins", "token"})
        said = Freeze(begins=begins, said_at=now(), **words)
        self._records.keep_freeze(said)
        self._must_be_kept(said, begins_now=ask.begins is None)

    def _must_be_kept(self, said: Freeze, *, begins_now: bool) -> None:
        """Under its id another one may stand, or this one as lifted: that freezes nothing."""
        again: dict[str, object] = {"said_at": said.said_at}
        again |= {"begins": said.begins} if begins_now else {}
        known = self._records.freezes(said.env, now())
        if any(one.model_copy(update=again) == said for one in known):
            return
        raise Blocked(
            "under this key another freeze was said, or this one was lifted meanwhile",
            effect="Nothing was frozen by this call.",
            next_step="Say it under a new key. What is frozen: rollback-manager freeze"
            f" --env {said.env}",
        )

    def _listed(self, env: str, service: str) -> tuple[Freeze, ...]:
        known = self._freezes.known(env)
        return tuple(one for one in known if not service or one.is_of(service))
