"""`POST /alerts/SOURCE`: prove, read, look up, give; 202 once Temporal has it."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request

from rollback_manager.authority.people import Kind, Person
from rollback_manager.contract import incident_id
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.incidents.alert_names import AlertSource
from rollback_manager.incidents.alerts import Told, Unknown, alarm, meant
from rollback_manager.values import Value
from starters.gateway.alerts import payloads, proofs
from starters.gateway.alerts.giving import Giving, Taken
from starters.gateway.alerts.open import Open
from starters.gateway.alerts.releases import Newest
from starters.gateway.doors import Doors
from starters.gateway.problems import Refused

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
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise _unproven(source)
        body = await request.body()
        await self._proven(source, request, body)
        told = payloads.read(source, body)
        taken = await asyncio.gather(*(self._taken(source, one) for one in told))
        if all(one.refused for one in taken):
            raise Refused(
                422,
                "unknown-alert",
                taken[0].refused,
                next_step=f"Say in the catalogue what it means: alerts.{source}",
            )
        return AlertsTaken(alerts=tuple(taken))

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
        await self._first_time(f"alert/{source}/{unique}")

    async def _first_time(self, key: str) -> None:
        replays = self._known.replays
        if replays is None or not await asyncio.to_thread(
            replays.first_time, key, proofs.REPLAYS_S
        ):
            raise Refused(
                409,
                "replayed",
                "this very request was taken before",
                next_step="Sign each attempt anew, with the time of now.",
            )

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


def _unproven(source: AlertSource) -> Refused:
    how = "Authorization: Bearer SECRET" if source in BY_BEARER else "Rollback-Signature: t=…,v1=…"
    return Refused(
        401,
        "not-proven",
        f"nothing shows that this comes from {source}",
        next_step=f"Send JSON with {how}, by the secret that the catalogue names.",
        headers={"WWW-Authenticate": "Bearer" if source in BY_BEARER else "Rollback-Signature"},
    )


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
