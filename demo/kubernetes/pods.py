"""What a stand-in machine makes of a pod: pure judgement, for `kubelet.py` to carry out."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from demo.kubernetes.api import Object

VERSION_LABEL = "app.kubernetes.io/version"


@dataclass(frozen=True)
class Ready:
    """Its containers run and are ready `after_s` seconds after they were told to start."""

    after_s: float = 0.0
    digest: str = ""
    """The image's digest as the machine reports it (sha256:…); empty: made from its name."""


@dataclass(frozen=True)
class Never:
    """Its image cannot be had."""

    reason: str = "ImagePullBackOff"


@dataclass(frozen=True)
class Crash:
    """Ready at first, it ends with code 1 after `after_s` seconds, each time it is started."""

    after_s: float = 0.0
    restarts: int = 3


Behaviour = Ready | Never | Crash


@dataclass(frozen=True)
class Run:
    """How a process does that a pod's container really is.

    waiting: why it does not run, in Kubernetes' words; empty while it runs.
    """

    ready: bool = False
    waiting: str = ""
    restarts: int = 0


@dataclass(frozen=True)
class Wait:
    """Nothing to do before `for_s` seconds have passed."""

    for_s: float


@dataclass(frozen=True)
class Report:
    """Write this status."""

    status: Object


def behaviour_of(pod: Object, known: Mapping[str, Behaviour]) -> Behaviour:
    """By the first image, by the version label, by the image's tag; ready at once otherwise."""
    image = pod["spec"]["containers"][0]["image"]
    version = pod["metadata"].get("labels", {}).get(VERSION_LABEL, "")
    for key in (image, version, tag_of(image)):
        if key in known:
            return known[key]
    return Ready()


def tag_of(image: str) -> str:
    """v1 of registry:5000/shop:v1; empty if there is none."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[2]


def digest_of(image: str) -> str:
    """The digest that an image's reference carries, or one that is made from the reference."""
    return image.partition("@")[2] or f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def node_of(pod: Object, nodes: list[str], turn: int) -> str:
    """The machine it belongs on: the one it asks for, as a DaemonSet's pods do, or by turns."""
    terms = (
        pod["spec"]
        .get("affinity", {})
        .get("nodeAffinity", {})
        .get("requiredDuringSchedulingIgnoredDuringExecution", {})
        .get("nodeSelectorTerms", [])
    )
    fields = [field for term in terms for field in term.get("matchFields", [])]
    asked = [name for field in fields for name in field["values"] if name in nodes]
    return asked[0] if asked else nodes[turn % len(nodes)]


def next_of(pod: Object, behaviour: Behaviour, age_s: float, ip: str) -> Report | Wait | None:
    """What to do with a bound pod.

    age_s: seconds since it was bound, or since its behaviour changed.
    """
    match behaviour:
        case Ready(after_s=after_s) if age_s < after_s and not is_ready(pod):
            if pod["status"].get("phase") == "Running":
                return Wait(after_s - age_s)
            return Report(status(pod, ip, behaviour, ready=False))
        case Ready():
            return None if is_ready(pod) else Report(status(pod, ip, behaviour, ready=True))
        case Crash(after_s=after_s) if age_s < after_s:
            if is_ready(pod):
                return Wait(after_s - age_s)
            return Report(status(pod, ip, behaviour, ready=True))
        case Never(reason=reason):
            told = waiting_for(pod) == reason
            return None if told else Report(status(pod, ip, behaviour, ready=False))
        case Crash():
            told = waiting_for(pod) == "CrashLoopBackOff"
            return None if told else Report(status(pod, ip, behaviour, ready=False))


def next_of_run(pod: Object, run: Run, ip: str) -> Report | None:
    """What to write of a pod whose container is a process; None if that was told."""
    told = pod["status"].get("phase"), is_ready(pod), waiting_for(pod), _restarts(pod)
    crashed = run.waiting == "CrashLoopBackOff"
    pulled = crashed or not run.waiting
    if told == ("Running" if pulled else "Pending", run.ready, run.waiting, run.restarts):
        return None
    behaviour: Behaviour = Crash() if crashed else Ready() if pulled else Never(run.waiting)
    written = status(pod, ip, behaviour, ready=run.ready)
    for one in written["containerStatuses"]:
        one["restartCount"] = run.restarts
    return Report(written)


def _restarts(pod: Object) -> int:
    return sum(one["restartCount"] for one in pod["status"].get("containerStatuses", []))


def is_ready(pod: Object) -> bool:
    """As its conditions say."""
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def waiting_for(pod: Object) -> str:
    """Why its first container does not run; empty if it does, or if nobody has said so far."""
    for one in pod["status"].get("containerStatuses", []):
        reason: str = one["state"].get("waiting", {}).get("reason", "")
        return reason
    return ""


def status(pod: Object, ip: str, behaviour: Behaviour, *, ready: bool) -> Object:
    """The whole status, as a kubelet reports it."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    pulled = not isinstance(behaviour, Never)
    conditions = {
        "Initialized": True,
        "PodScheduled": True,
        "ContainersReady": ready,
        "Ready": ready,
    }
    return {
        "phase": "Running" if pulled else "Pending",
        "startTime": pod["status"].get("startTime", now),
        "hostIP": "127.0.0.1",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "conditions": [
            {"type": kind, "status": str(holds), "lastTransitionTime": now}
            for kind, holds in conditions.items()
        ],
        "containerStatuses": [
            _container(one, behaviour, now, ready=ready) for one in pod["spec"]["containers"]
        ],
    }


def _container(container: Object, behaviour: Behaviour, now: str, *, ready: bool) -> Object:
    image = container["image"]
    name = image.partition("@")[0]
    told: dict[str, Any] = {
        "name": container["name"],
        "image": image,
        "imageID": f"{name}@{getattr(behaviour, 'digest', '') or digest_of(image)}",
        "ready": ready,
        "started": ready,
        "restartCount": 0,
        "state": {"running": {"startedAt": now}},
        "lastState": {},
    }
    match behaviour:
        case Never(reason=reason):
            waiting = {"reason": reason, "message": f'Back-off pulling image "{image}"'}
            return told | {"imageID": "", "state": {"waiting": waiting, "running": None}}
        case Crash(restarts=restarts) if not ready:
            ended = {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}
            waiting = {"reason": "CrashLoopBackOff", "message": "back-off restarting the container"}
            return told | {
                "restartCount": restarts,
                "state": {"waiting": waiting, "running": None},
                "lastState": {"terminated": ended},
            }
        case _:
            return told | {"state": {"running": {"startedAt": now}, "waiting": None}}
