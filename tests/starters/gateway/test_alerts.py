"""Alerts at the door: only what is proven, only what the catalogue knows, and each once."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from rollback_manager.incidents.alert_names import AlertNames, Alerts, AlertSource
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.progress import Result, State
from starters.gateway.alerts import proofs
from tests import incident_rig, rig
from tests.rig import Rig
from tests.starters.gateway.conftest import Gate, opened

SECRET, NEXT, OTHER = "secret-of-now", "secret-of-tomorrow", "of-nobody"
NAMES = AlertNames(secrets=("env:X",), triggers={"HighErrorRate": TriggerKind.DATA_CORRUPTION})
"""Of the triggers one for which people are asked: nothing begins by itself in these tests."""


class InProcess:
    """A stand-in for the records of signed requests."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def first_time(self, key: str, ttl_s: int) -> bool:
        is_first = key not in self.seen
        self.seen.add(key)
        return is_first

    def is_known(self, key: str) -> bool:
        return key in self.seen


@pytest.fixture
async def alerted(client: Client, tmp_path: Path) -> AsyncIterator[Gate]:
    """A gateway that takes alerts of every source."""
    async with rig.rig(client, tmp_path, cached=1000) as made, _opened(made) as one:
        yield one


def _opened(made: Rig, live: Callable[[], Sequence[str]] = lambda: (SECRET, NEXT)):  # type: ignore[no-untyped-def]
    alerts = Alerts(alertmanager=NAMES, grafana=NAMES, cloudwatch=NAMES, generic=NAMES)
    return opened(
        made,
        catalogue=made.parts.catalogue.model_copy(update={"alerts": alerts}),
        alert_secrets=dict.fromkeys(AlertSource, live),
        replays=InProcess(),
    )


def grouped(service: str, /, *, status: str = "firing", **labels: str) -> dict[str, object]:
    """As Alertmanager sends it."""
    told = {
        "status": status,
        "labels": {
            "alertname": "HighErrorRate",
            "service": service,
            "environment": "test",
            "version": "v2",
            **labels,
        },
        "annotations": {"summary": "5xx above 5 %"},
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": "c4e5f6a7b8c9d0e1",
    }
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "rollback-manager",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": [told],
    }


def state_change(service: str) -> dict[str, object]:
    """As EventBridge sends a change of a CloudWatch alarm."""
    dimensions = {"service": service, "environment": "test", "version": "v2"}
    return {
        "version": "0",
        "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "time": "2026-11-28T00:00:00Z",
        "detail": {
            "alarmName": "HighErrorRate",
            "state": {
                "value": "ALARM",
                "reason": "Threshold Crossed",
                "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
            },
            "previousState": {"value": "OK"},
            "configuration": {
                "metrics": [
                    {
                        "id": "m1",
                        "metricStat": {
                            "metric": {
                                "namespace": "Shop",
                                "name": "Errors",
                                "dimensions": dimensions,
                            },
                            "period": 60,
                            "stat": "Sum",
                        },
                        "returnData": True,
                    }
                ]
            },
        },
    }


def generic(service: str, **more: object) -> dict[str, object]:
    return {
        "name": "HighErrorRate",
        "labels": {"service": service, "environment": "test", "version": "v2"},
        "at": datetime.now(UTC).isoformat(),
        "words": "5xx",
        **more,
    }


async def by_bearer(gate: Gate, source: str, body: object, secret: str = SECRET) -> httpx.Response:
    headers = {"Authorization": f"Bearer {secret}"}
    return await gate.http.post(f"/alerts/{source}", json=body, headers=headers)


def signed(body: bytes, *, secret: str = SECRET, ago_s: float = 0) -> dict[str, str]:
    stamp = str(int((datetime.now(UTC) - timedelta(seconds=ago_s)).timestamp()))
    return {
        "Content-Type": "application/json",
        "Rollback-Id": "d-1",
        "Rollback-Signature": f"t={stamp},v1={proofs.mac(secret, 'd-1', stamp, body)}",
    }


async def _post(gate: Gate, source: str, body: object, **signing: object) -> httpx.Response:
    raw = json.dumps(body).encode()
    headers = signed(raw, **signing)  # type: ignore[arg-type]
    return await gate.http.post(f"/alerts/{source}", content=raw, headers=headers)


async def test_the_first_alert_opens_the_incident_and_others_join_it(alerted: Gate) -> None:
    service = alerted.rig.service
    name = f"incident/test/{service}/v2"
    first = await by_bearer(alerted, "alertmanager", grouped(service))
    assert (first.status_code, first.json()["alerts"][0]["incident"]) == (202, name)
    for source, body in (("grafana", grouped(service, version="")),):
        joined = await by_bearer(alerted, source, body)
        assert (joined.status_code, joined.json()["alerts"][0]["merged_into"]) == (202, name)
    for source, body in (("cloudwatch", state_change(service)), ("generic", generic(service))):
        joined = await _post(alerted, source, body)
        assert (joined.status_code, joined.json()["alerts"][0]["merged_into"]) == (202, name)
    assert await _signals(alerted) == 4


