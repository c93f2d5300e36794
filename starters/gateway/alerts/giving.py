"""Alarms on their way to Temporal: what comes about one release meanwhile goes with the next one.

A storm is some signals a second for each release, whatever number of alerts it has; and each alert
is answered only when Temporal has it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from rollback_manager.contract import incident_id
from rollback_manager.incidents.alarms import Alarm, collected
from rollback_manager.values import Value

GATHER_S = 0.5
"""Seconds between two signals to one release; the first alert never waits, and in a storm about
many releases it is Temporal that would be busy with the rest."""
MOST_KNOWN = 10_000
"""Alerts that are remembered, so that one that is told again is not counted again."""
Give = Callable[[Alarm], Awaitable[bool]]
"""Gives one alarm to its release; whether that opened an incident."""


class Taken(Value):
    """What became of one alert: it opened an incident, or it joined the one that runs.

    ignored: why there was nothing to do. refused: why it means nothing here.
    """

    incident: str = ""
    merged_into: str = ""
    ignored: str = ""
    refused: str = ""


@dataclass
class _Batch:
    waiting: list[tuple[Alarm, "asyncio.Future[bool]"]] = field(default_factory=list)
    at_work: "asyncio.Task[None] | None" = None


class Giving:
    """Gives alarms by `give`, which raises what Temporal refuses."""

    def __init__(self, give: Give) -> None:
        self._give = give
        self._batches: dict[str, _Batch] = {}
        self._known: OrderedDict[str, asyncio.Future[bool]] = OrderedDict()

    async def given(self, alert: str, alarm: Alarm) -> Taken:
        """Give the alarm. alert: the name of the alert; told again it is not given again."""
        incident = incident_id(alarm.env, alarm.service, alarm.version)
        known = self._known.get(alert)
        if known is not None:
            await asyncio.shield(known)
            return Taken(merged_into=incident)
        opened = await asyncio.shield(self._queued(incident, alert, alarm))
        return Taken(incident=incident) if opened else Taken(merged_into=incident)

    def _queued(self, incident: str, alert: str, alarm: Alarm) -> "asyncio.Future[bool]":
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: self._settled(alert, done))
        self._known[alert] = future
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        batch = self._batches.setdefault(incident, _Batch())
        batch.waiting.append((alarm, future))
        if batch.at_work is None:
            batch.at_work = asyncio.create_task(self._work(incident, batch))
        return future

    def _settled(self, alert: str, done: "asyncio.Future[bool]") -> None:
        """What could not be given is not known: it may be told again."""
        if done.exception() is not None:
            self._known.pop(alert, None)

    async def _work(self, incident: str, batch: _Batch) -> None:
        while batch.waiting:
            taken, batch.waiting = batch.waiting, []
            await self._all(taken)
            await asyncio.sleep(GATHER_S)
        del self._batches[incident]

    async def _all(self, taken: list[tuple[Alarm, "asyncio.Future[bool]"]]) -> None:
        """One signal for each kind of alarm among them; the first may open the incident."""
        alarms: tuple[Alarm, ...] = ()
        for alarm, _ in taken:
            alarms = collected(alarms, alarm)
        try:
            opened = [await self._give(alarm) for alarm in alarms]
        except Exception as error:  # noqa: BLE001 -- handed to each who waits for it
            for _, future in taken:
                future.set_exception(error)
            return
        for number, (_, future) in enumerate(taken):
            future.set_result(number == 0 and opened[0])
