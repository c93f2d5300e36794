"""Whole rollbacks in which configuration returns with the release, or goes back again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client

from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import Ready
from rollback_manager.contract import AbortCommand, AbortMode
from rollback_manager.plan import ActionKind
from rollback_manager.progress import EndState, StepState
from rollback_manager.release import Standing
from tests.kubernetes import rig
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import created, deployment, path_of, pod_template, service, until
from tests.kubernetes.rig import KubernetesRig

pytestmark = pytest.mark.usefixtures("kubelet")
MERGE = "application/merge-patch+json"


@asynccontextmanager
async def bad_release(
    client: Client, cluster: Cluster, namespace: str, folder: Path
) -> AsyncIterator[KubernetesRig]:
    """v1 was recorded with LEVEL=info; v2 runs, and LEVEL is debug."""
    template = pod_template("shop", "v1")
    source = [{"configMapRef": {"name": "shop-config"}}]
    template["spec"]["containers"][0]["envFrom"] = source
    body = {"metadata": {"name": "shop-config"}, "data": {"LEVEL": "info"}}
    cluster.api.post(path_of("configmaps", namespace), body)
    created(cluster.api, namespace, deployment("shop", "v1", 2, template=template))
    created(cluster.api, namespace, service("shop"))
    async with rig.rig(
        client, cluster, namespace, folder, strategy="rolling_update", names=("shop",)
    ) as own:
        until(own.target.workloads.versions, lambda all_: all_["v1"].ready == 2)
        own.record("v1", Standing.VERIFIED)
        path = path_of("configmaps", namespace, "shop-config")
        cluster.api.patch(path, {"data": {"LEVEL": "debug"}}, MERGE)
        patch = {"spec": {"template": pod_template("shop", "v2")}}
        cluster.api.patch(path_of("deployments", namespace, "shop"), patch, MERGE)
        until(
            own.target.workloads.versions,
            lambda all_: "v2" in all_ and all_["v2"].ready == 2 and not all_["v1"].running,
        )
        yield own


def level(cluster: Cluster, namespace: str) -> str:
    found = cluster.api.get(path_of("configmaps", namespace, "shop-config"))
    return str(found["data"]["LEVEL"])


async def test_a_config_map_is_back_before_the_old_version_is(
    cluster: Cluster, namespace: str, client: Client, tmp_path: Path
) -> None:
    async with bad_release(client, cluster, namespace, tmp_path) as own:
        outcome = await (await own.start()).result()
    (one,) = outcome.services
    assert (one.end, one.verified) == (EndState.ROLLED_BACK, True), one
    assert one.steps[0].kind is ActionKind.RESTORE_CONFIGURATION
    assert level(cluster, namespace) == "info"


async def test_an_abort_with_restore_puts_the_new_configuration_back(
    cluster: Cluster, namespace: str, client: Client, tmp_path: Path, kubelet: Kubelet
) -> None:
    kubelet.behaviour["v1"] = Ready()
    async with bad_release(client, cluster, namespace, tmp_path) as own:
        kubelet.behaviour["v1"] = Ready(after_s=60)
        rollback = await own.start()
        look = partial(level, cluster, namespace)
        await asyncio.to_thread(until, look, lambda now: now == "info")
        await rollback.abort(AbortCommand(mode=AbortMode.RESTORE, by="test"))
        outcome = await rollback.result()
    (one,) = outcome.services
    assert one.end is EndState.RESTORED, one
    assert level(cluster, namespace) == "debug"
    written = [step for step in one.steps if step.kind is ActionKind.RESTORE_CONFIGURATION]
    assert [step.state for step in written] == [StepState.DONE, StepState.DONE]
