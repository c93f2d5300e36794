"""Pods and percents: how traffic is split where it goes to whatever pods are there. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from activities.integrations.kubernetes import objects
from activities.integrations.kubernetes.objects import Pod
from activities.integrations.kubernetes.world import World
from rollback_manager.operation import Mark


def by_pods(pods: Iterable[Pod], otherwise: str) -> dict[str, int]:
    """Percents by ready pods; by all pods where none is ready; else all of it to `otherwise`.

    A service that is down altogether still has a version that would get its traffic.
    """
    staying = [pod for pod in pods if not pod.leaving]
    counted = Counter(pod.version for pod in staying if pod.ready)
    return percents(counted or Counter(pod.version for pod in staying)) or {otherwise: 100}


def percents(parts: Mapping[str, int]) -> dict[str, int]:
    """Whole percents that sum to 100, by largest remainder; empty where all parts are 0.

    What has a part has at least 1 %: a version with users is never shown as one without.
    """
    total = sum(parts.values())
    if not total:
        return {}
    exact = {name: 100 * part / total for name, part in sorted(parts.items()) if part}
    whole = {name: max(1, int(part)) for name, part in exact.items()}
    by_remainder = sorted(exact, key=lambda name: whole[name] - exact[name])
    for name in by_remainder[: max(0, 100 - sum(whole.values()))]:
        whole[name] += 1
    largest = max(whole, key=lambda name: whole[name])
    whole[largest] -= sum(whole.values()) - 100
    return whole


def ready_by_version(
    pods: Iterable[Pod], selectors: Mapping[str, Mapping[str, str]]
) -> Counter[str]:
    """Ready pods that get requests: those that the Service of their version selects."""
    return Counter(
        pod.version
        for pod in pods
        if pod.ready and objects.selects(selectors.get(pod.version, {}), pod.labels)
    )


def leaving_by_version(pods: Iterable[Pod]) -> Counter[str]:
    """Pods that are on their way out and may still answer what they had."""
    return Counter(pod.version for pod in pods if pod.leaving)


def newest_mark(world: World) -> Mark | None:
    """The newest of our marks on the controllers of a service."""
    marks = [mark for one in world.controllers.values() if (mark := objects.mark_of(one))]
    return max(marks, key=lambda mark: (mark.epoch, mark.step), default=None)
