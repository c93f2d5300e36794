"""A bad release on Kubernetes, brought back: real control plane, processes, Envoy, Prometheus."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from temporalio.client import Client

from demo.kubernetes.catalogue import ENV, POLICY, SHOP, TILL
from demo.kubernetes.world import KubernetesWorld
from demo.load import Load, Summary
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import (
    Decision,
    MarkRelease,
    RecordRelease,
    ReleaseRequest,
    RollbackRequest,
    Vote,
)
from rollback_manager.progress import Result, RollbackOutcome, State
from rollback_manager.release import Standing
from tests.kubernetes.cluster import Cluster
from workers import materials, wiring
from workers.settings import Settings
from workers.worker import make_worker

pytestmark = pytest.mark.timeout(300)
BY = "test"
RATE = 150.0
WITHIN_S = 120.0
QUICK: dict[str, Any] = {
    **POLICY,
    "confirmed_requests": 50,
    "verification": {
        "min_window_s": 3,
        "max_window_s": 60,
        "error_ratio_margin": 0.02,
        "latency_factor": 40,
        "throughput_floor": 0,
    },
}


@dataclass
class Site:
    """The world, with a worker of the product and its clients."""

    world: KubernetesWorld
    rollbacks: RollbackClient
    loads: dict[str, Load] = field(default_factory=dict)

    async def release(self, service: str, version: str) -> None:
        """Goes out to all users, and is recorded."""
        await asyncio.to_thread(self.world.deploy, service, version)
        if service not in self.loads:
            self.loads[service] = self.world.load(service, rate=RATE)
            await asyncio.to_thread(self.loads[service].start)
        ask = RecordRelease(env=ENV, service=service, version=version, by=BY)
        await self.rollbacks.releases(ReleaseRequest(ask=ask))

    async def verified(self, service: str, version: str) -> None:
        ask = MarkRelease(
            env=ENV,
            service=service,
            version=version,
            by=BY,
            standing=Standing.VERIFIED,
            measure_s=4.0,
        )
        await self.rollbacks.releases(ReleaseRequest(ask=ask))

    async def bring_back(self, service: str) -> RollbackOutcome:
        """Asked for, agreed to, and at its end."""
        request = RollbackRequest(
            env=ENV, services=(service,), key=uuid.uuid4().hex[:8], requested_by=BY
        )
        rollback = await self.rollbacks.start(request)
        await self._agree(rollback)
        async with asyncio.timeout(WITHIN_S):
            while (status := await rollback.status()).outcome is None:
                assert status.state is not State.NEEDS_HUMAN, (status.waits_for, status.services)
                await asyncio.sleep(0.2)
        return await rollback.result()

    async def _agree(self, rollback: Rollback) -> None:
        async with asyncio.timeout(WITHIN_S):
            while (status := await rollback.status()).state is not State.WAITING_FOR_APPROVAL:
                assert status.outcome is None, status
                await asyncio.sleep(0.1)
        vote = Vote(plan=status.digest, by=BY)
        await rollback.vote(Decision.APPROVE, vote, vote_id="test")

    def users(self, service: str, since: datetime) -> Summary:
        """What became of the requests sent since then."""
        return self.loads[service].summary(since)


@pytest.fixture
def world(cluster: Cluster, namespace: str) -> Iterator[KubernetesWorld]:
    with (
        TemporaryDirectory(prefix="rb-", ignore_cleanup_errors=True) as folder,
        KubernetesWorld(Path(folder), cluster=cluster, namespace=namespace, policy=QUICK) as made,
    ):
        made.build("v1")
        made.build("v2", error_ratio=0.5)
        yield made


@pytest.fixture
async def site(
    world: KubernetesWorld, client: Client, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    queue = f"q-{uuid.uuid4().hex[:8]}"
    settings = Settings(catalogue=world.catalogue, data=world.folder / "data", task_queue=queue)
    made = Site(world, RollbackClient(client, task_queue=queue))
    for service in world.services:
        await asyncio.to_thread(world.deploy, service, "v1")
    with materials.http_client() as http:  # a worker keeps its own for as long as it lives
        monkeypatch.setattr(materials, "http_client", lambda: http)
        async with make_worker(client, settings, wiring.parts(settings)):
            yield made
            for load in made.loads.values():
                await asyncio.to_thread(load.stop)


async def test_blue_and_green_are_switched_back_by_the_route(site: Site) -> None:
    await site.release(SHOP, "v1")
    await site.verified(SHOP, "v1")
    await site.release(SHOP, "v2")
    await asyncio.sleep(1)
    outcome = await site.bring_back(SHOP)
    assert outcome.result is Result.VERIFIED, outcome
    ended = datetime.now(UTC)
    await asyncio.sleep(2)
    after = site.users(SHOP, ended)
    assert (set(after.count), after.failed, after.by_us) == ({"v1"}, {}, 0)
    assert after.total > RATE


@pytest.mark.long
async def test_a_deployment_is_put_back_in_place(site: Site) -> None:
    await site.release(TILL, "v1")
    await site.verified(TILL, "v1")
    await site.release(TILL, "v2")
    await asyncio.sleep(1)
    outcome = await site.bring_back(TILL)
    assert outcome.result is Result.VERIFIED, outcome
    ended = datetime.now(UTC)
    await asyncio.sleep(2)
    after = site.users(TILL, ended)
    assert (set(after.count), after.failed, after.by_us) == ({"v1"}, {}, 0)
    whole = site.users(TILL, ended - timedelta(minutes=5))
    assert whole.by_us == 0, "a request was lost where a pod was replaced"
