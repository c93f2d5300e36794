"""A whole rollback whose good version is counted by a real Prometheus."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from activities.integrations.prometheus import Prometheus, PrometheusCounters, Rounds
from activities.targets import Target
from rollback_manager.progress import Result, State
from tests import prometheus, rig
from tests.activities.counted_shop import Instance, shown
from tests.activities.watch.test_prometheus_watch import source_of
from tests.prometheus import Server
from tests.rig import Rig

POLICY: dict[str, object] = {
    "verification": {"min_window_s": 3, "max_window_s": 40, "throughput_floor": 0}
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    paths = {"shop-v1": "/v1", "shop-v2": "/v2"}
    with prometheus.exporter() as exporter, prometheus.server(exporter, paths) as one:
        yield one


@pytest.fixture
async def counted(
    client: Client, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Rig]:
    async with rig.rig(client, tmp_path, cached=1000, policy=POLICY) as made:
        with httpx.Client(trust_env=False) as way:
            source = source_of(server)
            group = Prometheus({made.service: source}, way)
            counters = PrometheusCounters(Rounds(group), made.service, source)
            stand_in = made.world.target

            def target() -> Target:
                return dataclasses.replace(stand_in(), counters=counters)

            monkeypatch.setattr(made.world, "target", target)
            yield made


def running(made: Rig, server: Server) -> Instance:
    v1, _ = (
        shown(server.exporter, f"/{name}", Instance(made.service, name, per_s=3000, slow=0.01))
        for name in ("v1", "v2")
    )
    return v1


async def test_it_is_verified_by_what_prometheus_counts(counted: Rig, server: Server) -> None:
    counted.world.error_ratio = {"v1": 0.5}  # of the proxy, which is not asked for errors
    running(counted, server)
    outcome = await (await counted.start()).result()
    assert outcome.result is Result.VERIFIED, outcome


async def test_it_waits_for_a_person_where_prometheus_counts_errors(
    counted: Rig, server: Server
) -> None:
    running(counted, server).errors = 0.2
    rollback = await counted.start()
    status = await counted.until(rollback, State.NEEDS_HUMAN)
    assert status.waits_for.startswith("verify failed: error_ratio: ")
    assert counted.world.shares_now == {"v1": 100}, "traffic was moved without asking Prometheus"
