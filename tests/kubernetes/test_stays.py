"""A rollback stays undone, whoever fights it: with our hold, and what happens without it."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from demo.kubernetes import crds
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import Ready
from proof.released import PODS
from proof.stays import shop
from proof.stays import site as sites
from proof.stays.fighters import (
    AUTOSCALER,
    SELF_HEAL,
    UPDATER,
    Fighter,
    ImageUpdater,
    ScaleDown,
    SelfHeal,
    write,
)
from proof.stays.shop import BAD, ENV, GOOD, SERVICE
from proof.stays.site import Site
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import RollbackRequest, service_id, stay_id
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import Result, RollbackStatus, State
from rollback_manager.stays import StayStatus, Verdict
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import until
from workers.settings import Settings
from workers.worker import make_worker

SHORT: dict[str, Any] = {"stay_checks_s": (2, 4, 7)}
WITHIN_S = 60
DENY_LIST = Path(__file__).parents[2] / "deploy/kubernetes/deny-list.yaml"


@pytest.fixture(scope="module")
def argo(cluster: Cluster) -> None:
    """Argo CD's own kinds; its controller is a stand-in."""
    crds.install(cluster.api, crds.ARGO_CD)


class Run:
    """A worker, and one rollback of the service."""

    def __init__(self, client: Client, site: Site) -> None:
        self.client, self.site = client, site
        self.queue = f"q-{uuid.uuid4().hex[:8]}"
        self.rollbacks = RollbackClient(client, task_queue=self.queue)

    async def start(self, **more: Any) -> Rollback:
        key = uuid.uuid4().hex[:8]
        words = {"env": ENV, "services": (SERVICE,), "key": key, "requested_by": "test", **more}
        return await self.rollbacks.start(RollbackRequest.model_validate(words))

    async def plan(self, rollback: Rollback) -> RollbackPlan:
        handle = self.client.get_workflow_handle(rollback.id)
        plan: RollbackPlan = await handle.query("plan", result_type=RollbackPlan)
        return plan

    async def until(
        self, rollback: Rollback, holds: Callable[[RollbackStatus], bool]
    ) -> RollbackStatus:
        async with asyncio.timeout(WITHIN_S):
            while not holds(status := await rollback.status()):
                await asyncio.sleep(0.1)
        return status

    async def stay(self, holds: Callable[[StayStatus], bool]) -> StayStatus:
        handle = self.client.get_workflow_handle(stay_id(ENV, SERVICE))
        deadline = time.monotonic() + WITHIN_S
        while True:
            status: StayStatus = await handle.query("status", result_type=StayStatus)
            if holds(status):
                return status
            assert time.monotonic() < deadline, status
            await asyncio.sleep(0.2)


@asynccontextmanager
async def at_work(client: Client, site: Site, folder: Path) -> AsyncIterator[Run]:
    run = Run(client, site)
    settings = Settings(data=folder, task_queue=run.queue)
    async with make_worker(client, settings, site.parts):
        yield run
        async for left in client.list_workflows("ExecutionStatus = 'Running'"):
            if left.id in {stay_id(ENV, SERVICE), service_id(ENV, SERVICE)}:
                handle = client.get_workflow_handle(left.id)
                await handle.terminate(reason="the test is over")


def build(cluster: Cluster, namespace: str, folder: Path, **more: Any) -> Site:
    policy = {**SHORT, **more.pop("policy", {})}
    return sites.build(cluster.api, cluster.kubeconfig, namespace, folder, policy=policy, **more)


def passed(status: StayStatus) -> list[str]:
    return [str(one.stayed.verdict) for one in status.checks if one.due]


