"""How a controller replaces its pods, as its strategy says it."""

import math
from collections.abc import Callable

from activities.integrations.kubernetes import objects
from activities.integrations.kubernetes.objects import Json
from activities.integrations.kubernetes.world import World
from rollback_manager.platform_facts import ControllerFacts
from rollback_manager.platforms import Controller, KubernetesTarget, RolloutTarget


def controller_facts(
    item: Json, world: World, target: KubernetesTarget | RolloutTarget, wanted: str
) -> ControllerFacts:
    """How it stands. wanted: the version that is gone back to."""
    spec, name = item["spec"], item["metadata"]["name"]
    replicas = objects.desired(item, target.controller)
    pods = sorted(world.of(name))
    is_deployment = target.controller is Controller.DEPLOYMENT
    how = spec.get("strategy" if is_deployment else "updateStrategy") or {}
    rolling = how.get("rollingUpdate") or {}
    is_ordered = spec.get("podManagementPolicy") == "OrderedReady"
    now = objects.version_of(spec["template"], target.version_label)
    stuck = [p.name for p in pods if not p.ready and not p.leaving and p.version == now]
    partition = int(rolling.get("partition", 0))
    return ControllerFacts(
        name=name,
        kind=str(target.controller),
        replicas=replicas,
        ready=sum(pod.ready for pod in pods),
        paused=bool(spec.get("paused")),
        strategy=how.get("type", "RollingUpdate"),
        unavailable=_unavailable(rolling, replicas, target.controller),
        surge=part(rolling.get("maxSurge", 0), replicas, math.ceil),
        partition=partition,
        behind=tuple(p.name for p in pods if p.version != wanted and _is_behind(p.name, partition)),
        stuck=tuple(stuck) if is_ordered and now != wanted else (),
    )


def _is_behind(pod: str, partition: int) -> bool:
    """Whether a set never replaces it."""
    ordinal = pod.rpartition("-")[2]
    return partition > 0 and ordinal.isdigit() and int(ordinal) < partition


def _unavailable(rolling: Json, replicas: int, kind: Controller) -> int:
    """Pods that may be missing while they are replaced; a set stops one before it starts one."""
    if kind is Controller.DEPLOYMENT:
        most = part(rolling.get("maxUnavailable", "25%"), replicas, math.floor)
        surge = part(rolling.get("maxSurge", "25%"), replicas, math.ceil)
        return most if most or surge else 1
    return max(1, part(rolling.get("maxUnavailable", 1), replicas, math.ceil))


def part(text: int | str, of: int, rounded: Callable[[float], int]) -> int:
    """A number, or a percentage of `of`."""
    if isinstance(text, int):
        return text
    return rounded(int(text.rstrip("%")) * of / 100)
