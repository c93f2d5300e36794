"""`POST /alerts/SOURCE`: prove, read, look up, give; 202 once Temporal has it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from rollback_manager.authority.people import Kind, Person
from rollback_manager.contract import incident_id
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.incidents.alert_names import AlertSource
from rollback_manager.incidents.alerts import Told, Unknown, alarm, meant
from rollback_manager.values import Value
from starters.gateway.alerts import payloads, proofs
from starters.gateway.alerts.alarm_messages import kind_of
from starters.gateway.alerts.giving import Giving, Taken
from starters.gateway.alerts.open import Open
from starters.gateway.alerts.releases import Newest
from starters.gateway.doors import Doors, doors
from starters.gateway.identity import from_here
from starters.gateway.problems import Refused
from starters.gateway.sns import message as sns
from starters.gateway.sns.door import REPLAYS_S

BY_BEARER = frozenset({AlertSource.ALERTMANAGER, AlertSource.GRAFANA})
"""They can send nothing better than a token: put TLS, or an allow-list of addresses, before it."""
JSON = "application/json"


class AlertsTaken(Value):
    """What became of each alert, in their order."""

    alerts: tuple[Taken, ...]


class Taking:
    """What is done with a request of any source."""

    def __init__(self, known: Doors) -> None:
        self._known = known
        self._newest = Newest(known)
        self._giving = Giving(self._give)
        self._open = Open(known)

    async def take(self, source: AlertSource, request: Request) -> AlertsTaken:
        """All of it, in the order in which a forger gets furthest at the last."""
        if source is AlertSource.CLOUDWATCH and sns.HEADER in request.headers:
            return await self._taken_of_sns(request)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise _unproven(source)
        body = await request.body()
        await self._proven(source, request, body)
        return await self._all(source, payloads.read(source, body))

    async def _all(self, source: AlertSource, told: Iterable[Told]) -> AlertsTaken:
        taken = await asyncio.gather(*(self._taken(source, one) for one in told))
        if all(one.refused for one in taken):
            raise Refused(
                422,
                "unknown-alert",
                taken[0].refused,
                next_step=f"Say in the catalogue what it means: alerts.{source}",
            )
        return AlertsTaken(alerts=tuple(taken))

    async def _taken_of_sns(self, request: Request) -> AlertsTaken:
        """What SNS signed for a topic of the catalogue; what cannot be given it sends again."""
        source = AlertSource.CLOUDWATCH
        message = await self._signed_by_sns(request, await request.body())
        key = f"alert/sns/{message.MessageId}"
        await self._not_before(key)
        taken = AlertsTaken(alerts=())
        if message.Type is sns.Kind.NOTIFICATION:
            body, kind = message.Message.encode(), kind_of(message)
            taken = await self._all(source, payloads.read(source, body, kind))
        else:
            await self._subscribed(message)
        # Only now: SNS sends again what a process took that died before it had given it, and what
        # it sends twice at once is told apart by its alert.
        await self._once(key, REPLAYS_S)
        return taken

    async def _signed_by_sns(self, request: Request, body: bytes) -> sns.Envelope:
        names = self._known.catalogue.alerts.sources.get(AlertSource.CLOUDWATCH)
        now, door = self._known.now(), self._known.sns
        message = sns.read(body, names.topics if names else (), now)
        url = sns.certificate_url(message) if message else None
        if message is None or url is None or door is None:
            raise _unproven(AlertSource.CLOUDWATCH)
        sender = request.client.host if request.client else ""
        if not sns.is_signed(message, await door.certificate(url, sender), now):
            raise _unproven(AlertSource.CLOUDWATCH)
        return message

    async def _subscribed(self, message: sns.Envelope) -> None:
        """The topic asks whether we want it: it is the catalogue's. That it left is kept, too."""
        sender = Person(subject="alert:cloudwatch", kind=Kind.ALERT, method="alert")
        action = f"sns.{message.Type.value}"
        await self._known.auditing.before(
            sender, action, message.TopicArn, id=message.MessageId, rests_on=message
        )
        if message.Type is sns.Kind.SUBSCRIPTION and self._known.sns is not None:
            await self._known.sns.confirm(message)

    async def _proven(self, source: AlertSource, request: Request, body: bytes) -> None:
        secrets = await asyncio.to_thread(self._known.alert_secrets[source])  # may be far away
        if source in BY_BEARER:
            if not proofs.is_bearer(_only(request, "authorization"), secrets):
                raise _unproven(source)
            return
        name, signature = _only(request, proofs.ID), _only(request, proofs.SIGNATURE)
        now_s = self._known.now().timestamp()
        unique = proofs.signed_by(name, signature, body, secrets, now_s)
        if unique is None:
            raise _unproven(source)
        if not await self._once(f"alert/{source}/{unique}", proofs.REPLAYS_S):
            raise _replayed()

    async def _once(self, key: str, for_s: int) -> bool:
        """Whether it is the first; without a memory nothing is."""
        replays = self._known.replays
        return replays is not None and await asyncio.to_thread(replays.first_time, key, for_s)

    async def _not_before(self, key: str) -> None:
        replays = self._known.replays
        if replays is None or await asyncio.to_thread(replays.is_known, key):
            raise _replayed()

    async def _taken(self, source: AlertSource, told: Told) -> Taken:
        names = self._known.catalogue.alerts.sources[source]
        means = meant(told, names, self._known.catalogue)
        if isinstance(means, Unknown):
            return Taken(refused=means.because)
        version = means.version or await self._newest.of(means.env, means.service)
        if not version:
            return Taken(refused=f"no release of {means.service} is recorded there")
        made = alarm(told, source, means, version)
        if not told.firing and not await self._open.has(made):
            return Taken(ignored="it went out, and no incident of that release is open")
        return await self._giving.given(f"{source}/{told.id}", made)

    async def _give(self, alarm: Alarm) -> bool:
        """Whether no incident of that release ran before."""
        opened = not await self._open.has(alarm)
        if opened:
            await self._audited(alarm)
        await self._known.rollbacks.incidents.report(alarm)
        self._open.note(alarm)
        return opened

    async def _audited(self, alarm: Alarm) -> None:
        """An incident may turn production back by itself: who opened it is kept first."""
        source, _, _ = alarm.evidence.test.partition(":")
        sender = Person(subject=f"alert:{source}", kind=Kind.ALERT, method="alert")
        name = incident_id(alarm.env, alarm.service, alarm.version)
        at = alarm.evidence.fired_at.isoformat()
        await self._known.auditing.before(sender, "incident.open", name, id=at, rests_on=alarm)


