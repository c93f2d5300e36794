"""What Temporal's own server lets whom do: nobody, who may read, who may write, and the rest."""

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message
from google.protobuf.symbol_database import Default as SymbolsKnown
from temporalio import workflow
from temporalio.api import batch, common
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DeleteWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
    StartBatchOperationRequest,
    service_pb2,
)
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowHandle,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from proof.temporal_server.running import NAMESPACE
from tests.claims.temporal import ADMIN, READ, SYSTEM, WORKER, WRITE, Guarded

pytestmark = pytest.mark.claims

QUEUE = "rights"
READS = ("Get", "Describe", "List", "Count", "Scan", "Query", "Fetch", "Validate")
NOT_THERE = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED)
"""What the SDK knows and this server does not, nobody may."""
ANSWERED_LATER = {"PollWorkflowExecutionUpdate"}
"""Read, too: what became of an update whose id is known."""


@workflow.defn
class Waits:
    """Until it is told to go on."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: "end" in self.told)

    @workflow.signal
    def tell(self, word: str) -> None:
        self.told.append(word)

    @workflow.update
    def change(self, word: str) -> str:
        self.told.append(word)
        return word

    @workflow.query
    def heard(self) -> list[str]:
        return self.told


@pytest.fixture(scope="module")
async def writer(guarded: Guarded) -> AsyncIterator[Client]:
    """May write, as workers and gateways do; a worker of its own is behind it."""
    client = await guarded.client(WRITE)
    async with Worker(
        client, task_queue=QUEUE, workflows=[Waits], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        yield client


@pytest.fixture
async def waiting(writer: Client) -> WorkflowHandle[Any, Any]:
    handle = await writer.start_workflow(Waits.run, id=new_id(), task_queue=QUEUE)
    assert await handle.query(Waits.heard) == []
    return handle


def new_id() -> str:
    return f"w-{uuid.uuid4().hex[:10]}"


async def status_of(asked: Awaitable[object]) -> RPCStatusCode | None:
    """How the server refused it; None: it did it."""
    try:
        await asked
    except RPCError as error:
        return error.status
    return None


def execution(of: WorkflowHandle[Any, Any]) -> common.v1.WorkflowExecution:
    return common.v1.WorkflowExecution(workflow_id=of.id)


Act = Callable[[Client, WorkflowHandle[Any, Any]], Awaitable[object]]


async def start(client: Client, _: WorkflowHandle[Any, Any]) -> None:
    await client.start_workflow(Waits.run, id=new_id(), task_queue=QUEUE)


async def signal(_: Client, on: WorkflowHandle[Any, Any]) -> None:
    await on.signal(Waits.tell, "x")


async def signal_with_start(client: Client, _: WorkflowHandle[Any, Any]) -> None:
    await client.start_workflow(
        Waits.run, id=new_id(), task_queue=QUEUE, start_signal="tell", start_signal_args=["x"]
    )


async def update(_: Client, on: WorkflowHandle[Any, Any]) -> None:
    await on.execute_update(Waits.change, "x")


async def update_with_start(client: Client, _: WorkflowHandle[Any, Any]) -> None:
    operation = WithStartWorkflowOperation(
        Waits.run, id=new_id(), task_queue=QUEUE, id_conflict_policy=WorkflowIDConflictPolicy.FAIL
    )
    try:
        await client.execute_update_with_start_workflow(
            Waits.change, "x", start_workflow_operation=operation
        )
    except RPCError:
        with suppress(RPCError):  # the other half of the same refusal
            await operation.workflow_handle()
        raise


async def terminate(_: Client, on: WorkflowHandle[Any, Any]) -> None:
    await on.terminate("x")


async def cancel(_: Client, on: WorkflowHandle[Any, Any]) -> None:
    await on.cancel()


async def reset(client: Client, on: WorkflowHandle[Any, Any]) -> None:
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_execution=execution(on),
            workflow_task_finish_event_id=4,
            request_id=new_id(),
        )
    )


async def delete(client: Client, on: WorkflowHandle[Any, Any]) -> None:
    await client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(namespace=NAMESPACE, workflow_execution=execution(on))
    )


async def schedule(client: Client, _: WorkflowHandle[Any, Any]) -> None:
    at = await client.create_schedule(
        new_id(),
        Schedule(
            action=ScheduleActionStartWorkflow(Waits.run, id=new_id(), task_queue=QUEUE),
            spec=ScheduleSpec(),
        ),
    )
    await at.delete()


async def in_a_batch(client: Client, on: WorkflowHandle[Any, Any]) -> None:
    await client.workflow_service.start_batch_operation(
        StartBatchOperationRequest(
            namespace=NAMESPACE,
            job_id=new_id(),
            reason="x",
            executions=[execution(on)],
            termination_operation=batch.v1.BatchOperationTermination(),
        )
    )


WRITES: tuple[Act, ...] = (
    start, signal, signal_with_start, update, update_with_start, terminate, cancel, reset, delete,
    schedule, in_a_batch,
)  # fmt: skip


@pytest.mark.parametrize("act", WRITES, ids=lambda one: one.__name__)
async def test_who_may_read_changes_nothing_and_who_may_write_does(
    guarded: Guarded, writer: Client, waiting: WorkflowHandle[Any, Any], act: Act
) -> None:
    before = (await waiting.describe()).history_length
    for permissions in ((READ,), (WORKER,), (f"{SYSTEM}:read",), ("elsewhere:admin",), ()):
        other = await guarded.client(*permissions)
        refused = act(other, other.get_workflow_handle(waiting.id))
        assert await status_of(refused) is RPCStatusCode.PERMISSION_DENIED, permissions
    assert (await waiting.describe()).history_length == before
    assert await status_of(act(writer, waiting)) is None


async def test_who_may_read_sees_all_and_may_ask_queries(
    guarded: Guarded, waiting: WorkflowHandle[Any, Any]
) -> None:
    await waiting.execute_update(Waits.change, "told", id="u-1")
    client = await guarded.client(READ)
    handle = client.get_workflow_handle(waiting.id)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    assert (await handle.fetch_history()).events
    assert await handle.query("heard") == ["told"]
    assert "Stack for" in await handle.query("__stack_trace")
    assert await handle.get_update_handle("u-1", result_type=str).result() == "told"
    async with asyncio.timeout(20):
        while waiting.id not in [one.id async for one in client.list_workflows("")]:
            await asyncio.sleep(0.1)


async def test_without_a_token_that_counts_nothing_is_answered_but_that_it_is_there(
    guarded: Guarded, waiting: WorkflowHandle[Any, Any]
) -> None:
    issuer = guarded.issuer
    nobody = await guarded.client()
    assert await status_of(nobody.count_workflows()) is RPCStatusCode.PERMISSION_DENIED
    assert await status_of(waiting_of(nobody, waiting)) is RPCStatusCode.PERMISSION_DENIED
    no_key = type(issuer)(keys={})
    no_key.add(next(iter(issuer.keys)))
    head, body, seal = issuer.token(READ).split(".")
    promoted = issuer.token(WRITE).split(".")[1]
    for token in (
        issuer.token(WRITE, lasts_s=-1),
        no_key.token(WRITE),
        f"{head}.{promoted}.{seal}",
        "eyJhbGciOiJub25lIn0." + body + ".",
    ):
        with pytest.raises(RuntimeError, match="PermissionDenied"):
            await guarded.by(token)


def waiting_of(client: Client, of: WorkflowHandle[Any, Any]) -> Awaitable[object]:
    return client.get_workflow_handle(of.id).describe()


def methods() -> list[tuple[str, Message]]:
    """All that a client of Temporal can ask, with an empty question about our namespace."""
    found = []
    for method in service_pb2.DESCRIPTOR.services_by_name["WorkflowService"].methods:
        question: Any = SymbolsKnown().GetSymbol(method.input_type.full_name)()
        if "namespace" in method.input_type.fields_by_name:
            question.namespace = NAMESPACE
        found.append((method.name, question))
    return found


async def allowed(client: Client) -> set[str]:
    """The names of those that are not refused for want of a right; an empty one is often wrong."""

    async def one(name: str, question: Message) -> str:
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
        call = getattr(client.workflow_service, snake)
        status: RPCStatusCode | None = RPCStatusCode.RESOURCE_EXHAUSTED
        while status is RPCStatusCode.RESOURCE_EXHAUSTED:  # so many at once are too fast
            status = await status_of(call(question, timeout=timedelta(seconds=10)))
        return "" if status in NOT_THERE else name

    asked = [one(name, question) for name, question in methods()]
    return set(await asyncio.gather(*asked)) - {""}


async def test_of_all_that_can_be_asked_only_what_reads_is_for_who_may_read(
    guarded: Guarded,
) -> None:
    names = {name for name, _ in methods()}
    nobody, worker, reader, writer = [
        await allowed(await guarded.client(*of)) for of in ((), (WORKER,), (READ,), (WRITE,))
    ]
    assert nobody == worker == {"GetSystemInfo"}
    assert {n for n in reader if not n.startswith(READS)} == ANSWERED_LATER
    assert writer > reader
    assert {"RegisterNamespace", "UpdateNamespace", "ListNamespaces"} <= names - writer
    assert (len(reader), len(writer)) == (27, 77), "as docs/security.md says"


async def test_a_token_for_one_namespace_opens_no_other_and_no_system_call(
    guarded: Guarded,
) -> None:
    elsewhere = CountWorkflowExecutionsRequest(namespace=SYSTEM)
    for permission in (READ, WRITE, ADMIN):
        client = await guarded.client(permission)
        asked = client.workflow_service.count_workflow_executions(elsewhere)
        assert await status_of(asked) is RPCStatusCode.PERMISSION_DENIED


async def test_the_servers_own_http_door_asks_for_the_same_token(guarded: Guarded) -> None:
    trusted = ssl.create_default_context(cafile=guarded.authority)
    async with httpx.AsyncClient(base_url=guarded.http, verify=trusted) as http:
        here = f"/api/v1/namespaces/{NAMESPACE}"
        bearer = {"Authorization": f"Bearer {guarded.issuer.token(READ)}"}
        assert (await http.get(here)).status_code == 403
        assert (await http.get(here, headers=bearer)).status_code == 200
        started = await http.post(f"{here}/workflows/x", headers=bearer, json={})
        assert started.status_code == 403
        assert (await http.get("/api/v1/system-info")).status_code == 200
        assert (await http.get("/api/v1/cluster-info")).status_code == 403


async def test_nobody_is_answered_in_the_clear(guarded: Guarded) -> None:
    with pytest.raises(RuntimeError, match="Failed client connect"):
        await Client.connect(guarded.address, namespace=NAMESPACE, tls=False)


async def test_the_servers_inner_door_asks_nobody(guarded: Guarded) -> None:
    """Why no network but the server's own may reach its other ports."""
    inside = await Client.connect(guarded.inner, namespace=NAMESPACE)
    assert await status_of(start(inside, inside.get_workflow_handle("none"))) is None
