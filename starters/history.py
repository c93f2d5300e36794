"""The evidence of one rollback: Temporal's histories of it and of its services, as plain entries.

Payloads are read as the JSON that they are, decrypted where this process has the keys. One that
stays unreadable is empty, and the report says `unknown` where it would have been used.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC
from operator import attrgetter
from typing import NamedTuple, NotRequired, TypedDict

from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager.client.opened import opened
from rollback_manager.client.refusals import explained
from rollback_manager.report import Entry, Kind

LOCAL_ACTIVITY = "core_local_activity"
"""Name of the marker in which the SDK's core keeps the result of a local activity."""


class _Said(TypedDict):
    """What an event says, before its time and place are added."""

    kind: Kind
    name: str
    payload: str
    of: NotRequired[int]
    attempt: int
    identity: NotRequired[str]
    because: str


class Where(NamedTuple):
    """What an event is to us, and under which names it keeps the rest.

    name: without one it is the name of what began it (`of`), or the event's summary.
    identity: the first that is not empty. otherwise: why, where the event gives no reason.
    """

    kind: Kind
    name: str = ""
    payload: str = ""
    of: str = ""
    identity: tuple[str, ...] = ()
    because: str = ""
    otherwise: str = ""


SENDER = ("external_workflow_execution.workflow_id", "identity")
ACTIVITY = "scheduled_event_id"
TIMER = "started_event_id"
CHILD = "workflow_execution.workflow_id"
EVENTS = {
    "workflow_execution_started": Where(
        Kind.STARTED, name="workflow_type.name", payload="input", identity=("identity",)
    ),
    "workflow_execution_completed": Where(Kind.COMPLETED, payload="result"),
    "workflow_execution_failed": Where(Kind.FAILED, because="failure"),
    "workflow_execution_timed_out": Where(Kind.TIMED_OUT),
    "workflow_execution_canceled": Where(Kind.CANCELLED),
    "workflow_execution_terminated": Where(
        Kind.TERMINATED, because="reason", identity=("identity",)
    ),
    "workflow_execution_cancel_requested": Where(
        Kind.CANCEL_REQUESTED, because="cause", identity=SENDER
    ),
    "workflow_execution_signaled": Where(
        Kind.SIGNAL, name="signal_name", payload="input", identity=SENDER
    ),
    "workflow_execution_update_accepted": Where(
        Kind.UPDATE_ACCEPTED,
        name="accepted_request.input.name",
        payload="accepted_request.input.args",
        identity=("accepted_request.meta.identity",),
    ),
    "workflow_execution_update_completed": Where(
        Kind.UPDATE_ANSWERED,
        of="accepted_event_id",
        payload="outcome.success",
        because="outcome.failure",
    ),
    "activity_task_scheduled": Where(
        Kind.ACTIVITY_SCHEDULED, name="activity_type.name", payload="input"
    ),
    "activity_task_started": Where(
        Kind.ACTIVITY_STARTED, of=ACTIVITY, because="last_failure", identity=("identity",)
    ),
    "activity_task_completed": Where(Kind.ACTIVITY_DONE, of=ACTIVITY, payload="result"),
    "activity_task_failed": Where(Kind.ACTIVITY_FAILED, of=ACTIVITY, because="failure"),
    "activity_task_timed_out": Where(Kind.ACTIVITY_TIMED_OUT, of=ACTIVITY, because="failure"),
    "activity_task_canceled": Where(Kind.ACTIVITY_CANCELLED, of=ACTIVITY),
    "timer_started": Where(Kind.TIMER_STARTED),
    "timer_fired": Where(Kind.TIMER_FIRED, of=TIMER),
    "timer_canceled": Where(Kind.TIMER_CANCELLED, of=TIMER),
    "child_workflow_execution_started": Where(
        Kind.CHILD_STARTED, name=CHILD, payload="workflow_execution"
    ),
    "child_workflow_execution_completed": Where(Kind.CHILD_DONE, name=CHILD, payload="result"),
    "child_workflow_execution_failed": Where(Kind.CHILD_FAILED, name=CHILD, because="failure"),
    "child_workflow_execution_canceled": Where(
        Kind.CHILD_FAILED, name=CHILD, otherwise="it was cancelled"
    ),
    "child_workflow_execution_timed_out": Where(
        Kind.CHILD_FAILED, name=CHILD, otherwise="it timed out"
    ),
    "child_workflow_execution_terminated": Where(
        Kind.CHILD_FAILED, name=CHILD, otherwise="it was terminated"
    ),
}
"""Temporal's names of events → what we read in them. What only moves its own work is left out."""


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


