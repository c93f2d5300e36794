"""A bad release is reported, seen and decided from a shell, on a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from activities import metrics, reconciler
from rollback_manager.contract import incident_id
from rollback_manager.incidents.incident_status import IncidentStatus
from rollback_manager.incidents.triggers import Source, TriggerKind
from tests import rig
from tests.commands import typed
from tests.rig import Rig
from workflows import incident as workflow_file

BROKEN = "feature_regression"
"""Of this one the table asks a person."""


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "POLL_S", 0.05)
    monkeypatch.setattr(metrics, "POLL_S", 0.05)


@pytest.fixture(autouse=True)
def soon_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alarms are collected for a moment only, and none comes late."""
    monkeypatch.setattr(workflow_file, "COLLECTED", timedelta(seconds=0.5))
    monkeypatch.setattr(workflow_file, "LATE", timedelta(seconds=0.1))


@pytest.fixture
async def split(client: Client, tmp_path: Path) -> AsyncIterator[Rig]:
    """v1 and v2 with half of the traffic each; v2 is not bad yet."""
    async with rig.rig(client, tmp_path, cached=1000, manned=False) as made:
        made.world.shares_now = {"v1": 50, "v2": 50}
        one = replace(made, decisions={"tier_up_without_evidence": False})
        async with one.worker():
            yield one
        with suppress(RPCError):  # it has ended
            handle = client.get_workflow_handle(incident_id("test", made.service, "v2"))
            await handle.terminate("the test is over")


async def opened(made: Rig, *more: str) -> tuple[int, dict[str, Any], str]:
    words = ("--trigger", BROKEN, "--reason", "checkout is broken", *more)
    return await typed(made, "incident", "open", made.service, "v2", *words)


async def test_what_a_person_reports_is_asked_decided_and_undone(split: Rig) -> None:
    code, document, _ = await opened(split, "--by", "anna")
    assert (code, document["asks"]) == (8, True), document
    (joined,) = document["status"]["incident"]["joined"]
    assert (joined["newest"]["source"], joined["newest"]["size"]) == ("client", None)
    assert joined["newest"]["words"] == "anna: checkout is broken"

    code, document, _ = await typed(split, "incident", "show", split.service, "v2")
    assert (code, document["asks"]) == (8, True)
    code, document, _ = await typed(split, "incident", "list", "--env", "test")
    named = incident_id("test", split.service, "v2")
    listed = {one["incident"]: one for one in document["incidents"]}
    assert (code, listed[named]["trigger"]) == (0, BROKEN)

    decide = ("incident", "decide", split.service, "v2", "rollback", "--reason", "it is ours")
    code, document, _ = await typed(split, *decide, "--by", "anna")
    assert (code, document["applied"]) == (0, True), document
    handle = split.client.get_workflow_handle(named)
    await handle.result()
    assert split.world.shares_now == {"v1": 100}

    code, document, _ = await typed(split, "incident", "show", split.service, "v2")
    assert (code, document["ended"]) == (0, "completed"), document
    assert document["status"]["incident"]["status"] == "resolved"
    code, document, talk = await typed(split, *decide)
    assert code == 7, "it has ended: nobody is asked"
    assert f"rollback-manager start {split.service}" in talk or document["error"] == "NotFound"


async def test_a_person_may_leave_it_to_be_watched(split: Rig) -> None:
    await opened(split)
    decide = ("incident", "decide", split.service, "v2")
    code, document, _ = await typed(split, *decide, "monitor", "--reason", "one customer only")
    assert (code, document["applied"]) == (0, True)
    async with asyncio.timeout(20):
        while (await shown(split))["status"]["incident"]["status"] != "monitoring":
            await asyncio.sleep(0.3)
    assert (await shown(split))["status"]["incident"]["resolution"] == "monitoring_continue"
    assert split.world.shares_now == {"v1": 50, "v2": 50}


async def shown(made: Rig) -> dict[str, Any]:
    code, document, _ = await typed(made, "incident", "show", made.service, "v2")
    assert code == 8, "it still takes evidence"
    return document


async def test_a_report_of_an_unknown_release_is_refused(split: Rig) -> None:
    words = ("--trigger", BROKEN, "--reason", "it is broken")
    code, document, talk = await typed(split, "incident", "open", split.service, "v9", *words)
    assert (code, document["ended"]) == (7, "completed"), document
    assert "unknown release" in talk


async def test_a_report_is_stored_while_no_worker_runs(client: Client, tmp_path: Path) -> None:
    async with rig.rig(client, tmp_path, cached=1000, manned=False) as made:
        code, document, talk = await opened(made, "--timeout", "1")
        assert (code, document["judged"]) == (8, False)
        assert document["incident"] == incident_id("test", made.service, "v2")
        await client.get_workflow_handle(document["incident"]).terminate("the test is over")
    assert "stored" not in talk, "not a bad end: told on stdout only"


async def test_what_cannot_be_meant_is_refused_in_three_parts(split: Rig) -> None:
    words = ("incident", "open", split.service, "v2")
    code, document, _ = await typed(split, *words, "--trigger", "errors", "--reason", "x")
    assert (code, document["error"]) == (2, "UsageError")
    assert all(kind in document["next_step"] for kind in TriggerKind)
    code, document, _ = await typed(split, *words, "--trigger", "business_drop", "--reason", "x")
    assert document["next_step"].startswith("Did you mean business_metric_drop? The eight: ")
    code, document, _ = await typed(split, *words, "--trigger", BROKEN, "--reason", " ")
    assert (code, document["effect"]) == (2, "Production is unchanged by this call.")
    code, document, _ = await typed(split, "incident", "show", split.service, "v7")
    assert (code, document["error"]) == (7, "NotFound")
    assert "incident list --env test" in document["next_step"]


@pytest.mark.long
async def test_each_of_the_eight_kinds_may_be_reported(split: Rig) -> None:
    for kind in TriggerKind:
        words = ("--trigger", str(kind), "--reason", f"seen: {kind}", "--timeout", "0")
        code, document, _ = await typed(split, "incident", "open", split.service, "v2", *words)
        assert "error" not in document, document
        assert code in (0, 8), "stored, or already asking"
    handle = split.client.get_workflow_handle(incident_id("test", split.service, "v2"))
    async with asyncio.timeout(60):
        while True:
            seen = await handle.query("status", result_type=IncidentStatus)
            if {one.newest.trigger for one in seen.incident.joined} == set(TriggerKind):
                break
            await asyncio.sleep(0.2)
    assert all(one.newest.source is Source.CLIENT for one in seen.incident.joined)
    assert split.world.shares_now == {"v1": 50, "v2": 50}, "a report alone moves nothing"
