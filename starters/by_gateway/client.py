"""The product's client, with the gateway's REST API in Temporal's place."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, NoReturn, Self
from urllib.parse import urlencode

from pydantic import ValidationError
from temporalio.client import Client

from rollback_manager.claim import Left
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.client.incidents import Incidents, ListedIncident
from rollback_manager.contract import (
    AbortCommand,
    AdoptRequest,
    Answered,
    Carried,
    Decision,
    ListReleases,
    MarkRelease,
    PauseCommand,
    Planned,
    RecordRelease,
    ReleaseRequest,
    Releases,
    RollbackRequest,
    StepCommand,
    Vote,
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
    NotFound,
    NotPermitted,
    PermanentError,
    RollbackError,
    StalePlan,
    Unreachable,
)
from rollback_manager.glass import Glasses, GlassRequest, ListGlasses, ReviewGlass
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.incidents.incident_status import IncidentVerdict, SeenIncident
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import RollbackOutcome, RollbackStatus
from rollback_manager.report import Report
from rollback_manager.stays import StayStatus
from starters.by_gateway import signing_in, web
from starters.refusals import UNCHANGED
from starters.settings import Gateway

ASK_EVERY_S = 1.0
"""So old may be what is told of a rollback that runs: each look is a request of its own."""
OF_STATUS: Mapping[int, type[RollbackError]] = {
    401: NotPermitted,
    403: NotPermitted,
    404: NotFound,
    409: Blocked,
    422: Blocked,
    429: Unreachable,
    503: Unreachable,
    504: Unreachable,
}

FROM_CLUSTER = {"version", "from_cluster"}
OF_TYPE: Mapping[str, type[RollbackError]] = {"stale-plan": StalePlan, "too-many-starts": Blocked}
"""What says more than its status: who is asked too often otherwise is asked again later."""


class Api:
    """Requests with the credential of whoever runs this; it is renewed once it has ended."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._credential: str | None = None

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, key: str = ""
    ) -> Mapping[str, Any]:
        """The document of the answer; a refusal is raised as what it says."""
        answer = await self._send(method, path, body, key)
        if answer.status == 401 and self._credential:
            self._credential = None
            answer = await self._send(method, path, body, key)
        if answer.status // 100 != 2:
            raise refusal(answer)
        return answer.document

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, key: str
    ) -> web.Answer:
        if self._credential is None:
            self._credential = await asyncio.to_thread(signing_in.credential, self._gateway)
        headers = {"Authorization": f"Bearer {self._credential}"} if self._credential else {}
        headers |= {"Idempotency-Key": key} if key else {}
        url = f"{self._gateway.url}/api/v1{path}"
        return await asyncio.to_thread(web.send, method, url, body, headers)


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
        _must_not_be_asked()

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
                key = _new_id(ask.verb)
                document = await self._api.ask("POST", "/freezes/lift", where, key)
        return {name: document.get(name, ()) for name in ("freezes", "lifted")}

    async def releases(self, request: ReleaseRequest, *, timeout_s: float = 120) -> Releases:
        """Record a release, mark or list them; to measure a baseline takes longer than a request.

        Jobs record by a door of their own; people, and what only they may insist on, by another.
        """
        ask = request.ask
        path = f"/environments/{ask.env}/services/{ask.service}/releases"
        match ask:
            case ListReleases():
                document = await self._api.ask("GET", path)
            case RecordRelease(from_cluster=True):
                document = await self._api.ask("POST", path, ask.model_dump(include=FROM_CLUSTER))
            case RecordRelease():
                body = ask.model_dump(include={"env", "service", "version"})
                document = await self._api.ask("POST", "/ci/releases", body)
            case MarkRelease():
                document = await self._mark(f"{path}/{ask.version}/standing", ask)
        return Releases.model_validate(document)

    async def _mark(self, path: str, ask: MarkRelease) -> Mapping[str, Any]:
        if ask.measure_s:
            raise Blocked(
                "a baseline is not measured by the gateway",
                effect="Its standing is unchanged.",
                next_step="Mark it without --measure-s, and say why: --because TEXT",
            )
        body = ask.model_dump(mode="json", include={"standing", "because"})
        return await self._api.ask("POST", path, body)

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
            raise _of_another_build() from error

    async def stays_after(self, ended: RollbackStatus) -> list[StayStatus]:
        """The gateway does not tell of one rollback's: none are known here."""
        return []


