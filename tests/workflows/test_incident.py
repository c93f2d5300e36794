"""A bad release is seen, judged and undone, and nobody has started anything."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from rollback_manager.client import Rollback
from rollback_manager.client.opened import opened
from rollback_manager.contract import INCIDENT_WORKFLOW, Decision, Vote
from rollback_manager.decision.facts import Action
from rollback_manager.decision.ledger import Entry
from rollback_manager.errors import Unreachable
from rollback_manager.incidents.incident import Resolution, Status
from rollback_manager.incidents.incident_status import IncidentOpening, IncidentStatus
from rollback_manager.incidents.triggers import Finding, TriggerKind
from rollback_manager.progress import State
from rollback_manager.release import Standing
from rollback_manager.rendering import html, markdown
from rollback_manager.report import build
from rollback_manager.watch.evidence_trace import Measure
from rollback_manager.watch.watching import Watch
from starters.history import entries
from tests import rig
from tests.incident_rig import (
    BY_ITSELF,
    PATIENCE_S,
    alarm,
    decide,
    end_budget,
    ended,
    give,
    incident,
    replay_incident,
    rollbacks,
    state,
    tell_well,
    until,
    watch_over,
)
from tests.rig import Rig
from tests.traces import trace
from workflows import incident as workflow_file

HALF = {"v1": 50, "v2": 50}


@pytest.fixture
async def split(client: Client, tmp_path: Path, cached: int) -> AsyncIterator[Rig]:
    """v1 and v2 with half of the traffic each; v2 is not bad yet."""
    async with rig.rig(client, tmp_path, cached=cached, manned=False) as made:
        made.world.shares_now = dict(HALF)
        one = replace(made, decisions=BY_ITSELF)
        await end_budget(client)
        async with one.worker():
            yield one


@pytest.fixture(autouse=True)
def soon_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test but those of late alarms waits for them."""
    monkeypatch.setattr(workflow_file, "LATE", timedelta(seconds=0.1))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alarms are collected for a moment only."""
    monkeypatch.setattr(workflow_file, "COLLECTED", timedelta(seconds=0.5))


@pytest.mark.parametrize("cached", [0])  # it takes long, and a replay is the harder way
async def test_a_release_that_breaks_is_seen_and_undone_by_itself_with_its_evidence_in_the_report(
    split: Rig,
) -> None:
    split.world.error_ratio = {"v2": 0.3}
    async with watch_over(split):
        seen = await ended(split)
    assert seen.incident.resolution is Resolution.ROLLBACK_SUCCESSFUL
    assert split.world.shares_now == {"v1": 100}
    assert seen.decision is not None
    assert seen.decision.action is Action.ROLLBACK
    assert seen.rollback
    await replay_incident(split)
    await the_report_shows_the_evidence(split, seen)


async def the_report_shows_the_evidence(split: Rig, seen: IncidentStatus) -> None:
    """From the watch through the incident to the rollback's own history, and from there alone."""
    report = build(await entries(split.client, seen.rollback))
    trace = report.request.trace
    assert trace == seen.trace
    assert (trace.new, trace.old, trace.measure) == ("v2", "v1", Measure.FAILED)
    evidence = [point.evidence for point in trace.points]
    assert evidence == sorted(evidence), "it rises"
    assert evidence[-1] >= 1, "and crosses the threshold"
    assert sum(one.new.hits for one in trace.points) > sum(one.old.hits for one in trace.points)
    for page in (html.report(report), markdown.report(report)):
        assert "Evidence until the alarm" in page
    assert "<title>evidence against v2 until the alarm</title>" in html.report(report)
    history = await split.client.get_workflow_handle(seen.rollback).fetch_history()
    assert len(history.events[0].SerializeToString()) < 10_000


@pytest.mark.parametrize("cached", [0])  # it takes long, and a replay is the harder way
async def test_a_healthy_release_is_left_alone(split: Rig) -> None:
    split.world.error_ratio = {"v1": 0.01, "v2": 0.012}
    async with watch_over(split) as watch:
        await asyncio.sleep(5)
        seen: Watch = await watch.query("watched", result_type=Watch)
        length = (await watch.describe()).history_length
    assert [(one.version, one.beside) for one in seen.releases] == [("v2", "v1")]
    assert split.world.shares_now == HALF
    assert await state(split) is None, "no incident was opened"
    assert length < 20, "looks leave nothing in history"
    await rig.replayer().replay_workflow(await watch.fetch_history())


async def test_many_alarms_are_one_incident_and_one_rollback(split: Rig) -> None:
    split.world.error_ratio = {"v2": 0.3}
    await asyncio.gather(*(give(split, alarm(split)) for _ in range(50)))
    seen = await ended(split)
    assert seen.incident.status is Status.RESOLVED
    assert len(await rollbacks(split)) == 1
    await replay_incident(split)


