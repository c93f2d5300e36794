"""One real control plane for all tests of a session, a namespace of its own for each."""

import uuid
from collections.abc import Iterator

import pytest

from demo.kubernetes import argo_rollouts
from demo.kubernetes.argo_rollouts import ArgoRollouts
from demo.kubernetes.control_plane import MACHINERY
from demo.kubernetes.kubelet import Kubelet
from tests.kubernetes import cluster as clusters
from tests.kubernetes import installed
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installed import Installed


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that is named, else a control plane of the tests' own, with machines."""
    with clusters.cluster() as found:
        yield found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """An empty one. Its deletion takes the cluster ten seconds, and nobody waits for it."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    cluster.api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def kubelet(cluster: Cluster) -> Iterator[Kubelet]:
    """The stand-in for machines: what this test changes in it is gone with the test."""
    yield cluster.kubelet
    cluster.kubelet.behaviour.clear()
    cluster.kubelet.grace_s = 0.0


@pytest.fixture(scope="session")
def ours(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """All of deploy/kubernetes/ as it is shipped, and its account; two namespaces are managed."""
    with installed.installed(cluster, tmp_path_factory.mktemp("installed")) as found:
        yield found


@pytest.fixture(scope="module")
def argo(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoRollouts]:
    """The real controller of Argo Rollouts, with its definitions; in CI it is there."""
    program = argo_rollouts.cached()
    if not program.exists():
        pytest.skip(f"{argo_rollouts.WHAT} is not built yet: make test-kubernetes builds it, once")
    kubeconfig = cluster.plane.kubeconfig(MACHINERY) if cluster.plane else cluster.kubeconfig
    folder = tmp_path_factory.mktemp("argo")
    with ArgoRollouts(program, kubeconfig, cluster.api, folder) as running:
        yield running
