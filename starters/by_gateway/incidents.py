"""Incidents, looked at and answered by the gateway."""

from __future__ import annotations

from rollback_manager.client.incidents import Incidents, ListedIncident
from rollback_manager.contract import Answered
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.incidents.incident_status import IncidentVerdict, SeenIncident
from starters.by_gateway.api import Api, must_not_be_asked


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
        must_not_be_asked()

    async def list(self, *, env: str | None = None, limit: int = 50) -> list[ListedIncident]:
        """Not by the gateway: Blocked says so."""
        must_not_be_asked()