async def of_one(client: Client, rollback_id: str) -> tuple[Entry, ...]:
    """What happened in the rollback itself, without its services: one history to read.

    NotFound when there is no such rollback.
    """
    return await _history(client, rollback_id)


async def _history(client: Client, workflow: str, run_id: str | None = None) -> tuple[Entry, ...]:
    handle = client.get_workflow_handle(workflow, run_id=run_id)
    try:
        history = await handle.fetch_history()
    except RPCError as error:
        if run_id is not None:
            raise
        raise explained(error, workflow) from error
    events = [await opened(client, event) for event in history.events]
    return decoded(workflow, history.run_id, events)


def decoded(workflow: str, run_id: str, events: Iterable[HistoryEvent]) -> tuple[Entry, ...]:
    """The entries of one history; events that only move Temporal's own work are left out."""
    known: dict[int, HistoryEvent] = {}
    found = []
    for event in events:
        known[event.event_id] = event
        at, number = event.event_time.ToDatetime(tzinfo=UTC), event.event_id
        said = _local_activity(event) or _said(event, known)
        if said is not None:
            found.append(Entry(at=at, workflow=workflow, run_id=run_id, event=number, **said))
    return tuple(found)


def _said(event: HistoryEvent, known: Mapping[int, HistoryEvent]) -> _Said | None:
    where = EVENTS.get(_name(event))
    if where is None:
        return None
    return {
        "kind": where.kind,
        "name": _called(event, where, known),
        "payload": _text(event, where.payload),
        "of": _began(event, where),
        "attempt": event.activity_task_started_event_attributes.attempt or 1,
        "identity": next(filter(None, (_text(event, path) for path in where.identity)), ""),
        "because": _text(event, where.because) or where.otherwise,
    }


def _local_activity(event: HistoryEvent) -> _Said | None:
    """A short activity: the SDK's core keeps it in a marker, in a form of its own."""
    marker = event.marker_recorded_event_attributes
    if marker.marker_name != LOCAL_ACTIVITY:
        return None
    about = json.loads(_first(marker.details["data"]) or "{}")
    return {
        "kind": Kind.LOCAL_ACTIVITY,
        "name": str(about.get("activity_type", "")),
        "attempt": int(about.get("attempt", 1)),
        "payload": _first(marker.details["result"]),
        "because": _reason(marker.failure),
    }


def _called(event: HistoryEvent, where: Where, known: Mapping[int, HistoryEvent]) -> str:
    if where.of:
        began = known[_began(event, where)]
        return _called(began, EVENTS[_name(began)], known)
    return _text(event, where.name) if where.name else _summary(event)


def _began(event: HistoryEvent, where: Where) -> int:
    """Number of the event that began this one; an activity's first is of it, too."""
    if where.of:
        number: int = attrgetter(_path(event, where.of))(event)
        return number
    return event.event_id if where.kind is Kind.ACTIVITY_SCHEDULED else 0


def _text(event: HistoryEvent, path: str) -> str:
    """What the event keeps there, as text."""
    match attrgetter(_path(event, path))(event) if path else "":
        case Payloads() as payloads:
            return _first(payloads)
        case Failure() as failure:
            return _reason(failure)
        case WorkflowExecution() as child:
            return json.dumps({"run_id": child.run_id})
        case text:
            return str(text)


def _name(event: HistoryEvent) -> str:
    return (event.WhichOneof("attributes") or "").removesuffix("_event_attributes")


def _path(event: HistoryEvent, path: str) -> str:
    return f"{_name(event)}_event_attributes.{path}"


def _summary(event: HistoryEvent) -> str:
    """What the workflow called a timer, if it did."""
    text = _json(event.user_metadata.summary)
    return str(json.loads(text)) if text else ""


def _first(payloads: Payloads) -> str:
    """Our messages have one argument each."""
    return next(map(_json, payloads.payloads), "")


def _json(payload: Payload) -> str:
    is_json = payload.metadata.get("encoding", b"") == b"json/plain"
    return payload.data.decode() if is_json else ""


def _reason(failure: Failure) -> str:
    """The innermost message: an outer one often says only that an activity failed."""
    while failure.HasField("cause"):
        failure = failure.cause
    return failure.message[:300]
