"""`rollback-manager worker`: carries rollbacks out, for a Temporal that runs elsewhere or here."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Interceptor, Worker

from rollback_manager.client import connect
from rollback_manager.errors import NotPermitted, PermanentError
from workers import wiring
from workers.anchoring import anchoring
from workers.audited import Audits
from workers.failures import LONGEST
from workers.plugin import plugin
from workers.process import leave, run_build, say
from workers.settings import Settings
from workers.telemetry import set_up
from workers.versioning import deployment, told_at_start
from workers.watchdogs import watch_over
from workers.wiring import Parts

MOST_AT_ONCE = 200
"""Activities at once; each waits most of its time, but holds a thread.

As many as services in one rollback before it is split: were there fewer, services that drain for
minutes would keep others from beginning a step, and from undoing one.
"""

HEARTBEAT_EVERY = timedelta(seconds=1)
"""An abort reaches a waiting activity by its heartbeat: in a second, not 0.8 × its time-out."""

STICKY = timedelta(seconds=2)
"""After a worker's death its workflows wait so long for it before any other one may have them."""

SHUTDOWN_GRACE = timedelta(seconds=20)
"""Time for a write under way; below the 30 s that orchestrators give."""

LEAVE_AFTER_S = SHUTDOWN_GRACE.total_seconds() + 10
"""After Temporal has refused a worker for good; the SDK's own shutdown was seen to wait for ever
then, and a process that lives without working is restarted by nobody."""

ITS_NAMESPACE = "Is TEMPORAL_NAMESPACE right? rollback-manager doctor"
RENEW_IT = (
    "Renew its token, which may write in this namespace (ROLLBACK_TEMPORAL_TOKEN), then start it"
    " again: docs/security.md"
)

log = logging.getLogger(__name__)


def make_worker(
    client: Client,
    settings: Settings,
    parts: Parts,
    interceptors: Sequence[Interceptor] = (),
    *,
    max_cached_workflows: int = 1000,
    build_id: str = "",
    on_fatal_error: Callable[[BaseException], Awaitable[None]] | None = None,
) -> Worker:
    """A worker on the settings' queue with everything wired in; of no build unless one is named."""
    return Worker(
        client,
        task_queue=settings.task_queue,
        activity_executor=ThreadPoolExecutor(
            max_workers=2 * MOST_AT_ONCE, thread_name_prefix="activity"
        ),
        max_concurrent_activities=MOST_AT_ONCE,
        max_concurrent_local_activities=MOST_AT_ONCE,
        max_cached_workflows=max_cached_workflows,
        default_heartbeat_throttle_interval=HEARTBEAT_EVERY,
        max_heartbeat_throttle_interval=HEARTBEAT_EVERY,
        graceful_shutdown_timeout=SHUTDOWN_GRACE,
        sticky_queue_schedule_to_start_timeout=STICKY,
        deployment_config=deployment(build_id),
        on_fatal_error=on_fatal_error,
        plugins=[
            plugin(
                wiring.activities(parts, wiring.temporal(client, settings.task_queue)),
                [*audits(parts), *interceptors],
                versioned=bool(build_id),
            )
        ],
    )


def audits(parts: Parts) -> Sequence[Interceptor]:
    """What keeps a change from being made without its entry; none where there is no chain."""
    return [Audits(parts.audit)] if parts.audit else []


async def run_until(stop: asyncio.Event, worker: Worker, envs: Iterable[str] = ()) -> None:
    """Run until `stop` is set; then let what is under way come to its safe point.

    envs: environments for which it sees to it that a watchdog runs.
    """
    try:
        async with worker:
            log.info("worker is ready", extra={"task_queue": worker.task_queue})
            await watch_over(worker.client, worker.task_queue, envs)
            await stop.wait()
            log.info("worker stops: what runs goes on elsewhere or when a worker is back")
    except RuntimeError as error:  # the SDK has no class of its own for "this can never work"
        raise _does_not_work(error) from error


async def leave_in_time(error: BaseException) -> None:
    """What ends the worker for good ends its process: by itself, or after LEAVE_AFTER_S."""
    asyncio.get_running_loop().call_later(LEAVE_AFTER_S, leave, _does_not_work(error))


def _does_not_work(error: BaseException) -> PermanentError:
    """The SDK says only that a part of the worker failed; why stands in the innermost cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    is_refused = "PermissionDenied" in str(error)
    return (NotPermitted if is_refused else PermanentError)(
        f"Temporal does not let this worker work: {str(error)[:LONGEST]}",
        effect="No worker runs here. What was started waits in Temporal for one.",
        next_step=RENEW_IT if is_refused else ITS_NAMESPACE,
    )


def stop_on_signals(stop: asyncio.Event) -> None:
    """TERM and Ctrl-C set `stop`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)


async def work(settings: Settings) -> None:
    """A worker for the Temporal that `temporalio.envconfig` names, until TERM or Ctrl-C."""
    ready, telemetry = wiring.parts(settings), set_up()
    client = await connect(ready.codec, takes_unbound=ready.takes_unbound, secrets=ready.secrets)
    stop = asyncio.Event()
    stop_on_signals(stop)
    say(f"worker: {client.service_client.config.target_host}, queue {settings.task_queue}")
    for line in await told_at_start(client, settings.build_id):
        say(line)
    ours = make_worker(
        client,
        settings,
        ready,
        telemetry.interceptors,
        build_id=settings.build_id,
        on_fatal_error=leave_in_time,
    )
    try:
        async with anchoring(ready.audit):
            await run_until(stop, ours, ready.catalogue.environments)
    finally:
        telemetry.flush()


def main() -> None:
    """`rollback-manager worker`."""
    run_build("Run a worker for the Temporal that TEMPORAL_ADDRESS names.", work)
