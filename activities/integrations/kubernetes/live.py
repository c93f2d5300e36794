"""What is written of a service in its cluster, and by whom: controllers, and where traffic goes."""

from dataclasses import dataclass

from activities.integrations.kubernetes import fields, objects
from activities.integrations.kubernetes.fresh import Fresh
from activities.integrations.kubernetes.objects import Json
from activities.integrations.kubernetes.world import Reader
from rollback_manager.owners import NOBODY
from rollback_manager.platforms import Controller, HttpRouteTarget, ServiceTarget, TrafficTarget
from rollback_manager.stays import Kept, Live

TEMPLATE, REPLICAS = ("spec", "template"), ("spec", "replicas")


@dataclass(frozen=True)
class Where:
    """The object that says where the traffic goes, and the field of it that does."""

    path: str
    field: tuple[str, ...]


def where(traffic: TrafficTarget) -> Where | None:
    """None where that is no object of the cluster."""
    match traffic:
        case ServiceTarget(namespace=namespace, service=name):
            path = f"/api/v1/namespaces/{namespace}/services/{name}"
            return Where(path, ("spec", "selector"))
        case HttpRouteTarget(namespace=namespace, route=name):
            group = "/apis/gateway.networking.k8s.io/v1"
            return Where(f"{group}/namespaces/{namespace}/httproutes/{name}", ("spec", "rules"))
        case _:
            return None


class Written:
    """Reads that through the service's own reader, so that it costs one request at most."""

    def __init__(self, reader: Reader, traffic: TrafficTarget) -> None:
        self._reader = reader
        self._where = where(traffic)
        path = self._where.path if self._where else ""
        self._traffic = Fresh(lambda: reader.api.get(path))

    def live(self) -> Live:
        """As it stands now."""
        controllers = self._reader.now().controllers
        kept = tuple(self._kept(name, one) for name, one in controllers.items())
        if self._where is None:
            return Live(kept=kept)
        item = self._traffic.now()
        by = fields.last(item, *self._where.field)
        return Live(kept=kept, traffic_by=by, epoch=_epoch(item))

    def parts(self) -> list[tuple[Json, tuple[str, ...]]]:
        """The objects that a rollback writes, with the fields of them that it writes."""
        controllers = self._reader.now().controllers.values()
        found = [(one, field) for one in controllers for field in (TEMPLATE, REPLICAS)]
        return found + ([(self._traffic.now(), self._where.field)] if self._where else [])

    def _kept(self, name: str, item: Json) -> Kept:
        kind, template = self._reader.target.controller, item["spec"]["template"]
        return Kept(
            name=f"{kind}/{name}",
            version=objects.version_of(template, self._reader.target.version_label),
            digest=objects.digest(template),
            replicas=objects.desired(item, kind),
            epoch=_epoch(item),
            rollout=_rollout(item, kind),
            template_by=fields.last(item, *TEMPLATE),
            replicas_by=NOBODY if kind is Controller.DAEMON_SET else fields.last(item, *REPLICAS),
        )


def _epoch(item: Json) -> int:
    mark = objects.mark_of(item)
    return mark.epoch if mark else 0


def _rollout(item: Json, kind: Controller) -> str:
    """In words how far a rollout is; empty where none is under way."""
    status, wanted = item.get("status", {}), objects.desired(item, kind)
    daemons = kind is Controller.DAEMON_SET
    updated = status.get("updatedNumberScheduled" if daemons else "updatedReplicas", 0)
    there = status.get("currentNumberScheduled" if daemons else "replicas", 0)
    seen = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
    if seen and updated == wanted == there:
        return ""
    return f"{updated} of {wanted} pods are new, {max(0, there - updated)} old ones are left"
