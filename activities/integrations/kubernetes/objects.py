"""What objects of Kubernetes say, read from their JSON. Pure: nothing here asks a cluster."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from rollback_manager.contract import NAME
from rollback_manager.operation import Mark
from rollback_manager.platforms import Controller

MARK = "rollback-manager.io/mark"
"""Annotation of every object that we write, never of a pod template: that would start a rollout."""
HASH_LABELS = (
    "pod-template-hash",
    "controller-revision-hash",
    "rollouts-pod-template-hash",
)
"""Added by controllers to the templates of their revisions; no part of what people deployed."""
NUMBERS = ("deployment.kubernetes.io/revision", "rollout.argoproj.io/revision")
PASSING = "rollout.argoproj.io/ephemeral-metadata"
"""Labels and annotations that Argo Rollouts adds to a template while it is canary or stable."""
NOT_DEPLOYED = ("kubectl.kubernetes.io/restartedAt",)
"""Annotations that replace the pods and leave the version as it is."""
OVER = ("Succeeded", "Failed")

Json = dict[str, Any]


class Pod(NamedTuple):
    """One pod that is there.

    gone_by: when one that is leaving must have ended. owner: UID of what made it. images: digests
    by container.
    """

    name: str
    owner: str
    revision: str
    version: str
    labels: Mapping[str, str]
    ready: bool
    leaving: bool
    gone_by: datetime | None
    started_at: datetime | None
    ip: str
    images: Mapping[str, str]


class Revision(NamedTuple):
    """One pod template that a controller keeps: a ReplicaSet's, or a ControllerRevision's.

    number: rises with every rollout, also with one that goes back.
    """

    uid: str
    name: str
    number: int
    hash: str
    version: str
    digest: str
    template: Json


def pod(item: Json, version_label: str) -> Pod:
    """The parts of a pod that matter here."""
    meta, status = item["metadata"], item.get("status", {})
    labels = meta.get("labels", {})
    leaving = bool(meta.get("deletionTimestamp"))
    owners = [one["uid"] for one in meta.get("ownerReferences", []) if one.get("controller")]
    states = status.get("containerStatuses", [])
    return Pod(
        name=meta["name"],
        owner=owners[0] if owners else "",
        revision=next((labels[key] for key in HASH_LABELS if key in labels), ""),
        version=version_of(item, version_label),
        labels=labels,
        ready=_is_ready(status) and not leaving,
        leaving=leaving,
        gone_by=moment(meta.get("deletionTimestamp")),
        started_at=moment(status.get("startTime")),
        ip=status.get("podIP", ""),
        images={one["name"]: image_digest(one.get("imageID", "")) for one in states},
    )


def is_over(item: Json) -> bool:
    """Whether its containers ended for good: an evicted pod stays in the list and serves nobody."""
    return item.get("status", {}).get("phase") in OVER


def revision(item: Json, version_label: str) -> Revision:
    """The revision that a ReplicaSet or a ControllerRevision keeps."""
    meta = item["metadata"]
    annotations, labels = meta.get("annotations", {}), meta.get("labels", {})
    template = clean(item["data"]["spec"]["template"] if "data" in item else _spec(item))
    if passing := annotations.get(PASSING):
        template = _without(template, json.loads(passing))
    numbers = (annotations[key] for key in NUMBERS if key in annotations)
    number = item.get("revision") or next(numbers, 0)
    return Revision(
        uid=meta["uid"],
        name=meta["name"],
        number=int(number),
        hash=next((labels[key] for key in HASH_LABELS if key in labels), ""),
        version=version_of(template, version_label),
        digest=digest(template),
        template=template,
    )


def clean(template: Json) -> Json:
    """The template as people deployed it, without what controllers and kubectl add to it."""
    meta = template.get("metadata") or {}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k not in HASH_LABELS}
    notes = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in NOT_DEPLOYED}
    own = {"labels": labels} | ({"annotations": notes} if notes else {})
    return {"metadata": own, "spec": template["spec"]}


def _without(template: Json, passing: Json) -> Json:
    meta = {
        part: {k: v for k, v in values.items() if k not in (passing.get(part) or {})}
        for part, values in template["metadata"].items()
    }
    return clean({"metadata": meta, "spec": template["spec"]})


def digest(template: Json) -> str:
    """SHA-256 of the canonical JSON of a clean template: `sha256:` and 64 hex digits."""
    text = json.dumps(clean(template), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def version_of(template: Json, label: str) -> str:
    """The version of a pod or a template: its label, else the tag of its first image.

    A name that cannot be one of ours, or none at all, is replaced by the start of a digest.
    """
    labels = template.get("metadata", {}).get("labels") or {}
    containers = template.get("spec", {}).get("containers") or [{}]
    tag = containers[0].get("image", "").partition("@")[0].rpartition("/")[2].partition(":")[2]
    named = labels.get(label) or tag
    if NAME.fullmatch(named):
        return str(named)
    return f"unnamed-{hashlib.sha256(json.dumps(containers).encode()).hexdigest()[:10]}"


def image_digest(image: str) -> str:
    """The `sha256:…` in an image or an imageID; empty where it names none."""
    found = image.rpartition("@")[2]
    return found if found.startswith("sha256:") else ""


def selector(controller: Json) -> str:
    """The label selector of a controller, as a query has it."""
    wanted = controller["spec"]["selector"]
    parts = [f"{key}={value}" for key, value in sorted(wanted.get("matchLabels", {}).items())]
    for one in wanted.get("matchExpressions", []):
        values = ",".join(one.get("values", []))
        parts.append(
            {
                "In": f"{one['key']} in ({values})",
                "NotIn": f"{one['key']} notin ({values})",
                "Exists": one["key"],
                "DoesNotExist": f"!{one['key']}",
            }[one["operator"]]
        )
    return ",".join(parts)


def is_selected(item: Json, controllers: Iterable[Json]) -> bool:
    """Whether one of the controllers selects this pod by its labels."""
    labels = item["metadata"].get("labels", {})
    return any(_matches(one["spec"]["selector"], labels) for one in controllers)


def _matches(selector: Json, labels: Mapping[str, str]) -> bool:
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    return all(
        {
            "In": labels.get(one["key"]) in one.get("values", []),
            "NotIn": labels.get(one["key"]) not in one.get("values", []),
            "Exists": one["key"] in labels,
            "DoesNotExist": one["key"] not in labels,
        }[one["operator"]]
        for one in selector.get("matchExpressions", [])
    )


def ready_by_status(controller: Json) -> int:
    """Ready pods as the controller itself counted them last."""
    status = controller.get("status", {})
    return int(status.get("numberReady", status.get("readyReplicas", 0)))


def selects(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a Service's selector takes pods with these labels; an empty one takes none."""
    return bool(wanted) and wanted.items() <= labels.items()