@pytest.mark.long
async def test_self_heal_is_held_and_given_back_once_git_agrees(
    cluster: Cluster, client: Client, namespace: str, tmp_path: Path, argo: None
) -> None:
    site = build(cluster, namespace, tmp_path, argo=True)
    heal = SelfHeal(cluster.api, site.deployment, site.application, site.bad_template, 1.0)
    with Fighter(heal) as fighter:
        async with at_work(client, site, tmp_path) as run:
            rollback = await run.start()
            outcome = await rollback.result()
            assert outcome.result is Result.VERIFIED, outcome
            with sites.watched(site) as seen:
                plan = await run.plan(rollback)
                assert "self-heal" in plan.services[0].owners[0]
                stays = await run.stay(lambda one: len(passed(one)) == 3)
                assert passed(stays) == ["stays"] * 3, stays
                assert stays.held == (f"Application {namespace}/shop",)
                heal.desired = shop.template("v1")  # the revert is merged
                ended = await run.stay(lambda one: one.state == State.FINISHED)
                await asyncio.sleep(2)
            assert not any(BAD in images for _, images in seen)
    assert not fighter.fought
    assert any("given back: Argo CD says Synced" in note for note in ended.notes), ended.notes
    application = cluster.api.get(site.application)
    assert application["spec"]["syncPolicy"] == {"automated": {"selfHeal": True, "prune": True}}
    assert "rollback-manager.io/held" not in application["metadata"]["annotations"]


@pytest.mark.long
async def test_without_the_hold_self_heal_brings_it_back_and_is_named(
    cluster: Cluster, client: Client, namespace: str, tmp_path: Path, argo: None
) -> None:
    site = build(cluster, namespace, tmp_path, argo=True, held=False)
    heal = SelfHeal(cluster.api, site.deployment, site.application, site.bad_template, 1.0)
    async with at_work(client, site, tmp_path) as run:
        rollback = await run.start()
        await rollback.result()
        with Fighter(heal) as fighter:
            stays = await run.stay(lambda one: one.state == State.NEEDS_HUMAN)
            assert BAD in site.serving()
            handle = client.get_workflow_handle(stay_id(ENV, SERVICE))
            found = (await handle.describe()).typed_search_attributes
    assert fighter.fought
    assert SELF_HEAL in stays.waits_for
    assert stays.checks[-1].stayed.who == SELF_HEAL
    assert "needs_human" in str(found)


async def test_an_updater_cannot_push_the_bad_tag_again_where_it_is_denied(
    cluster: Cluster, client: Client, namespace: str, tmp_path: Path
) -> None:
    cluster.kubectl("apply", "-f", str(DENY_LIST))
    body = {"metadata": {"name": "rollback-manager-denied"}}
    cluster.api.post(f"/api/v1/namespaces/{namespace}/configmaps", body)
    site = build(cluster, namespace, tmp_path)
    updater = ImageUpdater(cluster.api, site.deployment, BAD, 3.0)
    async with at_work(client, site, tmp_path) as run:
        rollback = await run.start()
        assert (await rollback.result()).result is Result.VERIFIED
        with Fighter(updater) as fighter, sites.watched(site) as seen:
            stays = await run.stay(lambda one: one.state == State.FINISHED)
    assert not fighter.fought
    assert any("rolled back and is denied here" in one for one in fighter.refused)
    assert not any(BAD in images for _, images in seen)
    assert passed(stays) == ["stays"] * 3, stays
    assert any("denied from now on" in note and BAD in note for note in stays.notes), stays.notes


@pytest.mark.long
async def test_without_a_deny_list_the_updater_is_named_though_it_keeps_the_label(
    cluster: Cluster, client: Client, namespace: str, tmp_path: Path
) -> None:
    site = build(cluster, namespace, tmp_path)
    updater = ImageUpdater(cluster.api, site.deployment, BAD, 1.0)
    async with at_work(client, site, tmp_path) as run:
        rollback = await run.start()
        assert (await rollback.result()).result is Result.VERIFIED
        with Fighter(updater):
            stays = await run.stay(lambda one: one.state == State.NEEDS_HUMAN)
    assert stays.checks[-1].stayed.who == UPDATER
    assert "is not what was restored" in stays.waits_for
    assert any("no deny list" in note for note in stays.notes)


@pytest.mark.long
async def test_an_autoscaler_keeps_what_was_restored_until_the_checks_are_over(
    cluster: Cluster, client: Client, namespace: str, tmp_path: Path
) -> None:
    site = build(cluster, namespace, tmp_path, scaled_to=1)
    scale = ScaleDown(cluster.api, site.deployment, site.autoscaler)
    async with at_work(client, site, tmp_path) as run:
        rollback = await run.start()
        await asyncio.to_thread(
            until,
            lambda: cluster.api.get(site.autoscaler)["spec"]["minReplicas"],
            lambda least: least == PODS,
        )
        with Fighter(scale) as fighter:  # in the middle of it, before a pod was replaced
            assert (await rollback.result()).result is Result.VERIFIED
            await run.stay(lambda one: len(passed(one)) == 2)
            assert not fighter.fought, "it shrank what was restored"
            ended = await run.stay(lambda one: one.state == State.FINISHED)
            await asyncio.sleep(2)
    assert passed(ended) == ["stays"] * 3
    spec = cluster.api.get(site.autoscaler)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, PODS + 2)
    assert fighter.fought, "it has its own bounds again"


