"""Another cluster behind the same name: the plan is for one of them, the other stays as it is."""

import asyncio
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.integrations.http_journeys import HttpJourneys
from activities.integrations.kubernetes import (
    Api,
    KubernetesPlace,
    PodFeed,
    Reader,
    ServiceTraffic,
    SideBySide,
)
from activities.step import Step
from activities.targets import Target, Workloads
from activities.workloads import WorkloadActivities
from demo.kubernetes import binaries
from demo.kubernetes.api import Api as Plain
from demo.kubernetes.api import Refused, connected
from demo.kubernetes.control_plane import ControlPlane
from rollback_manager.errors import PermanentError
from rollback_manager.operation import Mark
from rollback_manager.plan import Action, Capacity
from rollback_manager.platforms import Cluster, KubernetesTarget, ServiceTarget
from tests import builders
from tests.kubernetes import cluster as clusters
from tests.kubernetes.objects import created, deployment, path_of, service, until
from workers.materials import http_client

TARGET = KubernetesTarget(
    kind="kubernetes", cluster="main", namespace="default", names=("shop-blue", "shop-green")
)
TRAFFIC = ServiceTarget(
    kind="kubernetes_service", cluster="main", namespace="default", service="shop"
)
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
BLUE = path_of("deployments", "default", "shop-blue")


@pytest.fixture(scope="module")
def other() -> Iterator[ControlPlane]:
    """A second control plane, without machines."""
    programs = asyncio.run(binaries.find(print))
    with (
        tempfile.TemporaryDirectory(prefix="rb-", ignore_cleanup_errors=True) as folder,
        ControlPlane(programs, Path(folder), {}) as plane,
    ):
        yield plane


@pytest.fixture
def both(cluster: clusters.Cluster, other: ControlPlane) -> Iterator[tuple[Plain, Plain]]:
    """The same service in both clusters."""
    with connected(other.kubeconfig()) as theirs:
        for api in (cluster.api, theirs):
            for name, version in (("shop-blue", "v1"), ("shop-green", "v2")):
                created(api, "default", deployment(name, version, 1, app="shop"))
            created(api, "default", service("shop", "v2"))
        yield cluster.api, theirs
        for api in (cluster.api, theirs):
            for name in ("shop-blue", "shop-green"):
                api.delete(path_of("deployments", "default", name))
            api.delete(path_of("services", "default", "shop"))


def target(api: Api) -> Target:
    """As the worker puts it together."""
    reader = Reader(api, TARGET, PodFeed(api, TARGET.namespace))
    workloads: Workloads = SideBySide(reader)
    return Target(
        traffic=ServiceTraffic(TRAFFIC, reader, None),
        workloads=workloads,
        journeys=HttpJourneys((), http_client()),
        place=KubernetesPlace(api, TARGET),
    )


def step(place: str) -> Step:
    """Two instances of v1, in a plan that was made for this place."""
    plan = builders.service_plan().model_copy(update={"phases": (), "place": place})
    wanted = Capacity(version="v1", instances=2)
    return Step(
        env="prod",
        rollback="rollback/prod/1",
        plan=plan,
        action=Action(wanted=wanted, timeout_s=1, check="ready"),
        mark=Mark(epoch=1, step=1, op_id="op"),
    )


def carry_out(api: Api, place: str) -> None:
    """The activity itself, outside of any workflow."""
    work = WorkloadActivities(lambda env, name: target(api))
    ActivityEnvironment().run(work.prepare, step(place))


def replicas(api: Plain) -> int:
    """How many pods of v1 somebody has asked for."""
    count: int = api.get(BLUE)["spec"]["replicas"]
    return count


def test_a_context_that_was_switched_since_the_plan_is_refused(
    cluster: clusters.Cluster,
    other: ControlPlane,
    both: tuple[Plain, Plain],
    tmp_path: Path,
) -> None:
    """F38: the same file, context and names; the worker has been started anew in between."""
    kubeconfig = tmp_path / "config"
    kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
    named = Cluster(kubeconfig=str(kubeconfig), context="local")
    planned = KubernetesPlace(Api("main", named), TARGET).name()
    assert cluster.uid in planned
    kubeconfig.write_bytes(other.kubeconfig().read_bytes())
    with pytest.raises(PermanentError, match="another cluster than the plan was made for"):
        carry_out(Api("main", named), planned)
    assert [replicas(one) for one in both] == [1, 1]
    kubeconfig.write_bytes(cluster.kubeconfig.read_bytes())
    carry_out(Api("main", named), planned)
    assert [replicas(one) for one in both] == [2, 1]


def test_the_uid_of_the_catalogue_counts_before_any_plan(
    cluster: clusters.Cluster, other: ControlPlane
) -> None:
    """No plan is made for another cluster than the reviewed one."""
    named = Cluster(kubeconfig=str(other.kubeconfig()), context="local", uid=cluster.uid)
    with pytest.raises(PermanentError, match="another cluster"):
        KubernetesPlace(Api("main", named), TARGET).name()


def test_a_file_that_is_read_anew_in_mid_step_leads_nowhere_else(
    cluster: clusters.Cluster,
    other: ControlPlane,
    both: tuple[Plain, Plain],
    tmp_path: Path,
) -> None:
    """A token that is not accepted any more has the file read again: it may be another one."""
    cluster.api.post(
        BINDINGS,
        {
            "metadata": {"name": "passing"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "passing", "namespace": "default"}],
        },
    )
    kubeconfig = cluster.kubeconfig_with(
        cluster.account_token("default", "passing"), tmp_path / "c"
    )
    api = Api("main", Cluster(kubeconfig=str(kubeconfig), context="local"))
    assert api.uid() == cluster.uid
    cluster.api.delete(path_of("serviceaccounts", "default", "passing"))
    with connected(kubeconfig) as passing:
        until(partial(_status, passing), lambda status: status == 401, 30)
    kubeconfig.write_bytes(other.kubeconfig().read_bytes())
    with pytest.raises(PermanentError, match="leads to another cluster by now"):
        api.patch(BLUE, [{"op": "add", "path": "/spec/replicas", "value": 7}])
    assert [replicas(one) for one in both] == [1, 1]
    cluster.api.delete(f"{BINDINGS}/passing")


def _status(api: Plain) -> int:
    try:
        api.get(BLUE)
    except Refused as refused:
        return refused.status
    return 200
