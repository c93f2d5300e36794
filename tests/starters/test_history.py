"""Histories are decoded to entries: event by event, and a whole rollback from a real server."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio import activity
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from activities.judgement import Conclusion, JudgementActivities
from activities.records import Claimed, Closing, Observed, Opening, Question
from activities.step import Step
from rollback_manager.client import RollbackClient
from rollback_manager.contract import (
    SEARCH_ATTRIBUTES,
    TASK_QUEUE,
    Decision,
    Planned,
    RollbackRequest,
    Vote,
)
from rollback_manager.errors import NotFound, Unreachable
from rollback_manager.fleet.budget import Ask
from rollback_manager.progress import Found, RollbackOutcome, StepRecord, StepState
from rollback_manager.report import Entry, Kind, build
from starters.history import EVENTS, decoded, entries
from tests import builders as b
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer
from workers.unversioned import UnversionedRunner
from workflows.rollback import RollbackWorkflow
from workflows.service_rollback import ServiceRollbackWorkflow


def test_a_message_comes_with_its_json_and_its_sender() -> None:
    signal = _event(3, "workflow_execution_signaled", {
        "signal_name": "abort", "input": _payloads('{"by": "x"}'), "identity": "cli",
    })  # fmt: skip
    (entry,) = decoded("w", "r", [signal])
    assert (entry.kind, entry.name, entry.payload) == (Kind.SIGNAL, "abort", '{"by": "x"}')
    assert (entry.identity, entry.source, entry.at.isoformat()) == (
        "cli",
        "w #3",
        "2026-03-01T14:00:03+00:00",
    )


def test_a_signal_of_another_workflow_names_that_workflow() -> None:
    signal = _event(3, "workflow_execution_signaled", {
        "signal_name": "go", "identity": "history-service",
        "external_workflow_execution": {"workflow_id": "rollback/demo/k"},
    })  # fmt: skip
    assert decoded("w", "r", [signal])[0].identity == "rollback/demo/k"


def test_an_activity_tells_its_attempt_and_how_the_one_before_ended() -> None:
    found = decoded("w", "r", _activity(attempt=2, last="activity Heartbeat timeout"))
    assert [entry.kind for entry in found] == [
        Kind.ACTIVITY_SCHEDULED, Kind.ACTIVITY_STARTED, Kind.ACTIVITY_DONE,
    ]  # fmt: skip
    assert {entry.name for entry in found} == {"redirect_traffic"}
    assert {entry.of for entry in found} == {5}
    started = found[1]
    assert (started.attempt, started.because) == (2, "activity Heartbeat timeout")
    assert (started.identity, found[2].payload) == ("7@worker", '{"state": "done"}')


def test_a_local_activity_is_read_from_its_marker() -> None:
    marker = _event(8, "marker_recorded", {
        "marker_name": "core_local_activity",
        "details": {
            "data": _payloads('{"activity_type": "plan_rollback", "attempt": 2}'),
            "result": _payloads('{"plan": null}'),
        },
    })  # fmt: skip
    (entry,) = decoded("w", "r", [marker])
    assert (entry.kind, entry.name, entry.attempt, entry.payload) == (
        Kind.LOCAL_ACTIVITY,
        "plan_rollback",
        2,
        '{"plan": null}',
    )


def test_markers_of_others_are_left_out() -> None:
    assert decoded("w", "r", [_event(8, "marker_recorded", {"marker_name": "Version"})]) == ()


def test_an_answer_belongs_to_its_update() -> None:
    accepted = _event(6, "workflow_execution_update_accepted", {
        "accepted_request": {
            "input": {"name": "approve", "args": _payloads('{"by": "x"}')},
            "meta": {"identity": "ui"},
        },
    })  # fmt: skip
    answered = _event(7, "workflow_execution_update_completed", {
        "accepted_event_id": 6, "outcome": {"success": _payloads('{"applied": true}')},
    })  # fmt: skip
    first, second = decoded("w", "r", [accepted, answered])
    assert (first.kind, first.name, first.identity) == (Kind.UPDATE_ACCEPTED, "approve", "ui")
    assert (second.name, second.of, second.payload) == ("approve", 6, '{"applied": true}')


def test_a_timer_is_called_what_the_workflow_called_it() -> None:
    started = _event(2, "timer_started", {"timer_id": "1"})
    started.user_metadata.summary.CopyFrom(_payload('"approval until 14:15:00Z"'))
    fired = _event(3, "timer_fired", {"started_event_id": 2})
    nameless = _event(4, "timer_started", {"timer_id": "2"})
    over = _event(5, "timer_canceled", {"started_event_id": 4})
    names = [entry.name for entry in decoded("w", "r", [started, fired, nameless, over])]
    assert names == ["approval until 14:15:00Z"] * 2 + ["", ""]


@pytest.mark.parametrize(
    ("name", "facts", "kind", "because"),
    [
        ("workflow_execution_failed", {"failure": "x"}, Kind.FAILED, "the cause"),
        ("workflow_execution_timed_out", {}, Kind.TIMED_OUT, ""),
        ("workflow_execution_canceled", {}, Kind.CANCELLED, ""),
        ("workflow_execution_terminated", {"reason": "mistake"}, Kind.TERMINATED, "mistake"),
        ("workflow_execution_cancel_requested", {"cause": "ui"}, Kind.CANCEL_REQUESTED, "ui"),
        ("child_workflow_execution_failed", {"failure": "x"}, Kind.CHILD_FAILED, "the cause"),
        ("child_workflow_execution_canceled", {}, Kind.CHILD_FAILED, "it was cancelled"),
        ("child_workflow_execution_timed_out", {}, Kind.CHILD_FAILED, "it timed out"),
        ("child_workflow_execution_terminated", {}, Kind.CHILD_FAILED, "it was terminated"),
    ],
)
def test_an_end_comes_with_its_innermost_reason(
    name: str, facts: dict[str, object], kind: Kind, because: str
) -> None:
    if "failure" in facts:
        facts = {"failure": Failure(message="outer", cause=Failure(message="the cause"))}
    (entry,) = decoded("w", "r", [_event(9, name, facts)])
    assert (entry.kind, entry.because) == (kind, because)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("activity_task_failed", Kind.ACTIVITY_FAILED),
        ("activity_task_timed_out", Kind.ACTIVITY_TIMED_OUT),
        ("activity_task_canceled", Kind.ACTIVITY_CANCELLED),
    ],
)
def test_an_activity_that_did_not_succeed_says_how(name: str, kind: Kind) -> None:
    events = [_activity()[0], _event(7, name, {"scheduled_event_id": 5})]
    assert decoded("w", "r", events)[-1].kind is kind


def test_what_a_codec_made_unreadable_stays_empty() -> None:
    secret = Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\xff\x00")
    completed = _event(4, "workflow_execution_completed", {"result": Payloads(payloads=[secret])})
    assert decoded("w", "r", [completed])[0].payload == ""


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_keeps_what_we_read_where_we_look_for_it(name: str) -> None:
    first = _event(0, "activity_task_scheduled", {"activity_type": {"name": "drain"}})
    (*_, entry) = decoded("w", "r", [first, _event(1, name, {})])
    assert entry.kind is EVENTS[name].kind


async def test_children_are_read_by_the_run_that_the_parent_started() -> None:
    child = {"workflow_id": "service/demo/shop", "run_id": "run-2"}
    server = _Server({
        ("rollback/demo/k", None): [
            _event(1, "workflow_execution_started", {"identity": "cli"}),
            _event(2, "child_workflow_execution_started", {"workflow_execution": child}),
            _event(3, "child_workflow_execution_completed", {"workflow_execution": child}),
        ],
        ("service/demo/shop", "run-2"): [_event(1, "workflow_execution_started", {})],
    })  # fmt: skip
    found = await entries(server, "rollback/demo/k")
    assert [(entry.workflow, entry.kind) for entry in found] == [
        ("rollback/demo/k", Kind.STARTED),
        ("rollback/demo/k", Kind.CHILD_STARTED),
        ("rollback/demo/k", Kind.CHILD_DONE),
        ("service/demo/shop", Kind.STARTED),
    ]


async def test_a_child_whose_history_is_gone_adds_nothing() -> None:
    child = {"workflow_id": "service/demo/shop", "run_id": "run-2"}
    begun = _event(2, "child_workflow_execution_started", {"workflow_execution": child})
    started = _event(1, "workflow_execution_started", {})
    server = _Server({("rollback/demo/k", None): [started, begun]})
    assert len(await entries(server, "rollback/demo/k")) == 2


async def test_no_such_rollback_and_no_server_are_told_apart() -> None:
    with pytest.raises(NotFound):
        await entries(_Server({}), "rollback/demo/k")
    with pytest.raises(Unreachable):
        await entries(_Server({}, RPCStatusCode.UNAVAILABLE), "rollback/demo/k")
    child = {"workflow_id": "service/demo/shop", "run_id": "run-2"}
    begun = _event(2, "child_workflow_execution_started", {"workflow_execution": child})
    started = _event(1, "workflow_execution_started", {})
    silent = _Server({("rollback/demo/k", None): [started, begun]}, RPCStatusCode.UNAVAILABLE)
    with pytest.raises(Unreachable):
        await entries(silent, "rollback/demo/k")


async def test_a_rollback_of_our_workflows_is_read_from_a_real_server(tmp_path: Path) -> None:
    binary = (await find_binary(print)).path
    server = TemporalServer(
        binary, None, None, None, tmp_path / "log", search_attributes=SEARCH_ATTRIBUTES
    )
    async with server:
        client = await Client.connect(server.address, data_converter=pydantic_data_converter)
        worker = Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=[RollbackWorkflow, ServiceRollbackWorkflow],
            activities=ACTIVITIES,
            workflow_runner=UnversionedRunner(),
        )
        async with worker:
            report = build(await _rolled_back(client))
    (part,) = report.services
    assert [step.name for step in part.steps] == [step.kind for step in b.steps()]
    assert [step.state for step in part.steps] == [StepState.DONE] * 5
    assert (part.steps[0].record and part.steps[0].record.observed) == "2 of 2 ready"
    assert (part.steps[1].attempts, part.steps[1].earlier) == (2, "the worker died")
    assert part.points[-1].ready == {b.OLD: 2, b.NEW: 0}
    assert report.decisions[0].counted.startswith("counted for plan")
    assert report.decided_at == report.decisions[0].at
    assert report.ended is Kind.COMPLETED
    assert report.digest == b.plan().digest


async def _rolled_back(client: Client) -> tuple[Entry, ...]:
    rollback = await RollbackClient(client).start(b.request())
    vote = Vote(plan=b.plan().digest, by="operator-b")
    answer = await rollback.vote(Decision.APPROVE, vote, vote_id="vote-1")
    while not answer.applied:  # until the plan is there, nothing waits for an approval
        await asyncio.sleep(0.05)
        answer = await rollback.vote(Decision.APPROVE, vote, vote_id="vote-1")
    await rollback.result()
    return await entries(client, rollback.id)


@activity.defn
async def plan_rollback(request: RollbackRequest) -> Planned:
    return Planned(plan=b.plan())


@activity.defn
async def ask_budget(ask: Ask) -> None:
    pass


@activity.defn
async def claim(opening: Opening) -> Claimed:
    return Claimed(epoch=1)


@activity.defn
async def observe(question: Question) -> Observed:
    found = Found(shares={b.OLD: 100}, ready={b.OLD: 2})
    return Observed(found=found, capacity="2 of 2 ready" if question.capacity else "")


@activity.defn
async def close_service(closing: Closing) -> None:
    pass


@activity.defn
async def redirect_traffic(step: Step) -> StepRecord:
    if activity.info().attempt == 1:
        raise RuntimeError("the worker died")
    return b.steps()[1]


@activity.defn
async def drain(step: Step) -> StepRecord:
    return b.steps()[2]


@activity.defn
async def verify(step: Step) -> StepRecord:
    return b.steps()[3]


@activity.defn
async def clean_up(step: Step) -> StepRecord:
    return b.steps()[4]


@activity.defn
async def conclude(conclusion: Conclusion) -> RollbackOutcome:
    return JudgementActivities().conclude(conclusion)


ACTIVITIES: list[Callable[..., object]] = [
    plan_rollback,
    ask_budget,
    claim,
    observe,
    close_service,
    redirect_traffic,
    drain,
    verify,
    clean_up,
    conclude,
]
"""Of the names that our workflows call, each with an answer that is known beforehand."""


class _Server(Client):
    """A client whose server knows these histories and nothing else."""

    data_converter = pydantic_data_converter

    def __init__(
        self,
        histories: Mapping[tuple[str, str | None], list[HistoryEvent]],
        otherwise: RPCStatusCode = RPCStatusCode.NOT_FOUND,
    ) -> None:
        self._config = {"data_converter": pydantic_data_converter}  # type: ignore[typeddict-item]
        self._histories = histories
        self._otherwise = otherwise

    def get_workflow_handle(  # type: ignore[override] # as much of it as is used
        self, workflow_id: str, *, run_id: str | None = None
    ) -> "_Handle":
        return _Handle(self, workflow_id, run_id)

    def history(self, workflow: str, run_id: str | None) -> WorkflowHistory:
        if (workflow, run_id) not in self._histories:
            raise RPCError("gone", self._otherwise, b"")
        return WorkflowHistory(workflow, self._histories[workflow, run_id])


class _Handle:
    def __init__(self, server: _Server, workflow: str, run_id: str | None) -> None:
        self._server, self._workflow, self._run_id = server, workflow, run_id

    async def fetch_history(self) -> WorkflowHistory:
        return self._server.history(self._workflow, self._run_id)


def _activity(attempt: int = 1, last: str = "") -> list[HistoryEvent]:
    failure = {"last_failure": Failure(message=last)} if last else {}
    return [
        _event(5, "activity_task_scheduled", {"activity_type": {"name": "redirect_traffic"}}),
        _event(6, "activity_task_started", {
            "scheduled_event_id": 5, "attempt": attempt, "identity": "7@worker", **failure,
        }),
        _event(7, "activity_task_completed", {
            "scheduled_event_id": 5, "result": _payloads('{"state": "done"}'),
        }),
    ]  # fmt: skip


def _event(number: int, name: str, facts: Mapping[str, object]) -> HistoryEvent:
    at = Timestamp()
    at.FromJsonString(f"2026-03-01T14:00:{number:02}Z")
    return HistoryEvent(
        event_id=number, event_time=at, **{f"{name}_event_attributes": facts}  # type: ignore[arg-type] # by name
    )  # fmt: skip


def _payloads(text: str) -> Payloads:
    return Payloads(payloads=[_payload(text)])


def _payload(text: str) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=text.encode())
