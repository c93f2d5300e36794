"""What is there before any service: a cluster with a namespace, Envoy behind its gateway's
controller, and a Prometheus that counts."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from demo import envoy_admin
from demo.errors import WorldError
from demo.kubernetes import binaries, crds, prometheus
from demo.kubernetes import cluster as clusters
from demo.kubernetes.api import Api, Refused
from demo.kubernetes.binaries import Programs
from demo.kubernetes.cluster import Cluster
from demo.kubernetes.gateway import Gateway
from demo.kubernetes.processes import Processes, Registry
from demo.ports import PortBlock
from demo.processes import Children, until
from demo.world import envoy

START_S = 60.0
"""Many times what it takes, for a loaded machine."""
STOP_S = 3.0
GONE_S = 30.0
NAMESPACES = "/api/v1/namespaces"
CONFLICT = 409


@dataclass(frozen=True)
class Ground:
    """pods_port: at which every pod listens, at an address of its own."""

    cluster: Cluster
    gateway: Gateway
    metrics_port: int
    pods_port: int


def set_up(
    stack: ExitStack,
    folder: Path,
    namespace: str,
    registry: Registry,
    given: Cluster | None,
    programs: Programs | None,
) -> Ground:
    """Bring it up in a folder; the stack ends it.

    Raises:
        WorldError: a part is not there or did not start.
        PermanentError: no control plane is to be had; it says how to get one.
    """
    (logs := folder / "logs").mkdir(parents=True, exist_ok=True)
    ports = PortBlock()
    stack.callback(ports.close)
    pods, metrics, door, admin = (ports.take() for _ in range(4))
    children = Children(logs)
    stack.callback(lambda: children.end(STOP_S, lambda: None))
    # First of all, for it begins to scrape some five seconds after its start.
    children.start("prometheus", prometheus.command(folder / "prometheus", metrics, admin))
    cluster = given or _found(stack, folder, programs)
    processes = Processes(registry, logs)
    stack.callback(processes.close)
    stack.callback(lambda: cluster.kubelet.runtimes.pop(namespace, None))
    cluster.kubelet.runtimes[namespace] = processes
    crds.install(cluster.api, crds.GATEWAY_API)
    outlives = given is None and cluster.plane is None
    (_take_new if outlives else _take)(stack, cluster.api, namespace)
    gateway = Gateway(
        cluster.api, namespace, folder, (door, admin), children.log("envoy"), children.check
    )
    _start_gateway(stack, gateway, children)
    scraped = "Prometheus has scraped Envoy"
    until(scraped, lambda: prometheus.has_scraped(metrics), START_S, children.check)
    return Ground(cluster, gateway, metrics, pods)


def _found(stack: ExitStack, folder: Path, programs: Programs | None) -> Cluster:
    if path := clusters.named():
        return stack.enter_context(clusters.joined(Path(path)))
    programs = programs or asyncio.run(binaries.find(print))
    return stack.enter_context(clusters.own(folder / "cluster", programs))


def _start_gateway(stack: ExitStack, gateway: Gateway, children: Children) -> None:
    gateway.write_first()
    options = ["--disable-hot-restart", "--concurrency", "1", "-l", "warning"]
    children.start("envoy", [envoy(), "-c", str(gateway.config), *options])
    live = "Envoy is live"
    until(live, lambda: envoy_admin.answers(gateway.admin_port, "/ready"), START_S, children.check)
    stack.callback(gateway.end)
    gateway.start()


def _take(_: ExitStack, api: Api, namespace: str) -> None:
    """It may be there; it goes with its cluster, or with whoever made it."""
    try:
        api.post(NAMESPACES, {"metadata": {"name": namespace}})
    except Refused as refused:
        if refused.status != CONFLICT:
            raise


def _take_new(stack: ExitStack, api: Api, namespace: str) -> None:
    """Of a cluster that outlives us only one that was not there, which goes with us."""
    try:
        api.post(NAMESPACES, {"metadata": {"name": namespace}})
    except Refused as refused:
        if refused.status == CONFLICT:
            raise WorldError(f"that cluster has a namespace {namespace}") from refused
        raise
    stack.callback(_give_back, api, f"{NAMESPACES}/{namespace}")


def _give_back(api: Api, namespace: str) -> None:
    """Its pods go while their machines are still there."""
    api.delete(namespace)
    gone = "the pods are gone"
    until(gone, lambda: not api.get(f"{namespace}/pods")["items"], GONE_S, lambda: None)
