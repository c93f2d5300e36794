"""A worker of the proof: the product's own, with a point placed in it or a mechanism taken out."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from temporalio.worker import (
    Interceptor,
    StartChildWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ChildWorkflowHandle

from activities.targets import Target
from proof.kill_matrix import mechanisms
from proof.kill_matrix.announcing import Announcing
from proof.kill_matrix.doomed import Doom, DoomedTraffic, DoomedWorkloads, Dooming, said
from proof.kill_matrix.points import Moment, Point
from proof.kubernetes import mechanisms as of_kubernetes
from rollback_manager.client import connect
from rollback_manager.values import Value
from workers import wiring
from workers import worker as worker_module
from workers.settings import Settings
from workers.wiring import Parts
from workers.worker import make_worker, run_until

READY = "the worker is ready"
TASK = timedelta(seconds=3)
"""A workflow task that died with its worker is given to another one after this, not after 10 s."""


class Order(Value):
    """What a worker is told.

    It works once the file `begin` exists. control: of the proxies. without: a mechanism's name.
    steps: base URL of a proxy that strikes by itself, and is told when a step begins and ends.
    """

    name: str
    log: Path
    catalogue: Path
    data: Path
    queue: str
    temporal: str
    begin: Path
    control: Path
    point: Point | None = None
    without: str = ""
    steps: str = ""


class QuickTakeOver(Interceptor):
    """Children's workflow tasks are missed after a few seconds, too."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Where a workflow starts its children."""
        return _Children


class _Children(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_QuickChildren(outbound))


class _QuickChildren(WorkflowOutboundInterceptor):
    async def start_child_workflow(
        self, input: StartChildWorkflowInput
    ) -> ChildWorkflowHandle[object, object]:
        return await super().start_child_workflow(replace(input, task_timeout=TASK))


async def work(order: Order) -> None:
    """Everything ready, wait for the file `begin`, then work until the point."""
    os.environ["TEMPORAL_ADDRESS"] = order.temporal
    settings = Settings(catalogue=order.catalogue, data=order.data, task_queue=order.queue)
    mechanisms.take_out(order.without)
    of_kubernetes.take_out(order.without)
    parts = mechanisms.without(order.without, wiring.parts(settings))
    interceptors: list[Interceptor] = [QuickTakeOver(), *mechanisms.interceptors(order.without)]
    if order.point is not None:
        doom = Doom(order.point, order.control)
        if not order.steps or order.point.moment is Moment.RECORDED:
            interceptors.append(Dooming(doom))
            parts = _doomed(parts, doom)
        else:
            interceptors.append(Announcing(doom, order.steps))
    await _work(settings, parts, interceptors, order.begin)


async def _work(
    settings: Settings, parts: Parts, interceptors: Sequence[Interceptor], begin: Path
) -> None:
    with _few_polls():
        worker = make_worker(await connect(), settings, parts, interceptors)
    said(READY)
    while not begin.exists():
        await asyncio.sleep(0.01)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_until(stop, worker)


@contextmanager
def _few_polls() -> Iterator[None]:
    """Workers that are made within it ask for few tasks at once.

    What Temporal gives to the open questions of a frozen worker waits for its time-out: with the
    SDK's five of each kind a run takes half a minute, and shows nothing else.
    """
    names = vars(worker_module)
    made = names["Worker"]
    names["Worker"] = partial(
        made, max_concurrent_workflow_task_polls=2, max_concurrent_activity_task_polls=2
    )
    try:
        yield
    finally:
        names["Worker"] = made


def _doomed(parts: Parts, doom: Doom) -> Parts:
    real = parts.targets

    def target(env: str, service: str) -> Target:
        found = real(env, service)
        return replace(
            found,
            traffic=DoomedTraffic(found.traffic, doom),
            workloads=DoomedWorkloads(found.workloads, doom),
        )

    return replace(parts, targets=target)
