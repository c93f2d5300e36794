"""What a Rollout of Argo says of itself, and what follows from it. Pure: nothing here asks.

`status.phase` is believed for the generation that it is about; who serves is seen by pods.
"""

from collections.abc import Mapping
from typing import Any

from rollback_manager.errors import Blocked

Json = dict[str, Any]

STATUS = "/status"


def must_have_template(item: Json) -> None:
    """Blocked where the pod template stands in another object."""
    spec = item["spec"]
    if "template" in spec or item.get("kind") != "Rollout":
        return
    other = spec.get("workloadRef") or {}
    name = item["metadata"]["name"]
    raise Blocked(
        f"Rollout {name} takes its pods from {other.get('kind', 'another object')}"
        f" {other.get('name', '')} (spec.workloadRef): that way back is not carried out here",
        effect="Nothing was changed.",
        next_step=f"Give {name} a spec.template of its own, or go back by hand.",
    )


def as_kept(rollout: Json, templates: Mapping[str, Json]) -> Json:
    """The Rollout with its template as its ReplicaSet has it: its own gets no defaults of the API.

    Without that a version would have another digest as soon as it is not the one of the spec.
    """
    template = templates.get(wanted(rollout))
    if template is None or not is_observed(rollout):
        return rollout
    return {**rollout, "spec": {**rollout["spec"], "template": template}}


def is_observed(rollout: Json) -> bool:
    """Whether the status is about the spec that stands there now."""
    told = rollout.get("status", {}).get("observedGeneration", "")
    return bool(told == str(rollout["metadata"]["generation"]))


def stable(rollout: Json) -> str:
    """Hash of the ReplicaSet that rolled out last; empty where none ever did."""
    return str(rollout.get("status", {}).get("stableRS", ""))


def wanted(rollout: Json) -> str:
    """Hash of the ReplicaSet that has the template of the spec, as the controller saw it last."""
    return str(rollout.get("status", {}).get("currentPodHash", ""))


def is_unfinished(rollout: Json) -> bool:
    """Whether an update is under way, paused or aborted: the stable version is still there."""
    return is_observed(rollout) and "" != stable(rollout) != wanted(rollout)


def is_aborted(rollout: Json) -> bool:
    """Whether somebody, or a failed analysis, aborted the update that the spec still holds."""
    return bool(rollout.get("status", {}).get("abort"))


def comes_up(rollout: Json) -> bool:
    """Whether the controller brings the template of the spec up whole, past steps and pauses.

    A promotion that stands in the status, with the pause or the abort still beside it, was not
    taken up: the controller removes both.
    """
    if not is_observed(rollout):
        return False
    status = rollout["status"]
    is_held = is_aborted(rollout) or status.get("abortedAt") or status.get("pauseConditions")
    return stable(rollout) == wanted(rollout) or (bool(status.get("promoteFull")) and not is_held)


def abort(rollout: Json) -> list[Json]:
    """The patch of the status that aborts an update; none where there is nothing to abort.

    A second abort would forget the delay of the first one (argo-rollouts#3774), and one with
    nothing in flight has taken the stable version down (#1292).
    """
    if not is_unfinished(rollout) or is_aborted(rollout):
        return []
    return [{"op": "add", "path": f"{STATUS}/abort", "value": True}]


def promotion(rollout: Json) -> list[Json]:
    """The patch of the status that promotes the spec in full; none where that is so already.

    An abort that stuck from before would stop it (#3082): it is taken away with the same write.
    """
    if comes_up(rollout):
        return []
    lifted = [{"op": "add", "path": f"{STATUS}/abort", "value": False}]
    full = [{"op": "add", "path": f"{STATUS}/promoteFull", "value": True}]
    return (lifted if is_aborted(rollout) else []) + full


def told(rollout: Json) -> str:
    """In words, what it says of an update that is not through; empty where it is healthy."""
    status = rollout.get("status", {})
    if not is_observed(rollout):
        return "the controller of Argo Rollouts has not taken the spec up"
    phase, message = status.get("phase", "Unknown"), status.get("message", "")
    if phase == "Healthy":
        return ""
    said = "aborted" if is_aborted(rollout) else str(phase).lower()
    return f"Argo Rollouts: {said}" + (f", {message}" if message else "")


def weights(rollout: Json) -> Mapping[str, int]:
    """Hash → percent as its traffic router was told; empty where it has none."""
    found: dict[str, int] = {}
    parts = rollout.get("status", {}).get("canary", {}).get("weights") or {}
    for one in (parts.get("stable"), parts.get("canary"), *parts.get("additional", [])):
        if one and one.get("weight"):
            hash_ = one.get("podTemplateHash", "")
            found[hash_] = found.get(hash_, 0) + int(one["weight"])
    return found


def active_service(rollout: Json) -> str:
    """The Service that users reach, where its strategy is blue/green; else empty."""
    blue_green = rollout["spec"].get("strategy", {}).get("blueGreen") or {}
    return str(blue_green.get("activeService", ""))
