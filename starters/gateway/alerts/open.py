"""Which incidents are open: asked of Temporal once, and then known for as long as alarms come."""

from datetime import datetime, timedelta

from rollback_manager.contract import incident_id
from rollback_manager.incidents.alarms import Alarm
from starters.gateway.doors import Doors

KNOWN = timedelta(seconds=60)
"""An incident to which something was given so recently is open: it waits longer than that."""
MOST = 10_000


class Open:
    """Incidents to which this process has given something."""

    def __init__(self, known: Doors) -> None:
        self._known = known
        self._given: dict[str, datetime] = {}

    async def has(self, alarm: Alarm) -> bool:
        """Whether the incident of that release runs."""
        release = (alarm.env, alarm.service, alarm.version)
        given = self._given.get(incident_id(*release))
        if given is not None and self._known.now() - given < KNOWN:
            return True
        return await self._known.rollbacks.incidents.runs(*release)

    def note(self, alarm: Alarm) -> None:
        """Something was given to it just now."""
        if len(self._given) >= MOST:
            self._given.clear()
        name = incident_id(alarm.env, alarm.service, alarm.version)
        self._given[name] = self._known.now()
