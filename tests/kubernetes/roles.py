"""The roles of a service on the cluster, as a worker makes them, with counters that tests set."""

from collections.abc import Iterable
from datetime import UTC, datetime

from activities.integrations.kubernetes import (
    Api,
    HttpRouteTraffic,
    InPlace,
    PodFeed,
    Reader,
    ServiceTraffic,
    SideBySide,
)
from rollback_manager.metrics.reading import Counts, NoReading, Snapshot
from rollback_manager.operation import Mark
from rollback_manager.platforms import (
    Cluster,
    Controller,
    HttpRouteTarget,
    KubernetesTarget,
    ServiceTarget,
)
from tests.kubernetes import cluster as clusters

APP_LABEL = "app.kubernetes.io/version"


def mark(step: int, epoch: int = 7) -> Mark:
    """Of the rollback with that epoch."""
    return Mark(op_id=f"{epoch:08x}{step:08x}", epoch=epoch, step=step)


def api(cluster: clusters.Cluster) -> Api:
    """As whoever may do everything."""
    return Api("test", Cluster(kubeconfig=str(cluster.kubeconfig), context="local"))


def reader(
    cluster: clusters.Cluster, namespace: str, *names: str, controller: Controller | None = None
) -> Reader:
    """Of one service; nothing that it reads is older than a moment."""
    target = KubernetesTarget(
        kind="kubernetes",
        cluster="test",
        namespace=namespace,
        controller=controller or Controller.DEPLOYMENT,
        names=names,
    )
    own = api(cluster)
    return Reader(own, target, PodFeed(own, namespace))


class SetCounters:
    """A stand-in for the Prometheus of a service: it counts what a test says."""

    unseen_s = 5.0

    def __init__(self) -> None:
        self.requests: dict[str, int] = {}
        self.because = ""

    def snapshot(self, version: str, others: Iterable[str] = ()) -> Snapshot | NoReading:
        """What was set, as of now."""
        if self.because:
            return NoReading(version=version, because=self.because)
        names = {version, *others}
        counted = {
            name: Counts(requests=self.requests.get(name, 0), errors=0, in_flight=0, serving=0)
            for name in names
        }
        return Snapshot(taken_at=datetime.now(UTC), versions=counted, counted_by="test")


def service_traffic(own: Reader, counters: SetCounters, service: str = "shop") -> ServiceTraffic:
    """Through a Service of that name."""
    target = ServiceTarget(
        kind="kubernetes_service",
        cluster="test",
        namespace=own.target.namespace,
        service=service,
    )
    return ServiceTraffic(target, own, counters)


def route_traffic(own: Reader, counters: SetCounters, route: str = "shop") -> HttpRouteTraffic:
    """Through an HTTPRoute of that name."""
    target = HttpRouteTarget(
        kind="http_route", cluster="test", namespace=own.target.namespace, route=route
    )
    return HttpRouteTraffic(target, own, counters)


__all__ = ["InPlace", "SideBySide"]
