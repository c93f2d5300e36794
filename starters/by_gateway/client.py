"""The product's client, with the gateway's REST API in Temporal's place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlencode

from pydantic import ValidationError
from temporalio.client import Client

from rollback_manager.claim import Left
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.client.incidents import Incidents
from rollback_manager.contract import (
    AdoptRequest,
    Planned,
    ReleaseRequest,
    Releases,
    RollbackRequest,
)
from rollback_manager.deploys import (
    DeployAnswer,
    DeployRequest,
    LiftFreezes,
    ListFreezes,
    MayDeploy,
    SayFreeze,
)
from rollback_manager.errors import (
    Blocked,
)
from rollback_manager.glass import Glasses, GlassRequest, ListGlasses, ReviewGlass
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import RollbackStatus
from rollback_manager.report import Report
from rollback_manager.stays import StayStatus
from starters.by_gateway import releases
from starters.by_gateway.api import Api, must_not_be_asked, new_id, of_another_build
from starters.by_gateway.incidents import GatewayIncidents
from starters.by_gateway.rollback import GatewayRollback
from starters.refusals import UNCHANGED
from starters.settings import Gateway


class GatewayClient(RollbackClient):
    """What verbs ask of the client, asked of the gateway; whoever asks is who signed in there."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self._api = Api(gateway)

    async def __aenter__(self) -> Self:
        """There is no connection to open: each request has its own."""
        return self

    @property
    def temporal(self) -> Client:
        """Not there: Blocked says so, for verbs that the gateway does not offer."""
        must_not_be_asked()

    async def plan(self, request: RollbackRequest, *, timeout_s: float = 30) -> Planned:
        """What a rollback would do now. Touches nothing."""
        plan = RollbackPlan.model_validate(await self._api.ask("POST", "/plans", _wanted(request)))
        return Planned(plan=plan, digest=plan.digest)

    async def deploys(self, request: DeployRequest) -> DeployAnswer:
        """Whether something may be deployed; or a freeze said, lifted or listed."""
        ask = request.ask
        if isinstance(ask, MayDeploy):
            body = ask.model_dump(exclude={"verb"}) | {"version": ask.version or None}
            return DeployAnswer.model_validate(await self._api.ask("POST", "/ci/may-deploy", body))
        return DeployAnswer.model_validate(await self._freezes(ask))

    async def _freezes(self, ask: SayFreeze | LiftFreezes | ListFreezes) -> Mapping[str, Any]:
        """As whom it is said, the gateway knows; it tells the environment, too."""
        where = {"env": ask.env, "service": ask.service or None}
        match ask:
            case ListFreezes():
                path = f"/freezes?{urlencode({'env': ask.env, 'service': ask.service})}"
                document = await self._api.ask("GET", path)
            case SayFreeze():
                own = ask.model_dump(
                    mode="json", include={"begins", "until", "reason", "direction"}
                )
                document = await self._api.ask("POST", "/freezes", where | own, ask.id)
            case LiftFreezes():
                key = new_id(ask.verb)
                document = await self._api.ask("POST", "/freezes/lift", where, key)
        return {name: document.get(name, ()) for name in ("freezes", "lifted")}

    async def releases(self, request: ReleaseRequest, *, timeout_s: float = 120) -> Releases:
        """Record a release, mark or list them; no baseline is measured in a request."""
        return Releases.model_validate(await releases.asked(self._api, request))

    async def glasses(self, request: GlassRequest, *, timeout_s: float = 60) -> Glasses:
        """What was done without approval; or note that somebody looked at it."""
        match request.ask:
            case ListGlasses(env=env):
                document = await self._api.ask("GET", f"/environments/{env}/glasses")
            case ReviewGlass(rollback=rollback, said=said):
                document = await self._api.ask("POST", f"/{rollback}/review", {"reason": said})
        return Glasses.model_validate(document)

    async def start(self, request: RollbackRequest) -> Rollback:
        """Start a rollback. The same key again is the same rollback, running or ended."""
        if request.evidence:
            raise Blocked(
                "evidence is not taken by the gateway",
                effect=UNCHANGED,
                next_step="Start it without --evidence, or without ROLLBACK_GATEWAY",
            )
        own = request.model_dump(include={"trigger", "expect_plan", "break_glass"})
        body = {**_wanted(request), **own, "confirm": request.confirmed or ""}
        started = await self._api.ask("POST", "/rollbacks", body, request.key)
        return self.rollback(str(started["rollback"]))

    async def left(self, request: AdoptRequest, *, timeout_s: float = 60) -> Left:
        """What an ended rollback left of a service; or its giving back, as it stands."""
        path = f"/environments/{request.env}/services/{request.service}/left"
        if request.give_back:
            body = {"reason": request.reason}
            return Left.model_validate(await self._api.ask("POST", f"{path}/give-back", body))
        return Left.model_validate(await self._api.ask("GET", path))

    def rollback(self, rollback_id: str) -> Rollback:
        """A rollback by its id; the first question shows whether it exists."""
        return GatewayRollback(self._api, rollback_id)

    @property
    def incidents(self) -> Incidents:
        """To look at one and to answer it; to report and to list needs Temporal."""
        return GatewayIncidents(self._api)

    async def report(self, rollback_id: str) -> Report:
        """Of one rollback, as its history tells it."""
        document = await self._api.ask("GET", f"/{rollback_id}/report")
        try:
            return Report.model_validate(document)
        except ValidationError as error:
            raise of_another_build() from error

    async def stays_after(self, ended: RollbackStatus) -> list[StayStatus]:
        """The gateway does not tell of one rollback's: none are known here."""
        return []


def _wanted(request: RollbackRequest) -> dict[str, Any]:
    names = {"env", "services", "to_version", "reason", "incident", "adopts"}
    return request.model_dump(mode="json", include=names)
