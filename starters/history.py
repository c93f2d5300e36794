"""The evidence of one rollback: Temporal's histories of it and of its services, as plain entries.

Payloads are read as the JSON that they are. One that a codec made unreadable stays empty, and the
report says `unknown` where it would have been used.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import NotRequired, TypedDict

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager.client.refusals import explained
from rollback_manager.report import Entry, Kind

LOCAL_ACTIVITY = "core_local_activity"
"""Name of the marker in which the SDK's core keeps the result of a local activity."""


class _Facts(TypedDict):
    """What an event says, before its time and place are added."""

    kind: Kind
    name: NotRequired[str]
    payload: NotRequired[str]
    of: NotRequired[int]
    attempt: NotRequired[int]
    identity: NotRequired[str]
    because: NotRequired[str]


async def entries(client: Client, rollback_id: str) -> tuple[Entry, ...]:
    """All that happened in a rollback and its services: the parent's entries, then each child's.

    NotFound when there is no such rollback. A child whose history is gone adds nothing: what its
    parent knows of it stays.
    """
    parent = await _history(client, rollback_id)
    found = list(parent)
    for child in parent:
        if child.kind is not Kind.CHILD_STARTED:
            continue
        try:
            found += await _history(client, child.name, json.loads(child.payload)["run_id"])
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise explained(error, child.name) from error
    return tuple(found)


async def _history(client: Client, workflow: str, run_id: str | None = None) -> tuple[Entry, ...]:
    handle = client.get_workflow_handle(workflow, run_id=run_id)
    try:
        history = await handle.fetch_history()
    except RPCError as error:
        if run_id is not None:
            raise
        raise explained(error, workflow) from error
    return decoded(workflow, history.run_id, history.events)


def decoded(workflow: str, run_id: str, events: Iterable[HistoryEvent]) -> tuple[Entry, ...]:
    """The entries of one history; events that only move Temporal's own work are left out."""
    known: dict[int, HistoryEvent] = {}
    found = []
    for event in events:
        known[event.event_id] = event
        facts = _workflow(event) or _activity(event, known) or _message(event, known)
        if facts is not None:
            at = event.event_time.ToDatetime(tzinfo=UTC)
            found.append(
                Entry(at=at, workflow=workflow, run_id=run_id, event=event.event_id, **facts)
            )
    return tuple(found)


def _workflow(event: HistoryEvent) -> _Facts | None:
    """Beginnings and ends of the workflow itself."""
    match event.WhichOneof("attributes"):
        case "workflow_execution_started_event_attributes":
            started = event.workflow_execution_started_event_attributes
            return {
                "kind": Kind.STARTED,
                "name": started.workflow_type.name,
                "payload": _first(started.input.payloads),
                "identity": started.identity,
            }
        case "workflow_execution_completed_event_attributes":
            completed = event.workflow_execution_completed_event_attributes
            return {"kind": Kind.COMPLETED, "payload": _first(completed.result.payloads)}
        case "workflow_execution_failed_event_attributes":
            failure = event.workflow_execution_failed_event_attributes.failure
            return {"kind": Kind.FAILED, "because": _reason(failure)}
        case "workflow_execution_timed_out_event_attributes":
            return {"kind": Kind.TIMED_OUT}
        case "workflow_execution_canceled_event_attributes":
            return {"kind": Kind.CANCELLED}
        case "workflow_execution_terminated_event_attributes":
            ended = event.workflow_execution_terminated_event_attributes
            return {"kind": Kind.TERMINATED, "because": ended.reason, "identity": ended.identity}
        case "workflow_execution_cancel_requested_event_attributes":
            asked = event.workflow_execution_cancel_requested_event_attributes
            sender = asked.external_workflow_execution.workflow_id or asked.identity
            return {"kind": Kind.CANCEL_REQUESTED, "because": asked.cause, "identity": sender}
        case _:
            return None


def _activity(event: HistoryEvent, known: Mapping[int, HistoryEvent]) -> _Facts | None:
    """Steps: activities of both kinds. A death of a worker shows as an attempt above 1."""
    match event.WhichOneof("attributes"):
        case "activity_task_scheduled_event_attributes":
            asked = event.activity_task_scheduled_event_attributes
            return {
                "kind": Kind.ACTIVITY_SCHEDULED,
                "name": asked.activity_type.name,
                "payload": _first(asked.input.payloads),
                "of": event.event_id,
            }
        case "activity_task_started_event_attributes":
            began = event.activity_task_started_event_attributes
            return {
                **_of_activity(Kind.ACTIVITY_STARTED, began.scheduled_event_id, known),
                "attempt": began.attempt,
                "identity": began.identity,
                "because": _reason(began.last_failure),
            }
        case "activity_task_completed_event_attributes":
            done = event.activity_task_completed_event_attributes
            return {
                **_of_activity(Kind.ACTIVITY_DONE, done.scheduled_event_id, known),
                "payload": _first(done.result.payloads),
            }
        case "activity_task_failed_event_attributes":
            failed = event.activity_task_failed_event_attributes
            return {
                **_of_activity(Kind.ACTIVITY_FAILED, failed.scheduled_event_id, known),
                "because": _reason(failed.failure),
            }
        case "activity_task_timed_out_event_attributes":
            late = event.activity_task_timed_out_event_attributes
            return {
                **_of_activity(Kind.ACTIVITY_TIMED_OUT, late.scheduled_event_id, known),
                "because": _reason(late.failure),
            }
        case "activity_task_canceled_event_attributes":
            scheduled = event.activity_task_canceled_event_attributes.scheduled_event_id
            return _of_activity(Kind.ACTIVITY_CANCELLED, scheduled, known)
        case "marker_recorded_event_attributes":
            return _local_activity(event)
        case _:
            return None