def _only(request: Request, name: str) -> str:
    """A header that is there once; twice it is not the one that was proven."""
    values = request.headers.getlist(name)
    return values[0] if len(values) == 1 else ""


def _replayed() -> Refused:
    return Refused(
        409,
        "replayed",
        "this very request was taken before",
        next_step="Sign each attempt anew, with the time of now.",
    )


def _unproven(source: AlertSource) -> Refused:
    how = "Authorization: Bearer SECRET" if source in BY_BEARER else "Rollback-Signature: t=…,v1=…"
    return Refused(
        401,
        "not-proven",
        f"nothing shows that this comes from {source}",
        next_step=f"Send JSON with {how}, by the secret that the catalogue names.",
        headers={"WWW-Authenticate": "Bearer" if source in BY_BEARER else "Rollback-Signature"},
    )


class AlertRoute(APIRoute):
    """Without FastAPI's own reading of a request, which a storm need not pay for.

    It asks what every door asks, whence the request comes, and nothing else is declared here.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Guard, take, and answer with what was taken."""

        async def handled(request: Request) -> Response:
            await from_here(request, doors(request))
            taken: AlertsTaken = await self.endpoint(request)
            return Response(taken.model_dump_json(), 202, media_type=JSON)

        return handled


def route(router: APIRouter, taking: Taking, source: AlertSource) -> None:
    """The route of one source."""
    schema = {"$ref": f"#/components/schemas/{payloads.KINDS[source].__name__}"}
    router.add_api_route(
        f"/{source}",
        _endpoint(taking, source),
        methods=["POST"],
        status_code=202,
        name=f"alert_{source}",
        openapi_extra={
            "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
            "security": [{"bearer" if source in BY_BEARER else "signature": []}],
        },
    )


def _endpoint(taking: Taking, source: AlertSource) -> Callable[[Request], Awaitable[AlertsTaken]]:
    async def alert(request: Request) -> AlertsTaken:
        """Taken: 202 with the incident that it opened, or into which it was merged."""
        return await taking.take(source, request)

    return alert