@pytest.mark.long
async def test_without_the_hold_the_autoscaler_shrinks_it_and_is_named(
    cluster: Cluster, client: Client, namespace: str, tmp_path: Path
) -> None:
    site = build(cluster, namespace, tmp_path, scaled_to=1, held=False)
    scale = ScaleDown(cluster.api, site.deployment, site.autoscaler)
    async with at_work(client, site, tmp_path) as run:
        rollback = await run.start()
        await rollback.result()
        with Fighter(scale):
            stays = await run.stay(lambda one: one.state == State.NEEDS_HUMAN)
    assert stays.checks[-1].stayed.verdict is Verdict.REVERSED
    assert stays.checks[-1].stayed.who == AUTOSCALER


@pytest.mark.long
async def test_self_heal_in_the_middle_is_named_and_not_fought(
    cluster: Cluster, client: Client, namespace: str, tmp_path: Path, argo: None
) -> None:
    kept = {"verification": {"min_window_s": 20, "max_window_s": 40, "throughput_floor": 0}}
    site = build(cluster, namespace, tmp_path, argo=True, held=False, policy=kept)
    heal = SelfHeal(cluster.api, site.deployment, site.application, site.bad_template, 5.0)
    with Fighter(heal) as fighter:
        async with at_work(client, site, tmp_path) as run:
            rollback = await run.start()
            status = await run.until(rollback, lambda one: one.state is State.NEEDS_HUMAN)
            await asyncio.sleep(2)
    assert f"given v2 again: written by {SELF_HEAL}" in status.waits_for
    assert len(fighter.fought) == 1, "we did not write it again"


async def test_a_deploy_that_begins_meanwhile_is_held_and_named(
    cluster: Cluster, client: Client, namespace: str, tmp_path: Path, kubelet: Kubelet
) -> None:
    site = build(cluster, namespace, tmp_path)
    kubelet.behaviour["v1"] = Ready(after_s=60)  # it takes long enough to be in the middle
    async with at_work(client, site, tmp_path) as run:
        rollback = await run.start()
        await asyncio.to_thread(until, site.image, lambda image: image == GOOD)
        await asyncio.sleep(1.1)  # who wrote when is kept to the second
        third = {"spec": {"template": shop.template("v3")}}
        write(cluster.api, site.deployment, third, "pipeline")
        status = await run.until(rollback, lambda one: one.state is State.NEEDS_HUMAN)
        await asyncio.sleep(2)
    assert "a deploy of v3 began meanwhile" in status.waits_for
    assert "written by pipeline" in status.waits_for
    assert site.image().endswith(":v3"), "it was fought"


@pytest.mark.long
async def test_the_undo_takes_the_place_of_a_rollout_that_is_under_way(
    cluster: Cluster, client: Client, namespace: str, tmp_path: Path, kubelet: Kubelet
) -> None:
    site = build(cluster, namespace, tmp_path)
    back = {"spec": {"template": shop.template("v1")}}
    write(cluster.api, site.deployment, back, "pipeline")
    await asyncio.to_thread(until, site.serving, lambda images: images == {GOOD})
    kubelet.behaviour["v2"] = Ready(after_s=6)  # half of it is out for so long
    write(cluster.api, site.deployment, {"spec": {"template": shop.template("v2")}}, "pipeline")
    await asyncio.to_thread(until, site.serving, lambda images: BAD in images)
    async with at_work(client, site, tmp_path) as run:
        rollback = await run.start(to_version="v1")
        outcome = await rollback.result()
    assert outcome.result is Result.VERIFIED, outcome
    (service,) = outcome.services
    prepared = next(one for one in service.steps if one.kind == "prepare")
    assert "in place of the rollout of deployment/shop to v2" in prepared.written, prepared
    assert "begun by pipeline" in prepared.written
