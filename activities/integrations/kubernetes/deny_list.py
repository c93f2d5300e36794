"""The list of images that were rolled back; the policy in deploy/kubernetes/ enforces it.

The list is used where it is there: whoever installs the policy creates it, empty, in each namespace
that is to be guarded.
"""

from collections.abc import Iterable
from itertools import product

from activities.integrations.kubernetes import objects
from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.refusals import Conflict
from activities.integrations.kubernetes.world import World
from rollback_manager.errors import NotFound, TemporaryError

NAME = "rollback-manager-denied"
MOST_LINES = 40
TRIES = 5


def images(world: World, version: str, label: str) -> tuple[str, ...]:
    """Every image that a version has and no other version there, as written and by digest."""
    of_version, others = set[str](), set[str]()
    templates = [
        *((row.version, row.template) for rows in world.revisions.values() for row in rows),
        *(
            (objects.version_of(one["spec"]["template"], label), one["spec"]["template"])
            for one in world.controllers.values()
        ),
    ]
    for name, template in templates:
        spec = template["spec"]
        found = [*spec.get("initContainers", []), *spec["containers"]]
        (of_version if name == version else others).update(one["image"] for one in found)
    own = of_version - others
    by_digest = {
        f"{image.partition('@')[0].rpartition(':')[0]}@{pod.images[container]}"
        for pod, image in product(world.pods, own)
        for container in pod.images
        if pod.version == version and len(pod.images) == 1 and pod.images[container]
    }
    return tuple(sorted(own | by_digest))


def add(api: Api, namespace: str, service: str, lines: Iterable[str]) -> str:
    """In words what was done. The list is shared by services: each has its own key in it."""
    path = f"/api/v1/namespaces/{namespace}/configmaps/{NAME}"
    wanted = list(lines)
    for _ in range(TRIES):
        try:
            item = api.get(path)
        except NotFound:
            return f"no deny list in {namespace}: ConfigMap {NAME} is not there"
        there = item.get("data", {}).get(service, "").split("\n")
        known = [line for one in there if (line := one.strip())]
        new = [line for line in wanted if line not in known]
        if not new:
            return f"denied already: {', '.join(wanted) or 'nothing of its own'}"
        text = "\n".join([*known, *new][-MOST_LINES:])
        whole = {"op": "add", "path": "/data", "value": {service: text}}
        one = {"op": "add", "path": f"/data/{service}", "value": text}
        version = item["metadata"]["resourceVersion"]
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
        try:
            api.patch(path, [test, one if "data" in item else whole])
        except Conflict:
            continue
        return f"denied from now on: {', '.join(new)}"
    raise TemporaryError(f"{path} is written all the time by somebody else")
