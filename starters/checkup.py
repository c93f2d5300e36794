"""What a reachable Temporal must have before a rollback can be trusted to it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from rollback_manager.veil import VEIL

if TYPE_CHECKING:
    from temporalio.client import Client

KEPT_DAYS = 30
"""Histories are the evidence of a rollback; reviews and rehearsals look back a month."""
FRESH = timedelta(seconds=90)
"""A poll lasts up to 60 s; the server remembers pollers for minutes after they died."""
REGISTER = "temporal operator search-attribute create --name NAME --type TYPE"
ANSWER = timedelta(seconds=3)
STARTING_S = 5.0
"""How long a worker may take from "ready" to its first poll, on a busy machine."""


class Level(StrEnum):
    """How a check came out, in a word."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One check: how it came out, what was seen, and what to type next."""

    check: str
    level: Level
    told: str
    next_step: str = ""

    def as_document(self) -> dict[str, str]:
        """For programs."""
        return {
            "check": self.check.strip(),
            "level": str(self.level),
            "told": VEIL.over(self.told),
            "next_step": VEIL.over(self.next_step),
        }


async def of_server(client: Client) -> list[Finding]:
    """All checks of the server behind this client."""
    return [
        _address(client),
        await _namespace(client),
        await _search_attributes(client),
        await _worker(client),
    ]


def _address(client: Client) -> Finding:
    from starters.connection import address, is_exposed

    where = f"answers at {address(client)}"
    if is_exposed(client):
        told = f"{where}, which is not this machine, WITHOUT TLS or a key: unprotected"
        return Finding("Temporal", Level.WARN, told, "Set TEMPORAL_TLS=true, or TEMPORAL_API_KEY")
    return Finding("Temporal", Level.OK, where)


async def _namespace(client: Client) -> Finding:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.service import RPCError

    name = client.namespace
    try:
        got = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=name), timeout=ANSWER
        )
    except RPCError as error:
        create = f"temporal operator namespace create --retention 30d {name}"
        return Finding("namespace", Level.FAIL, f"{name}: {error.message}", create)
    kept = got.config.workflow_execution_retention_ttl.ToTimedelta()
    told = f"{name}, histories are kept {kept.total_seconds() / 86_400:.3g} d"
    if kept < timedelta(days=KEPT_DAYS):
        longer = f"temporal operator namespace update --retention {KEPT_DAYS}d {name}"
        return Finding("namespace", Level.WARN, f"{told}; reports need {KEPT_DAYS} d", longer)
    return Finding("namespace", Level.OK, told)


async def _search_attributes(client: Client) -> Finding:
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
    from temporalio.service import RPCError

    from rollback_manager.contract import SEARCH_ATTRIBUTES

    try:
        got = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=ANSWER
        )
    except RPCError as error:
        told = f"unknown: the server does not list them ({error.message})"
        return Finding("search attributes", Level.WARN, told, "Look in the server's own console")
    missing = [name for name in SEARCH_ATTRIBUTES if name not in got.custom_attributes]
    if not missing:
        return Finding("search attributes", Level.OK, f"all {len(SEARCH_ATTRIBUTES)} registered")
    told = "missing: " + ", ".join(f"{name} ({SEARCH_ATTRIBUTES[name]})" for name in missing)
    return Finding("search attributes", Level.FAIL, told, f"for each: {REGISTER}")


async def _worker(client: Client) -> Finding:
    from temporalio.service import RPCError

    from starters.connection import task_queue

    queue = task_queue()
    try:
        polled = await _first_poll(client, queue)
    except RPCError as error:
        told = f"unknown: {error.message}"
        return Finding("worker", Level.WARN, told, "rollback-manager worker")
    if polled is None or datetime.now(UTC) - polled > FRESH:
        told = f"none polls the queue {queue}: nothing that is started will be carried out"
        return Finding("worker", Level.FAIL, told, "rollback-manager worker (or serve)")
    return await _builds(client, queue)


async def _builds(client: Client, queue: str) -> Finding:
    """Somebody polls; whether what is started now reaches them is a matter of their build."""
    from temporalio.service import RPCError

    from starters.builds import make_current, polled

    told = f"polls the queue {queue}"
    try:
        found = await polled(client, queue)
    except RPCError as error:
        return Finding("worker", Level.WARN, f"{told}; of what build is unknown: {error.message}")
    if found.is_plain:
        return Finding("worker", Level.OK, told)
    if found.reaches_nobody:
        told += f" {found.in_words()}. Nothing that is started will be carried out"
        return Finding("worker", Level.FAIL, told, make_current(max(found.builds)))
    return Finding("worker", Level.OK, f"{told} {found.in_words()}")


async def _first_poll(client: Client, queue: str) -> datetime | None:
    """The last poll; a worker that has just said that it is ready may not have polled yet."""
    deadline = time.monotonic() + STARTING_S
    while True:
        polled = await _last_poll(client, queue)
        if polled is not None or time.monotonic() >= deadline:
            return polled
        await asyncio.sleep(0.2)


async def _last_poll(client: Client, queue: str) -> datetime | None:
    """When somebody last asked for work of both kinds, workflows and activities."""
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    latest: list[datetime] = []
    for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
        got = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
            ),
            timeout=ANSWER,
        )
        if not got.pollers:
            return None
        latest.append(max(one.last_access_time.ToDatetime(tzinfo=UTC) for one in got.pollers))
    return min(latest)