async def _signals(gate: Gate) -> int:
    """Alarms in the history of the incident."""
    events = (await incident_rig.incident(gate.rig).fetch_history()).events
    told = (one.workflow_execution_signaled_event_attributes.signal_name for one in events)
    return [*told].count("alarm")


async def test_an_alert_that_went_out_opens_nothing(alerted: Gate) -> None:
    out = await by_bearer(alerted, "grafana", grouped(alerted.rig.service, status="resolved"))
    assert out.status_code == 202
    assert out.json()["alerts"][0]["ignored"]
    assert await incident_rig.state(alerted.rig) is None


async def test_a_thousand_replays_are_one_alarm(alerted: Gate) -> None:
    body = json.dumps(generic(alerted.rig.service)).encode()
    headers = signed(body)

    async def send() -> int:
        return (
            await alerted.http.post("/alerts/generic", content=body, headers=headers)
        ).status_code

    answers = [await asyncio.gather(*(send() for _ in range(100))) for _ in range(10)]
    told = [one for some in answers for one in some]
    assert (told.count(202), told.count(409)) == (1, 999)
    same = grouped(alerted.rig.service)
    for _ in range(50):
        assert (await by_bearer(alerted, "grafana", same)).status_code == 202
    assert await _signals(alerted) == 2


async def test_both_secrets_count_while_one_is_replaced(alerted: Gate) -> None:
    service = alerted.rig.service
    assert (await by_bearer(alerted, "grafana", grouped(service), NEXT)).status_code == 202
    assert (await _post(alerted, "generic", generic(service), secret=NEXT)).status_code == 202


async def test_the_secret_of_alerts_is_replaced_while_a_rollback_runs(
    client: Client, tmp_path: Path
) -> None:
    live: list[str] = [SECRET]
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 30}}
    async with (
        rig.rig(client, tmp_path, cached=1000, policy=policy) as made,
        _opened(made, lambda: live) as gate,
    ):
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        body, told = generic(made.service), []
        told.append(await _post(gate, "generic", body))
        live.append(NEXT)  # both count
        told.append(await _post(gate, "generic", body, ago_s=20))
        live.remove(SECRET)
        told.append(await _post(gate, "generic", body, ago_s=40))
        told.append(await _post(gate, "generic", body, ago_s=60, secret=NEXT))
        assert [one.status_code for one in told] == [202, 202, 401, 202]
        await made.approve(rollback)
        assert (await rollback.result()).result is Result.VERIFIED


async def test_what_is_not_proven_is_not_even_read(alerted: Gate) -> None:
    service = alerted.rig.service
    answers = [
        await by_bearer(alerted, "grafana", grouped(service), "another"),
        await by_bearer(alerted, "grafana", "not an alert", ""),
        await alerted.http.post("/alerts/alertmanager", json=grouped(service)),
        await _post(alerted, "generic", generic(service), secret=OTHER),
        await _post(alerted, "generic", generic(service), ago_s=301),
        await _post(alerted, "generic", generic(service), ago_s=-301),
        await alerted.http.post("/alerts/generic", json=generic(service)),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (401, "not-proven")
        assert answer.headers["www-authenticate"]
    assert await incident_rig.state(alerted.rig) is None


@pytest.mark.parametrize("header", ["Rollback-Id", "Rollback-Signature"])
async def test_a_header_that_stands_there_twice_is_no_proof(alerted: Gate, header: str) -> None:
    body = json.dumps(generic(alerted.rig.service)).encode()
    headers = [*signed(body).items()]
    headers.append((header, dict(headers)[header]))
    answer = await alerted.http.post("/alerts/generic", content=body, headers=headers)
    assert answer.status_code == 401


async def test_what_the_catalogue_does_not_know_is_refused(alerted: Gate) -> None:
    for labels in ({"service": "nobody"}, {"environment": "moon"}, {"alertname": "Watchdog"}):
        body = grouped(alerted.rig.service, **labels)
        answer = await by_bearer(alerted, "alertmanager", body)
        assert (answer.status_code, answer.json()["type"]) == (422, "unknown-alert")
    wrong = await by_bearer(alerted, "alertmanager", {"alerts": [{"status": "<script>"}]})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "not-understood")
    assert "script" not in wrong.text


async def test_a_source_without_a_secret_is_not_there(gate: Gate) -> None:
    for source in AlertSource:
        answer = await by_bearer(gate, source, grouped(gate.rig.service))
        assert (answer.status_code, answer.json()["type"]) == (404, "not-found")


async def test_an_alert_is_taken_only_where_every_door_is(alerted: Gate) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    for more, status in (
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
    ):
        answer = await alerted.http.post(
            "/alerts/grafana", json=grouped(alerted.rig.service), headers=headers | more
        )
        assert answer.status_code == status