def _of_activity(kind: Kind, scheduled: int, known: Mapping[int, HistoryEvent]) -> _Facts:
    asked = known[scheduled].activity_task_scheduled_event_attributes
    return {"kind": kind, "name": asked.activity_type.name, "of": scheduled}


def _local_activity(event: HistoryEvent) -> _Facts | None:
    marker = event.marker_recorded_event_attributes
    if marker.marker_name != LOCAL_ACTIVITY:
        return None
    about = json.loads(_first(marker.details["data"].payloads) or "{}")
    return {
        "kind": Kind.LOCAL_ACTIVITY,
        "name": str(about.get("activity_type", "")),
        "attempt": int(about.get("attempt", 1)),
        "payload": _first(marker.details["result"].payloads),
        "because": _reason(marker.failure),
    }


def _message(event: HistoryEvent, known: Mapping[int, HistoryEvent]) -> _Facts | None:
    """What came from outside (signals, updates), timers and children."""
    match event.WhichOneof("attributes"):
        case "workflow_execution_signaled_event_attributes":
            signal = event.workflow_execution_signaled_event_attributes
            return {
                "kind": Kind.SIGNAL,
                "name": signal.signal_name,
                "payload": _first(signal.input.payloads),
                "identity": signal.external_workflow_execution.workflow_id or signal.identity,
            }
        case "workflow_execution_update_accepted_event_attributes":
            request = event.workflow_execution_update_accepted_event_attributes.accepted_request
            return {
                "kind": Kind.UPDATE_ACCEPTED,
                "name": request.input.name,
                "payload": _first(request.input.args.payloads),
                "identity": request.meta.identity,
            }
        case "workflow_execution_update_completed_event_attributes":
            answer = event.workflow_execution_update_completed_event_attributes
            asked = known[answer.accepted_event_id]
            accepted = asked.workflow_execution_update_accepted_event_attributes
            return {
                "kind": Kind.UPDATE_ANSWERED,
                "name": accepted.accepted_request.input.name,
                "payload": _first(answer.outcome.success.payloads),
                "of": answer.accepted_event_id,
                "because": _reason(answer.outcome.failure),
            }
        case "timer_started_event_attributes":
            return _timer(Kind.TIMER_STARTED, event.event_id, known)
        case "timer_fired_event_attributes":
            fired = event.timer_fired_event_attributes
            return _timer(Kind.TIMER_FIRED, fired.started_event_id, known)
        case "timer_canceled_event_attributes":
            over = event.timer_canceled_event_attributes
            return _timer(Kind.TIMER_CANCELLED, over.started_event_id, known)
        case "child_workflow_execution_started_event_attributes":
            child = event.child_workflow_execution_started_event_attributes.workflow_execution
            run = json.dumps({"run_id": child.run_id})
            return {"kind": Kind.CHILD_STARTED, "name": child.workflow_id, "payload": run}
        case "child_workflow_execution_completed_event_attributes":
            done = event.child_workflow_execution_completed_event_attributes
            return {
                "kind": Kind.CHILD_DONE,
                "name": done.workflow_execution.workflow_id,
                "payload": _first(done.result.payloads),
            }
        case _:
            return _lost_child(event)


def _timer(kind: Kind, started: int, known: Mapping[int, HistoryEvent]) -> _Facts:
    """Timers are named by the summary that the workflow gave them, if it did."""
    return {"kind": kind, "name": _summary(known[started]), "of": started}


def _summary(event: HistoryEvent) -> str:
    text = _text(event.user_metadata.summary)
    return str(json.loads(text)) if text else ""


def _lost_child(event: HistoryEvent) -> _Facts | None:
    """A child that ended without a result."""
    match event.WhichOneof("attributes"):
        case "child_workflow_execution_failed_event_attributes":
            failed = event.child_workflow_execution_failed_event_attributes
            child, because = failed.workflow_execution, _reason(failed.failure)
        case "child_workflow_execution_canceled_event_attributes":
            child = event.child_workflow_execution_canceled_event_attributes.workflow_execution
            because = "it was cancelled"
        case "child_workflow_execution_timed_out_event_attributes":
            child = event.child_workflow_execution_timed_out_event_attributes.workflow_execution
            because = "it timed out"
        case "child_workflow_execution_terminated_event_attributes":
            child = event.child_workflow_execution_terminated_event_attributes.workflow_execution
            because = "it was terminated"
        case _:
            return None
    return {"kind": Kind.CHILD_FAILED, "name": child.workflow_id, "because": because}


def _first(payloads: Iterable[Payload]) -> str:
    """Our messages have one argument each."""
    return next((_text(payload) for payload in payloads), "")


def _text(payload: Payload) -> str:
    is_json = payload.metadata.get("encoding", b"") == b"json/plain"
    return payload.data.decode() if is_json else ""


def _reason(failure: Failure) -> str:
    """The innermost message: an outer one often says only that an activity failed."""
    while failure.HasField("cause"):
        failure = failure.cause
    return failure.message[:300]