@pytest.mark.parametrize("cached", [0])  # it takes long, and a replay is the harder way
async def test_alarms_just_after_the_end_join_and_open_no_other_incident(
    split: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_file, "LATE", timedelta(seconds=5))
    split.world.error_ratio = {"v2": 0.3}
    await give(split, alarm(split))
    first = await until(split, Status.RESOLVED)
    for _ in range(3):
        await give(split, alarm(split))
    late = alarm(split, trigger=TriggerKind.FEATURE_REGRESSION, size=None)
    await give(split, late)
    shown = await until(split, Status.RESOLVED, alarms=5)
    seen = await ended(split)
    assert seen == shown
    assert (seen.because, seen.rollback) == (first.because, first.rollback)
    assert len(seen.incident.joined) == 2
    assert len(await rollbacks(split)) == 1
    await replay_incident(split)


async def test_good_news_opens_no_incident(split: Rig) -> None:
    await tell_well(split, alarm(split, finding=Finding.FINE))
    with pytest.raises(RPCError, match="not found"):
        await incident(split).describe()


async def test_what_nothing_is_known_of_asks_a_person_whose_word_is_followed(
    split: Rig, quick: None
) -> None:
    unknown = {
        "trigger": TriggerKind.PERFORMANCE_REGRESSION,
        "finding": Finding.CANNOT_TELL,
        "nats": 0.0,
    }
    await give(split, alarm(split, None, **unknown))
    asked = await until(split, Status.DECISION_MADE)
    assert asked.decision is not None
    assert asked.decision.action is Action.MANUAL_REVIEW
    assert asked.incident.alarms == 0
    await give(split, alarm(split, None, **unknown))
    await asyncio.sleep(2)
    assert split.world.shares_now == HALF, "nothing happens by itself"
    assert (await until(split, Status.DECISION_MADE)).rollback == ""
    await decide(split, Action.ROLLBACK)
    seen = await ended(split)
    assert seen.incident.resolution is Resolution.ROLLBACK_SUCCESSFUL
    assert split.world.shares_now == {"v1": 100}
    await replay_incident(split)


async def test_a_stale_alarm_is_refused_with_the_reason(split: Rig) -> None:
    await give(split, alarm(split, fired_at=datetime(2026, 1, 1, tzinfo=UTC)))
    seen = await ended(split)
    assert "it fired" in seen.because
    assert split.world.shares_now == HALF
    await replay_incident(split)


async def test_one_that_nothing_is_said_to_ends_by_itself(
    split: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_file, "A_MINUTE", timedelta(seconds=0.5))
    await split.client.start_workflow(
        INCIDENT_WORKFLOW,
        IncidentOpening(env="test", service=split.service, version="v2"),
        id=incident(split).id,
        task_queue=split.settings.task_queue,
    )
    assert (await ended(split)).because == "no alarm came"


async def test_a_person_is_asked_where_the_trigger_asks_for_one(split: Rig) -> None:
    await give(split, alarm(split, trigger=TriggerKind.FEATURE_REGRESSION, size=None))
    seen = await until(split, Status.DECISION_MADE)
    assert seen.decision is not None
    assert seen.decision.action is Action.MANUAL_REVIEW
    await decide(split, Action.ROLLBACK)
    assert (await ended(split)).incident.status is Status.RESOLVED
    assert split.world.shares_now == {"v1": 100}
    await replay_incident(split)


async def test_no_signal_without_sense_wedges_an_incident(split: Rig) -> None:
    await give(split, alarm(split, trigger=TriggerKind.FEATURE_REGRESSION, size=None))
    await until(split, Status.DECISION_MADE)
    senseless: list[list[object]] = [[], [None], [b"\x00"]]
    for words in senseless:
        for name in ("alarm", "decide"):
            await incident(split).signal(name, args=words)
    await decide(split, Action.ROLLBACK)
    assert (await ended(split)).incident.status is Status.RESOLVED


async def test_what_a_person_said_is_not_overridden_by_the_next_alarm_and_can_be_changed(
    split: Rig, quick: None
) -> None:
    await give(split, alarm(split, trigger=TriggerKind.FEATURE_REGRESSION, size=None))
    await until(split, Status.DECISION_MADE)
    await decide(split, Action.MONITOR)
    await until(split, Status.MONITORING)
    await give(split, alarm(split))  # by itself this would be a rollback
    await asyncio.sleep(3)
    seen = await until(split, Status.MONITORING)
    assert seen.incident.alarms == 2, "it joined"
    assert split.world.shares_now == HALF
    await decide(split, Action.ROLLBACK)  # from "monitoring", which no plan follows directly
    assert (await ended(split)).incident.status is Status.RESOLVED
    await replay_incident(split)


@pytest.mark.parametrize("cached", [0])  # it takes long, and a replay is the harder way
async def test_a_rollback_that_a_person_rejects_is_not_asked_for_again(
    split: Rig, quick: None
) -> None:
    await give(split, alarm(split, size=0.02))  # shown, and smaller than the limit
    await until(split, Status.PLANNED)
    rollback = await _waiting(split)
    digest = (await rollback.status()).digest
    await rollback.vote(Decision.REJECT, Vote(plan=digest, by="anna"), vote_id="1")
    await until(split, Status.DECISION_MADE)
    await give(split, alarm(split))
    await asyncio.sleep(3)
    seen = await until(split, Status.DECISION_MADE)
    assert seen.because.startswith("rejected")
    assert len(await rollbacks(split)) == 1
    assert split.world.shares_now == HALF