class GatewayIncidents(Incidents):
    """People's words, by the gateway: it signs them where only signed ones count."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def decide(
        self, env: str, service: str, version: str, verdict: IncidentVerdict
    ) -> Answered:
        """Say what is to be done, as who signed in."""
        body = {"word": str(verdict.action), "reason": verdict.reason}
        path = f"/incident/{env}/{service}/{version}/decisions"
        return Answered.model_validate(await self._api.ask("POST", path, body))

    async def seen(self, env: str, service: str, version: str) -> SeenIncident:
        """How it stands; of several of one release the newest."""
        path = f"/incident/{env}/{service}/{version}"
        return SeenIncident.model_validate(await self._api.ask("GET", path))

    async def report(self, alarm: Alarm) -> None:
        """Not by the gateway: Blocked says so."""
        _must_not_be_asked()

    async def list(self, *, env: str | None = None, limit: int = 50) -> list[ListedIncident]:
        """Not by the gateway: Blocked says so."""
        _must_not_be_asked()


class GatewayRollback(Rollback):
    """One rollback, watched and steered by the gateway."""

    def __init__(self, api: Api, rollback_id: str) -> None:
        self.id = rollback_id
        self._api = api
        self._seen: tuple[float, RollbackStatus] | None = None

    async def status(self) -> RollbackStatus:
        """Where it is now, with every service's own word; of ASK_EVERY_S ago at most."""
        if self._seen is not None and time.monotonic() - self._seen[0] < ASK_EVERY_S:
            return self._seen[1]
        document = await self._api.ask("GET", f"/{self.id}")
        try:
            self._seen = time.monotonic(), RollbackStatus.model_validate(document)
        except ValidationError as error:
            raise _of_another_build() from error
        return self._seen[1]

    async def by_itself(self) -> RollbackStatus:
        """The same as `status`: the gateway tells it whole."""
        return await self.status()

    async def result(self) -> RollbackOutcome:
        """How it ended; waits for the end."""
        while (outcome := (await self.status()).outcome) is None:  # noqa: ASYNC110 -- far away
            await asyncio.sleep(ASK_EVERY_S)
        return outcome

    async def vote(
        self,
        decision: Decision,
        vote: Vote,
        *,
        vote_id: str,
        confirm: str = "",
        incident: str = "",
    ) -> Answered:
        """Approve or reject, as who signed in. The same `vote_id` again gets the first answer."""
        words = {"plan": vote.plan, "reason": vote.reason}
        more = {"confirm": confirm, "incident": incident}
        return await self._decide(str(decision), vote_id, **words, **more)

    async def abort(self, command: AbortCommand) -> None:
        """Stop at the next safe point."""
        await self._decided(f"abort_{command.mode}", reason=command.reason)

    async def pause(self, command: PauseCommand) -> None:
        """Finish the step under way, then wait."""
        await self._decided("pause", reason=command.reason)

    async def resume(self, command: PauseCommand) -> None:
        """Go on after a pause."""
        await self._decided("resume", reason=command.reason)

    async def step(self, verb: str, service: str, command: StepCommand) -> Answered:
        """`retry_step` or `skip_step` for what waits."""
        words = {"step": command.step, "service": service, "reason": command.reason}
        return await self._decide(verb, _new_id(verb), **words)

    async def _decided(self, decision: str, **words: str) -> None:
        answered = await self._decide(decision, _new_id(decision), **words)
        if not answered.applied and not answered.pending:
            raise Blocked(
                answered.because,
                effect="This call changed nothing.",
                next_step=f"See how it stands: rollback-manager status {self.id}",
            )

    async def _decide(self, decision: str, id: str, **words: str) -> Carried:
        body = {"decision": decision, **words}
        document = await self._api.ask("POST", f"/{self.id}/decisions", body, id)
        return Carried.model_validate(document)


def refusal(answer: web.Answer) -> RollbackError:
    """What the gateway's problem says, as the error that it is here."""
    kind = OF_STATUS.get(answer.status, PermanentError)
    kind = OF_TYPE.get(str(answer.document.get("type")), kind)
    return kind(
        _said(answer, "detail") or f"the gateway answered {answer.status}",
        effect=_said(answer, "effect"),
        next_step=_said(answer, "next_step"),
    )


def _said(answer: web.Answer, field: str) -> str:
    return str(answer.document.get(field, ""))[:2000]


def _wanted(request: RollbackRequest) -> dict[str, Any]:
    names = {"env", "services", "to_version", "reason", "incident", "adopts"}
    return request.model_dump(mode="json", include=names)


def _new_id(verb: str) -> str:
    return f"{verb}-{secrets.token_hex(8)}"


def _of_another_build() -> PermanentError:
    return PermanentError("the gateway is of another build than this command")


def _must_not_be_asked() -> NoReturn:
    raise Blocked(
        "this verb needs Temporal, and ROLLBACK_GATEWAY says to go by the gateway",
        effect=UNCHANGED,
        next_step="Ask where Temporal can be reached, without ROLLBACK_GATEWAY",
    )
