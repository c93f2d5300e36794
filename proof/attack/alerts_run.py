"""Alerts' doors of a real gateway under attack: forged and senseless ones, then one 1,000 times."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client
from temporalio.service import RPCError

from activities.integrations.sql import engine_for, upgrade
from activities.integrations.sql.replays import SqlReplays
from proof.attack import alerts
from proof.attack.slack import Attacked, Attempt, play
from proof.attack.slack_gate import free_port, hurried
from proof.in_process import Fleet, fleet
from rollback_manager.contract import INCIDENT_WORKFLOW, incident_id
from rollback_manager.incidents.alert_names import AlertNames, Alerts, AlertSource
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.values import Value
from starters.gateway.app import make_app
from starters.gateway.doors import Binding, Doors
from workers.gateway import served

SECRET = "a-secret-of-32-characters-at-least"  # noqa: S105 -- of this proof alone
REPLAYS = 1000
SAMPLE = 25
"""With `quick` every 25th request, and as many of the replays."""
NAMES = AlertNames(secrets=("env:UNUSED",), triggers={"HighErrorRate": TriggerKind.DATA_CORRUPTION})
"""A trigger for which people are asked: what is proven here is who gets in."""


class AlertsAttacked(Value):
    """What came of it. decisions: alarms that the replayed request brought about; one is right.

    incidents: of the whole attack; the one of the replayed alert is right.
    """

    forged: Attacked
    senseless: Attacked
    replays: dict[str, int]
    decisions: int
    incidents: int


def alert(service: str, env: str) -> dict[str, Any]:
    """A valid one, in our own form."""
    return {
        "name": "HighErrorRate",
        "labels": {"service": service, "environment": env, "version": "v2"},
        "at": datetime.now(UTC).isoformat(),
        "words": "5xx",
    }


@asynccontextmanager
async def alert_gate(made: Fleet, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """What stands before a gateway that takes alerts of every source; no worker is needed."""
    port = free_port()
    at = Binding("127.0.0.1", port, f"http://127.0.0.1:{port}", (f"127.0.0.1:{port}",))
    engine = engine_for(f"sqlite:///{made.settings.data / 'replays.sqlite'}")
    upgrade(engine)
    told = Alerts(alertmanager=NAMES, grafana=NAMES, cloudwatch=NAMES, generic=NAMES)
    doors = Doors(
        rollbacks=made.rollbacks,
        catalogue=made.catalogue.model_copy(update={"alerts": told}),
        binding=at,
        now=lambda: datetime.now(UTC),
        replays=SqlReplays(engine),
        alert_secrets=dict.fromkeys(AlertSource, lambda: (SECRET,)),
        **more,
    )
    async with (
        served(make_app(doors), at, hurried),
        httpx.AsyncClient(base_url=at.origin, trust_env=False) as http,
    ):
        yield http
    engine.dispose()


async def attack(client: Client, folder: Path, *, quick: bool = False) -> AlertsAttacked:
    """Every source by turns."""
    step = SAMPLE if quick else 1
    async with fleet(client, folder, services=1) as made, alert_gate(made) as http:
        (service,) = made.worlds
        valid = alert(service, made.env)
        body, now_s = json.dumps(valid).encode(), datetime.now(UTC).timestamp()
        bad, odd = Attacked(), Attacked()
        for source in AlertSource:
            attempts = [*alerts.forged(source, SECRET, body, now_s)][::step]
            bad = _both(bad, await _played(http, source, attempts, frozenset({401, 413})))
            attempts = [*alerts.senseless(source, SECRET, valid, now_s)][::step]
            odd = _both(odd, await _played(http, source, attempts, frozenset({422, 413})))
        before = await _alarms(made, service)
        once = Attempt(
            what="replay",
            headers=alerts.signed(SECRET, body, datetime.now(UTC).timestamp()),
            body=body,
        )
        again = await _played(
            http, AlertSource.GENERIC, [once] * (REPLAYS // step), frozenset({409})
        )
        return AlertsAttacked(
            forged=bad,
            senseless=odd,
            replays=again.statuses,
            decisions=await _alarms(made, service) - before,
            incidents=await _incidents(made),
        )


async def _played(
    http: httpx.AsyncClient, source: AlertSource, attempts: list[Attempt], right: frozenset[int]
) -> Attacked:
    return await play(http, f"/alerts/{source}", attempts, right)


def _both(first: Attacked, second: Attacked) -> Attacked:
    return Attacked(
        tried=first.tried + second.tried,
        accepted=first.accepted + second.accepted,
        server_errors=first.server_errors + second.server_errors,
        statuses=dict(Counter(first.statuses) + Counter(second.statuses)),
        violations=(*first.violations, *second.violations)[:20],
    )


async def _alarms(made: Fleet, service: str) -> int:
    """Alarms that reached the release's incident, as its history has them."""
    handle = made.client.get_workflow_handle(incident_id(made.env, service, "v2"))
    try:
        events = (await handle.fetch_history()).events
    except RPCError:
        return 0  # there is none
    told = (one.workflow_execution_signaled_event_attributes.signal_name for one in events)
    return [*told].count("alarm")


async def _incidents(made: Fleet) -> int:
    query = f"RollbackEnv = '{made.env}' AND WorkflowType = '{INCIDENT_WORKFLOW}'"
    for _ in range(50):
        if found := [run.id async for run in made.client.list_workflows(query)]:
            return len(found)
        await asyncio.sleep(0.1)  # a list follows a task later
    return 0