async def test_a_rollback_that_is_terminated_leaves_the_incident_to_people(
    split: Rig, quick: None
) -> None:
    await give(split, alarm(split, size=0.02))
    await until(split, Status.PLANNED)
    rollback = await _waiting(split)
    await split.client.get_workflow_handle(rollback.id).terminate()
    seen = await until(split, Status.ERROR)
    assert rollback.id in seen.because
    await give(split, alarm(split))
    await asyncio.sleep(2)
    assert len(await rollbacks(split)) == 1
    assert (await until(split, Status.ERROR)).incident.alarms == 2
    await replay_incident(split)


async def test_a_release_that_is_replaced_meanwhile_ends_its_incident(
    split: Rig, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.setattr(workflow_file, "QUIET", timedelta(seconds=1))
    await give(split, alarm(split, trigger=TriggerKind.FEATURE_REGRESSION, size=None))
    await until(split, Status.DECISION_MADE)
    split.world.shares_now = {"v1": 100}
    seen = await ended(split)
    assert seen.because == "v2 has no traffic any more"
    await replay_incident(split)


async def test_a_blocked_rollback_leaves_the_decision_to_be_made_again(
    split: Rig, quick: None
) -> None:
    split.records.mark_release("test", split.service, "v1", Standing.CANDIDATE, "", None)
    await give(split, alarm(split, trigger=TriggerKind.FEATURE_REGRESSION, size=None))
    await until(split, Status.DECISION_MADE)
    await decide(split, Action.ROLLBACK)
    await _so_many(split, 1)
    seen = await until(split, Status.DECISION_MADE)
    assert seen.because.startswith("blocked")


async def test_it_goes_on_as_new_and_forgets_nothing(
    split: Rig, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.setattr(workflow_file, "is_long", lambda: True)
    first_alarm = alarm(split, trigger=TriggerKind.FEATURE_REGRESSION, size=None)
    rose = trace(first_alarm.evidence.fired_at)
    lit = {"seen": first_alarm.seen.model_copy(update={"trace": rose})}
    await give(split, first_alarm.model_copy(update=lit))
    await until(split, Status.DECISION_MADE)
    await give(split, alarm(split, trigger=TriggerKind.FEATURE_REGRESSION, size=None))
    first = (await incident(split).describe()).raw_description.workflow_execution_info.first_run_id
    async with asyncio.timeout(PATIENCE_S):
        while (await incident(split).describe()).run_id == first:
            await asyncio.sleep(0.1)
    monkeypatch.setattr(workflow_file, "is_long", lambda: False)
    seen = await until(split, Status.DECISION_MADE, alarms=2)
    assert seen.decision is not None
    assert seen.trace == rose
    first_event = (await incident(split).fetch_history()).events[0]
    begun = (await opened(split.client, first_event)).SerializeToString()
    assert begun.count(b'"test":"error_ratio"') == 1, "carried on once"
    await decide(split, Action.ROLLBACK)
    assert (await ended(split)).incident.resolution is Resolution.ROLLBACK_SUCCESSFUL


async def test_alarms_are_judged_once_the_proxy_answers_again(split: Rig) -> None:
    """What is judged by then is not older than it may be."""
    target, calls = split.world.shares, []

    def away() -> Any:
        calls.append(0)
        if len(calls) < 4:
            raise Unreachable("Envoy does not answer")
        return target()

    split.world.shares = away  # type: ignore[method-assign]
    await give(split, alarm(split))
    assert (await ended(split)).incident.status is Status.RESOLVED


async def test_a_judgement_whose_answer_was_lost_is_one_in_the_ledger(
    split: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was kept, and Temporal had it tried again."""
    keep, tries = split.records.keep_decision, list[Entry]()

    def lost(env: str, service: str, entry: Entry) -> None:
        keep(env, service, entry)
        tries.append(entry)
        if len(tries) == 1:
            raise Unreachable("the connection ended before the answer came")

    monkeypatch.setattr(split.records, "keep_decision", lost)
    await give(split, alarm(split))
    assert (await ended(split)).incident.status is Status.RESOLVED
    assert len(tries) == 2
    assert split.records.decisions("test", split.service) == tries[1:]


async def _waiting(made: Rig) -> Rollback:
    """The incident's rollback, once it waits for a person."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await rollbacks(made)):
            await asyncio.sleep(0.1)
    rollback = made.rollbacks.rollback(found[0])
    await made.until(rollback, State.WAITING_FOR_APPROVAL)
    return rollback


async def _so_many(made: Rig, wanted: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(await rollbacks(made)) < wanted:
            await asyncio.sleep(0.1)
