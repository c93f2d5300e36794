"""Undone twice: the second time leads further back or nowhere; kubectl beside it, as control."""

from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client

from rollback_manager.release import Standing
from tests.kubernetes import rig
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import (
    created,
    deployment,
    path_of,
    pod_template,
    rolled_out,
    service,
    until,
)
from tests.kubernetes.test_rollback import MERGE, goes_back, whole

pytestmark = pytest.mark.usefixtures("kubelet")


def deploy(cluster: Cluster, namespace: str, name: str, version: str) -> None:
    """As a deployer does it, to its end."""
    path = path_of("deployments", namespace, name)
    template = {"spec": {"template": pod_template(name, version)}}
    cluster.api.patch(path, template, MERGE)
    until(partial(cluster.api.get, path), rolled_out)


def version_of(cluster: Cluster, namespace: str, name: str) -> str:
    """What its template says now."""
    found = cluster.api.get(path_of("deployments", namespace, name))
    version: str = found["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/version"]
    return version


async def test_ours_goes_further_back_and_kubectl_walks_into_the_bad_one_again(
    cluster: Cluster, namespace: str, client: Client, tmp_path: Path
) -> None:
    for name in ("shop", "control"):
        created(cluster.api, namespace, deployment(name, "v1", 2))
    created(cluster.api, namespace, service("shop"))
    async with rig.rig(
        client, cluster, namespace, tmp_path, strategy="rolling_update", names=("shop",)
    ) as own:
        until(own.target.workloads.versions, partial(whole, version="v1"))
        own.record("v1", Standing.VERIFIED)
        for version, standing in (("v2", Standing.VERIFIED), ("v3", Standing.CANDIDATE)):
            for name in ("shop", "control"):
                deploy(cluster, namespace, name, version)
            until(own.target.workloads.versions, partial(whole, version=version))
            own.record(version, standing)
        own.users.bad = frozenset({"v3"})

        ours, control = [], []
        for good in ("v2", "v1"):
            await goes_back(own, to=good)
            ours.append(version_of(cluster, namespace, "shop"))
            cluster.kubectl("-n", namespace, "rollout", "undo", "deployment/control")
            control.append(version_of(cluster, namespace, "control"))
        assert ours == ["v2", "v1"]
        assert control == ["v2", "v3"], "by position: the second undo brings the bad one back"

        third = await (await own.start()).result()
        assert "no verified release to go back to" in third.because
        assert version_of(cluster, namespace, "shop") == "v1"
