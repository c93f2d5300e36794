"""What was recorded of versions, beside what the cluster has of them now. Pure."""

import json
from collections.abc import Callable, Iterable, Mapping

from activities.integrations.kubernetes.objects import Json, Pod
from rollback_manager.frozen import Frozen

Recorded = Callable[[], Mapping[str, Frozen]]
"""Version → what was frozen of it when it was recorded as a release."""


def templates(recorded: Mapping[str, Frozen], name: str) -> dict[str, Json]:
    """Version → the pod template that the controller of that name had."""
    return {
        version: json.loads(one.template)
        for version, frozen in recorded.items()
        for one in frozen.workloads
        if one.name == name
    }


def moved(pod: Pod, recorded: Mapping[str, Frozen]) -> str:
    """In words, that a pod runs another image than its version had; empty where none is seen.

    A tag can be given another image, and the template still reads the same.
    """
    frozen = recorded.get(pod.version)
    for container, known in (frozen.images if frozen else {}).items():
        running = pod.images.get(container, "")
        if running and running not in known:
            return (
                f"image digest moved: {container} runs {_short(running)},"
                f" {' or '.join(map(_short, known))} was recorded"
            )
    return ""


def notes(pods: Iterable[Pod], recorded: Mapping[str, Frozen]) -> str:
    """The same for all pods of a version, each thing once."""
    return "; ".join(sorted({words for pod in pods if (words := moved(pod, recorded))}))


def counts(pod: Pod, recorded: Mapping[str, Frozen]) -> bool:
    """Whether a pod is ready as the version that it says it is."""
    return pod.ready and not moved(pod, recorded)


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12]
