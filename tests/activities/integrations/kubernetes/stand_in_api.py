"""A stand-in for the API of a cluster: objects by path, and what may happen to a request."""

import copy
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from activities.integrations.kubernetes.refusals import Conflict, Forbidden
from activities.integrations.kubernetes.world import Reader
from rollback_manager.errors import NotFound, Unreachable
from rollback_manager.platforms import KubernetesTarget

Json = dict[str, Any]
APPS = "/apis/apps/v1/namespaces/shop/deployments"


class StandInApi:
    """loses: whether a write lands and its answer does not. read_only: paths that refuse one."""

    name, context, pinned = "main", "main", ""

    def __init__(self, **objects: Json) -> None:
        self.objects = objects
        self.loses = False
        self.read_only = set[str]()

    def uid(self) -> str:
        return "uid-of-now"

    def get(self, path: str) -> Json:
        if path not in self.objects:
            raise NotFound(f"404: {path}")
        return copy.deepcopy(self.objects[path])

    def items(self, path: str, selector: str = "", *, metadata: bool = False) -> list[Json]:
        return [copy.deepcopy(o) for p, o in self.objects.items() if p.rpartition("/")[0] == path]

    def patch(self, path: str, operations: Sequence[Json], *, dry_run: bool = False) -> Json:
        item = copy.deepcopy(self.objects[path])
        for one in operations:
            _carry_out(item, one)
        version = int(item["metadata"]["resourceVersion"]) + 1
        item["metadata"]["resourceVersion"] = str(version)
        if path in self.read_only:
            raise Forbidden(f"403: patch {path}")
        if dry_run:
            return item
        self.objects[path] = item
        if self.loses:
            raise Unreachable("the connection broke")
        return item


def _carry_out(item: Json, one: Json) -> None:
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:]]
    place: Any = item
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    match one["op"]:
        case "test" if place.get(last) != one["value"]:
            raise Conflict(f"{one['path']} is {place.get(last)}")
        case "add" | "replace":
            place[last] = one["value"]
        case "remove":
            del place[last]


def deployment(version: str, image: str = "", replicas: int = 2, name: str = "shop") -> Json:
    labels = {"app": name, "app.kubernetes.io/version": version}
    container = {"name": "shop", "image": image or f"shop:{version}"}
    return {
        "metadata": {"name": name, "uid": name, "resourceVersion": "1", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def reader(api: Any, *names: str) -> Reader:
    target = KubernetesTarget(
        kind="kubernetes", cluster="main", namespace="shop", names=names or ("shop",)
    )
    feed: Any = SimpleNamespace(all=list, distrust=lambda: None)
    return Reader(api, target, feed)