def mark_of(item: Json, key: str = MARK) -> Mark | None:
    """The mark of ours that an object carries."""
    return Mark.parse(item["metadata"].get("annotations", {}).get(key, ""))


def last_writer(item: Json) -> str:
    """Who wrote the object last, but for its status and us: `argocd-controller at 12:00:03Z`.

    Several, where they wrote in the same second: Kubernetes keeps no finer time.
    """
    entries = [
        one
        for one in item["metadata"].get("managedFields", [])
        if one.get("subresource") != "status" and one.get("manager") != "rollback-manager"
    ]
    if not entries:
        return "nobody that Kubernetes knows of"
    newest = max(one.get("time", "") for one in entries)
    names = {one.get("manager", "unknown") for one in entries if one.get("time", "") == newest}
    return f"{', '.join(sorted(names))} at {newest or 'an unknown time'}"


def desired(controller: Json, kind: Controller) -> int:
    """How many pods it is told to keep; a DaemonSet is told by its nodes."""
    if kind is Controller.DAEMON_SET:
        return int(controller.get("status", {}).get("desiredNumberScheduled", 0))
    return int(controller["spec"].get("replicas", 1))


def moment(text: str | None) -> datetime | None:
    """A time as Kubernetes writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def _spec(item: Json) -> Json:
    template: Json = item["spec"]["template"]
    return template


def _is_ready(status: Json) -> bool:
    conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
    return conditions.get("Ready") == "True"
